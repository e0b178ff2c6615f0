"""Starting a server under test, and waiting for events with a deadline.

The same contract and the same `targets.json` as the harness of the Node.js suites.
"""

import json
import os
import queue
import random
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[3]
COMMANDS = json.loads((ROOT / "tests/harness/targets.json").read_text())
INHERITED = ("PATH", "HOME", "TMPDIR", "SUBJECT", "PROGRAM", "RUST_LOG", "RUST_BACKTRACE")
READY_SECONDS = 15
EXIT_SECONDS = 5
LOG_TAIL_LINES = 40

# Long enough for a busy machine: reaching it is a failure, never a pace.
DEADLINE_SECONDS = 10


def target_names():
    """The targets that `TARGETS` names; a name that does not exist is an error."""
    names = (os.environ.get("TARGETS") or "reference,subject").split(",")
    for name in names:
        if name not in COMMANDS:
            raise ValueError(f'TARGETS: there is no target "{name}"')
    return names


def until(what, ask, seconds=DEADLINE_SECONDS):
    """Asks again and again until the answer is truthy."""
    end = time.monotonic() + seconds
    while True:
        found = ask()
        if found:
            return found
        assert time.monotonic() < end, f"deadline of {seconds} s: {what}"
        time.sleep(0.01)


class Inbox:
    """Collects what comes in under names, so that nothing is lost between two waits."""

    def __init__(self):
        self.order = []
        self._queues = {}

    def put(self, name, value=None):
        self.order.append(name)
        self._queue(name).put(value)

    def _queue(self, name):
        return self._queues.setdefault(name, queue.Queue())

    def next(self, name, seconds=DEADLINE_SECONDS):
        try:
            return self._queue(name).get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f'deadline of {seconds} s: no "{name}"; arrived: {self.order[-20:]}') from None

    def left(self, name):
        """What has arrived under this name and was not taken yet."""
        return list(self._queue(name).queue)


class Server:
    """One server process under test: started on a free port, killed with its group."""

    def __init__(self, target, **env):
        self.target = target
        self.env = env
        self.process = None
        self.port = None
        self._log = tempfile.NamedTemporaryFile(prefix=f"greenroom-{target}-", suffix=".log", delete=False)

    @property
    def url(self):
        return f"http://{HOST}:{self.port}"

    def start(self, port=None):
        self.port = port or free_port()
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self.process = subprocess.Popen(
            ["sh", "-c", f"exec {COMMANDS[self.target]}"],
            cwd=ROOT,
            env={**inherited, "HOST": HOST, "PORT": str(self.port), **self.env},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        until(f"{self.target} is not ready", self._is_ready, READY_SECONDS)
        return self

    def _is_ready(self):
        assert self.process.poll() is None, f"{self.target} ended\n{self.log()}"
        handshake = f"{self.url}/socket.io/?EIO=4&transport=polling"
        try:
            with urllib.request.urlopen(handshake, timeout=1) as answer:
                sid = json.loads(answer.read()[1:])["sid"]
            urllib.request.urlopen(f"{handshake}&sid={sid}", data=b"1", timeout=1).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    def kill(self, number=signal.SIGKILL):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def stop(self):
        """Ends the server. One that died before, does not obey, or has panicked, is a failure."""
        assert self.process.poll() is None, f"{self.target} ended by itself\n{self.log()}"
        self.kill(signal.SIGTERM)
        try:
            self.process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.target} ignores SIGTERM\n{self.log()}") from None
        finally:
            self.kill()
        assert "panicked at" not in Path(self._log.name).read_text(), self.log()

    def log(self):
        """The last lines the server printed."""
        lines = Path(self._log.name).read_text().splitlines()
        return "\n".join([f"--- log of {self.target} ({self._log.name})", *lines[-LOG_TAIL_LINES:]])


def free_port():
    """A port below the range that the kernel hands out to outgoing connections."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) != 0:
                return port
