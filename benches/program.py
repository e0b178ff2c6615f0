"""The programs of the benches: how they are built and run."""

import json
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Uncountable(Exception):
    """Something is missing or does not work; the text says what to do."""


def output_of(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise Uncountable(f"{' '.join(map(str, command))} failed:\n{done.stderr}{done.stdout}")
    return done


def build(name):
    """The program of this bench."""
    if not shutil.which("cargo"):
        raise Uncountable("cargo is missing: https://rustup.rs")
    command = ["cargo", "bench", "--locked", "--features", "_bench", "--bench", name, "--no-run", "--message-format=json"]
    # What cargo says while it compiles is for whoever waits.
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Uncountable("the benches do not compile")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    programs = [message["executable"] for message in messages if message.get("target", {}).get("name") == name]
    return next(program for program in programs if program)
