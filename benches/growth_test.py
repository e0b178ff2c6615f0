"""Figures, tables and plots of benches/growth belong together: those of the project, and copies that are spoilt."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.dom.minidom
from pathlib import Path

BENCHES = Path(__file__).resolve().parent
ROOT = BENCHES.parent

sys.dont_write_bytecode = True
sys.path.insert(0, str(BENCHES / "growth"))
import figures  # noqa: E402, it is in a folder of its own


def growth(*args):
    return subprocess.run([sys.executable, BENCHES / "growth", *args], capture_output=True, text=True, timeout=60)


class Growth(unittest.TestCase):
    def setUp(self):
        """A copy of what is kept and drawn."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.figures = self.root / "benches" / "growth.json"
        self.docs = self.root / "docs" / "performance.md"
        self.plots = self.root / "docs" / "growth"
        self.figures.parent.mkdir()
        shutil.copy(BENCHES / "growth.json", self.figures)
        shutil.copytree(ROOT / "docs" / "growth", self.plots)
        shutil.copy(ROOT / "docs" / "performance.md", self.docs)

    def spoil(self, path, pattern, replacement):
        text, n = re.subn(pattern, replacement, path.read_text(), count=1)
        self.assertEqual(n, 1, f"{path} has {pattern}")
        path.write_text(text)

    def change(self, change):
        """Lets somebody change the axes of the figures."""
        kept = json.loads(self.figures.read_text())
        change(kept["axes"])
        self.figures.write_text(json.dumps(kept))

    def check(self):
        done = growth("--check", "--root", self.root)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def assert_fails(self, *texts):
        code, said = self.check()
        self.assertEqual(code, 1, said)
        for text in texts:
            self.assertIn(text, said)
        return said

    def assert_passes(self):
        self.assertEqual(self.check(), (0, ""))

    def test_what_is_committed_belongs_together(self):
        done = growth("--check")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_a_figure_that_was_not_drawn_fails_until_it_is(self):
        self.change(lambda axes: axes["members"]["rows"][0].__setitem__(1, 12.34))
        said = self.assert_fails("the table of members in", "docs/growth/members.svg is not what the figures say: --plot")
        self.assertEqual(len(said.splitlines()), 2, said)
        self.assertEqual(growth("--plot", "--root", self.root).returncode, 0)
        self.assert_passes()
        self.assertIn("| 2 | 12.34 |", self.docs.read_text())

    def test_another_machine_in_the_documentation_fails(self):
        self.spoil(self.docs, r"Measured on .* cores", "Measured on 96 cores")
        self.assert_fails("the table of machine in docs/performance.md is not what the figures say")

    def test_a_table_that_somebody_has_edited_fails(self):
        self.spoil(self.docs, r"\| 262144 \|", "| 262145 |")
        self.assert_fails("the table of sizes in docs/performance.md is not what the figures say")

    def test_a_plot_that_is_missing_or_another_or_too_much_fails(self):
        (self.plots / "rooms.svg").unlink()
        (self.plots / "sizes.svg").write_text("<svg/>")
        (self.plots / "old.svg").write_text("<svg/>")
        said = self.assert_fails("growth/rooms.svg", "growth/sizes.svg", "growth/old.svg")
        self.assertEqual(len(said.splitlines()), 3, said)
        self.assertEqual(growth("--plot", "--root", self.root).returncode, 0)
        self.assert_passes()

    def test_an_axis_without_figures_and_figures_without_an_axis_fail(self):
        self.change(lambda axes: axes.__setitem__("moons", axes.pop("nodes")))
        self.assert_fails("nodes has no figures: --save nodes", "there is no axis moons", "the table of nodes", "growth/moons.svg")
        done = growth("--plot", "--root", self.root)
        self.assertEqual(done.returncode, 2)
        self.assertIn("docs/performance.md has no place for moons", done.stderr)

    def test_an_axis_of_other_columns_fails(self):
        self.change(lambda axes: axes["workers"]["columns"].__setitem__(1, "ns per message"))
        self.assert_fails("workers is measured by other columns now: --save workers")

    def test_figures_that_do_not_bear_out_what_is_claimed_fail(self):
        def worse(axes):
            columns = axes["stalled"]["columns"]
            p99 = columns.index("latency ms: p99")
            axes["stalled"]["rows"][-1][p99] = axes["stalled"]["rows"][0][p99] * 1.2
            axes["cycles"]["rows"][-1][1] = axes["cycles"]["rows"][-2][1] * 1.2

        self.change(worse)
        self.assert_fails("stalled: p99 is ", "cycles: ")

    def test_figures_stay_until_there_are_others_and_are_of_one_machine(self):
        kept = figures.read(self.figures)
        everything = list(kept["axes"])
        figures.write(self.figures, {**kept, "machine": figures.machine()})
        self.assertEqual(figures.kept_until(self.figures, ["nodes"])["axes"], kept["axes"])
        figures.write(self.figures, {**kept, "machine": "an abacus"})
        with self.assertRaisesRegex(figures.Wrong, "are of an abacus, and this is .*: measure all axes"):
            figures.kept_until(self.figures, ["nodes"])
        self.assertEqual(figures.kept_until(self.figures, everything), {"machine": figures.machine(), "axes": {}})

    def test_plots_are_whole(self):
        axes = json.loads(self.figures.read_text())["axes"]
        for name, axis in axes.items():
            with self.subTest(name):
                svg = (self.plots / f"{name}.svg").read_text()
                self.assertLess(len(svg), 20_000)
                self.assertNotRegex(svg, "nan|inf|None")
                picture = xml.dom.minidom.parseString(svg)
                texts = [text.firstChild.data for text in picture.getElementsByTagName("text")]
                self.assertIn(axis["columns"][0].split()[0], " ".join(texts))
                # A point for each number, but those of what grows.
                numbers = [cell for row in axis["rows"] for cell in row[1:] if isinstance(cell, int | float)]
                self.assertEqual(len(picture.getElementsByTagName("circle")), len(numbers))
                width, height = (float(picture.documentElement.getAttribute(side)) for side in ("width", "height"))
                for circle in picture.getElementsByTagName("circle"):
                    x, y = (float(circle.getAttribute(at)) for at in ("cx", "cy"))
                    self.assertTrue(0 < x < width and 0 < y < height, (x, y))

    def test_what_is_not_there_is_said(self):
        for args, told in [(["moons"], "there is no axis moons"), (["--plot", "nodes"], "for all axes"), (["--save", "--small"], "not allowed")]:
            done = growth(*args)
            self.assertEqual(done.returncode, 2)
            self.assertIn(told, done.stderr)

    def test_all_axes_are_listed(self):
        axes = json.loads(self.figures.read_text())["axes"]
        self.assertEqual(growth("--list").stdout.split(), list(axes))


if __name__ == "__main__":
    unittest.main()
