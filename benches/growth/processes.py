"""The processes of a measurement: servers, what loads them, and what the system knows of both."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
DEADLINE_S = 20
# What one address can be connected from is some 28000 ports, and a server without an address of its own leaves few.
SOURCES = [argument for n in range(2, 6) for argument in ("--source", f"127.0.0.{n}")]


def build():
    """The programs; it is an error if one that others have made is missing."""
    for program in ("redis-server", "strace"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: apt-get install {program}")
    command = ["cargo", "build", "--locked", "--release", "--bin", "greenroom", "--example", "fixture"]
    subprocess.run(command, cwd=ROOT, check=True)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(stack, command, port, **env):
    """A process that listens on the port, ended with the stack."""
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"{command[0]} does not listen")
            time.sleep(0.02)


def serve(stack, **env):
    """A server: its port and process."""
    port = free_port()
    env = {"FIXTURE": "load", "RUST_LOG": "error", "HOST": "127.0.0.1", "PORT": str(port), "WORKERS": "1", **env}
    return port, start(stack, [RELEASE / "examples" / "fixture"], port, **env)


def redis(stack):
    """A Redis: its port and process."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    port = free_port()
    return port, start(stack, ["redis-server", "--port", f"{port}", "--save", "", "--dir", folder], port)


def begin(port, pids, arguments):
    """A run of `greenroom bench`."""
    command = [RELEASE / "greenroom", "bench", *map(str, arguments), f"http://127.0.0.1:{port}", "--json", *SOURCES]
    command += [f"--pid={pid}" for pid in pids]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def report_of(bench):
    """What it says at its end; it is an error if a message is missing."""
    out, err = bench.communicate()
    if bench.returncode != 0:
        sys.exit(f"{' '.join(map(str, bench.args))}\n{err}{out[:2000]}")
    return json.loads(out)


def load(port, pids, arguments):
    return report_of(begin(port, pids, arguments))


def cpu_s(pid):
    """Seconds that the threads of a process have run."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def fields(path):
    """A file of /proc that has a name and a value in each line."""
    return dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)


def rss_kib(pid):
    """Memory of a process."""
    return int(fields(Path(f"/proc/{pid}/status"))["VmRSS"].split()[0])


def switches(pid):
    """How often its threads have waited, and how often they were made to."""
    tasks = [fields(task / "status") for task in Path(f"/proc/{pid}/task").iterdir()]
    names = ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")
    return tuple(sum(int(task[name]) for task in tasks) for name in names)


def system_calls_a_second(pid, seconds):
    """What strace counts; the process is slower meanwhile, so that nothing else can be measured."""
    with tempfile.NamedTemporaryFile() as file:
        command = ["strace", "-f", "-c", "-o", file.name, "-p", f"{pid}"]
        begun = time.monotonic()
        tracer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(seconds)
        seconds = time.monotonic() - begun
        tracer.send_signal(signal.SIGINT)
        said = tracer.communicate()[1]
        # The last line is the sum: % time, seconds, µs for each, calls, perhaps errors, and "total".
        lines = Path(file.name).read_text().splitlines()
    total = lines[-1].split() if lines else []
    if not total or total[-1] != "total":
        sys.exit(f"strace has counted nothing: {said}")
    return int(total[3]) / seconds


def waiting(port):
    """The connections to a port of 127.0.0.1 that are there: how many bytes the kernel keeps of each that nobody has taken."""
    # As the kernel writes it, in the order of bytes of this machine; clients may have the port too, with other addresses.
    address = int.from_bytes(socket.inet_aton("127.0.0.1"), sys.byteorder)
    server = f"{address:08X}:{port:04X}"
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, queues, *_ = line.split()
        sent, received = (int(n, 16) for n in queues.split(":"))
        # Established; what was sent and not acknowledged at its one end, what was not read at the other.
        if state == "01" and local == server:
            found[remote] = found.get(remote, 0) + sent
        elif state == "01" and remote == server:
            found[local] = found.get(local, 0) + received
    return found
