"""Measures what the server needs as work grows, one axis at a time.

python3 benches/growth [AXIS ...]    all axes, or some; prints a table of each in Markdown
python3 benches/growth --save        keeps what it measures in benches/growth.json
python3 benches/growth --plot        from that file, the plots in docs/growth and the tables of docs/performance.md
python3 benches/growth --check       fails if these are not what the file says, or the file lacks something
python3 benches/growth --list        the axes

The server is examples/fixture in the release profile (FIXTURE=load), the load is `greenroom bench`, both of this folder; for nodes
a redis-server is started, and strace counts system calls. Each row is a run against a server that was started for it. The time is
that of the server's process, the kernel's work for it included, for each message in or out; on a machine where others are at work
only the proportions count.
"""

import argparse
import sys

# The folder is not written to by whoever only looks.
sys.dont_write_bytecode = True

from pathlib import Path

import claims
import clients  # noqa: F401, its axes
import figures
import messages  # noqa: F401, its axes
import plots
import processes
from axis import AXES, Size

# As the documentation has them.
ORDER = ("connections", "cycles", "talkers", "members", "stalled", "rooms", "sizes", "workers", "nodes")


def measure(name, size):
    """Prints what it measures as it comes."""
    axis = AXES[name]
    print(figures.head(axis.columns), flush=True)
    rows = []
    for row in axis.rows(size):
        rows.append(row)
        print(figures.row_of(map(figures.written, row)), flush=True)
    print()
    return {"columns": list(axis.columns), "rows": rows}


def save(path, names):
    """Axis by axis, so that what ends it early leaves those that are done, and of the others what there was."""
    kept = figures.kept_until(path, names)
    for name in names:
        kept["axes"][name] = measure(name, Size(is_small=False))
        axes = {name: kept["axes"][name] for name in ORDER if name in kept["axes"]}
        figures.write(path, {**kept, "axes": axes})


def pictures(kept):
    return {f"{name}.svg": plots.plot(name, axis) for name, axis in kept["axes"].items()}


def plot(files):
    kept = figures.read(files.figures)
    files.docs.write_text(figures.filled(files.docs.read_text(), figures.blocks(kept)))
    files.plots.mkdir(exist_ok=True)
    drawn = pictures(kept)
    for old in files.plots.iterdir():
        if old.name not in drawn:
            old.unlink()
    for name, svg in drawn.items():
        (files.plots / name).write_text(svg)


def problems(files):
    """Why figures, tables and plots do not belong together."""
    kept = figures.read(files.figures)
    axes = kept["axes"]
    for name in ORDER:
        if name not in axes:
            yield f"{name} has no figures: --save {name}"
        elif tuple(axes[name]["columns"]) != AXES[name].columns:
            yield f"{name} is measured by other columns now: --save {name}"
    for name in axes.keys() - set(ORDER):
        yield f"there is no axis {name}, but figures"
    yield from claims.broken(axes)
    yield from differing(figures.blocks(kept), figures.standing(files.docs.read_text()), "the table of {} in docs/performance.md")
    there = {path.name: path.read_text() for path in files.plots.glob("*")}
    yield from differing(pictures(kept), there, "docs/growth/{}")


def differing(expected, there, what):
    for name in sorted(expected.keys() | there.keys()):
        if expected.get(name) != there.get(name):
            yield f"{what.format(name)} is not what the figures say: --plot"


def main():
    parser = argparse.ArgumentParser(prog="benches/growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("axes", nargs="*", metavar="AXIS", help=", ".join(ORDER))
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--save", action="store_true", help="keep what is measured")
    what.add_argument("--small", action="store_true", help="little of everything, to see that it works")
    what.add_argument("--plot", action="store_true", help="draw what is kept")
    what.add_argument("--check", action="store_true", help="compare what is kept with what is drawn")
    what.add_argument("--list", action="store_true", help="the axes, and nothing else")
    parser.add_argument("--root", type=Path, default=processes.ROOT, help="figures and documentation of another folder")
    options = parser.parse_args()
    files = figures.Files(options.root)
    for name in options.axes:
        if name not in AXES:
            parser.error(f"there is no axis {name}: {', '.join(ORDER)}")
    if options.axes and (options.plot or options.check or options.list):
        parser.error("that is for all axes")
    if options.list:
        print("\n".join(ORDER))
    elif options.plot:
        plot(files)
    elif options.check:
        found = list(problems(files))
        for problem in found:
            print(problem)
        return 1 if found else 0
    else:
        processes.build()
        names = options.axes or ORDER
        if options.save:
            save(files.figures, names)
        else:
            for name in names:
                measure(name, Size(options.small))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except figures.Wrong as err:
        print(err, file=sys.stderr)
        sys.exit(2)
