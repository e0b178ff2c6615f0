"""Autobahn's cases against the raw WebSocket echo."""

import subprocess
import sys
from pathlib import Path

from harness import HOST

ENV = {"WS_ECHO_PATH": "/echo"}

# Without permessage-deflate, which groups 12 and 13 are about.
CASES = ["-x", "12.*", "-x", "13.*"]


def test_all_cases_pass(server, tmp_path):
    command = [str(Path(sys.executable).with_name("kosoku")), "-p", "2", *CASES, "-o", str(tmp_path)]
    run = subprocess.run([*command, f"ws://{HOST}:{server.port}/echo"], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    assert "301 cases passed" in run.stdout
