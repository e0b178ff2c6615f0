"""benches/check fails when it should, and only then: with the real program, and copies of the figures that are spoilt."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

BENCHES = Path(__file__).resolve().parent
FIGURES = (BENCHES / "figures.toml").read_text()

# Quick, and each has allocations.
PIECE, OTHER = "event_decode", "ack_encode"


def spoilt(piece, key, change):
    """The figures with one of them changed."""
    figure = re.compile(rf"(\[{piece}\][^\[]*?{key} = )([\d.]+)")
    text, n_changed = figure.subn(lambda found: f"{found[1]}{change(float(found[2]))}", FIGURES)
    assert n_changed == 1, f"{piece} has a figure"
    return text


def check(figures, *args, env=None):
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(figures)
        file.flush()
        command = [BENCHES / "check", "--figures", file.name, *args]
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=600)


class Check(unittest.TestCase):
    def assert_fails(self, done, *texts):
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for text in texts:
            self.assertIn(text, done.stdout)

    def test_what_is_as_it_was_passes(self):
        done = check(FIGURES, PIECE, OTHER)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, rf"{PIECE} .*\n{OTHER} ")

    def test_what_costs_15_percent_more_fails(self):
        figures = spoilt(PIECE, "instructions", lambda n: round(n / 1.15))
        self.assert_fails(check(figures, PIECE, OTHER), "FAILED: 15% more instructions than")
        self.assertEqual(check(figures, OTHER).returncode, 0, "the other one is as it was")

    def test_what_costs_8_percent_more_or_much_less_passes(self):
        for factor in (1.08, 0.5):
            done = check(spoilt(PIECE, "instructions", lambda n: round(n / factor)), PIECE)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_one_allocation_more_fails(self):
        figures = spoilt(PIECE, "allocations", lambda n: n - 1)
        self.assert_fails(check(figures, PIECE), "FAILED: more allocations than")

    def test_figures_and_pieces_belong_together(self):
        self.assert_fails(check(FIGURES.replace(f"[{PIECE}]", "[gone]"), PIECE), "has no figure", "no such piece")

    def test_two_counts_differ_by_less_than_half_a_percent(self):
        lines = check(FIGURES).stdout.splitlines()
        again = check(FIGURES).stdout.splitlines()
        counted = re.compile(r"(\w+) +([\d,]+) instructions")
        for first, second in zip(lines, again, strict=True):
            name, one = counted.match(first).groups()
            other = counted.match(second)[2]
            one, other = (int(count.replace(",", "")) for count in (one, other))
            self.assertLess(abs(one - other), one * 0.005 + 1, name)

    def test_what_is_missing_is_said(self):
        python = subprocess.run(["which", "python3"], capture_output=True, text=True).stdout.strip()
        with tempfile.TemporaryDirectory() as path:
            os.symlink(python, Path(path) / "python3")
            done = check(FIGURES, env={"PATH": path})
        self.assertEqual(done.returncode, 2)
        self.assertIn("apt-get install valgrind", done.stderr)

    def test_a_piece_that_is_not_there_is_said(self):
        done = check(FIGURES, "nothing_like_that")
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no piece nothing_like_that", done.stderr)


if __name__ == "__main__":
    unittest.main()
