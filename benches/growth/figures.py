"""What was measured, as it is kept in benches/growth.json, and its tables in docs/performance.md."""

import json
import os
import platform
import re
import subprocess
from pathlib import Path

class Wrong(Exception):
    """Figures and documentation do not belong together; the text says what to do."""


class Files:
    """Where everything is, below the folder of the project."""

    def __init__(self, root):
        self.figures = root / "benches" / "growth.json"
        self.docs = root / "docs" / "performance.md"
        self.plots = root / "docs" / "growth"


def machine():
    """What else decides about the figures, in a line."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", info)
    # What a distribution appends says nothing about how fast it is.
    linux = re.match(r"[\d.]+", platform.release())[0]
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    return f"{os.cpu_count()} cores of {model[1] if model else platform.machine()}, Linux {linux}, rustc {rustc}"


def read(path):
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {"machine": None, "axes": {}}


def write(path, figures):
    """Each row of a table is a line, so that one sees what has changed."""
    axes = []
    for name, axis in figures["axes"].items():
        rows = ",\n".join(f"        {line(row)}" for row in axis["rows"])
        axes.append(f'    {line(name)}: {{\n      "columns": {line(axis["columns"])},\n      "rows": [\n{rows}\n      ]\n    }}')
    joined = ",\n".join(axes)
    path.write_text(f'{{\n  "machine": {line(figures["machine"])},\n  "axes": {{\n{joined}\n  }}\n}}\n')


def line(value):
    return json.dumps(value, ensure_ascii=False)


def kept_until(path, names):
    """What is kept until these are measured anew. All of it is of one machine; of another, nothing stays."""
    kept, here = read(path), machine()
    if kept["machine"] == here:
        return kept
    if not kept["axes"].keys() <= set(names):
        raise Wrong(f"the figures are of {kept['machine']}, and this is {here}: measure all axes")
    return {"machine": here, "axes": {}}


def table(axis):
    """In Markdown."""
    rows = zip(*(cells(column) for column in zip(*axis["rows"], strict=True)), strict=True)
    return "\n".join([head(axis["columns"]), *(row_of(row) for row in rows)])


def head(columns):
    return f"{row_of(columns)}\n|{'--:|' * len(columns)}"


def row_of(cells):
    return f"| {' | '.join(cells)} |"


def cells(column):
    """As many digits behind the point in each cell of a column."""
    places = max((len(f"{cell}".partition(".")[2]) for cell in column if isinstance(cell, float)), default=0)
    return [written(cell, places) for cell in column]


def written(cell, places=2):
    if isinstance(cell, float):
        return f"{cell:.{places}f}"
    return "" if cell is None else f"{cell}"


def blocks(kept):
    """What is to stand in the documentation, by the names of the places."""
    of_axes = {name: f"{table(axis)}\n\n![The same, drawn](growth/{name}.svg)" for name, axis in kept["axes"].items()}
    return {"machine": f"Measured on {kept['machine']}.", **of_axes}


# A block of the documentation: its name, and what stands in it.
PLACE = re.compile(r"<!-- growth: (\w+) -->\n(.*?)<!-- end -->\n", re.DOTALL)


def standing(text):
    """What stands in the documentation, by the names of the places."""
    return {found[1]: found[2].strip("\n") for found in PLACE.finditer(text)}


def filled(text, blocks):
    """The text of the documentation with each block in its place."""
    missing = blocks.keys() - standing(text).keys()
    if missing:
        raise Wrong(f"docs/performance.md has no place for {', '.join(sorted(missing))}: <!-- growth: NAME --> and <!-- end -->")

    def block(found):
        return f"<!-- growth: {found[1]} -->\n\n{blocks.get(found[1], '')}\n\n<!-- end -->\n"

    return PLACE.sub(block, text)
