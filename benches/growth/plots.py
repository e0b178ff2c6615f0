"""Which lines of an axis are drawn into which panel."""

import chart


def plot(name, axis):
    """The picture of an axis, as the text of an SVG document."""
    grows, *columns = axis["columns"]
    rows = axis["rows"]
    kinds = [row[1] if isinstance(row[1], str) else None for row in rows]
    if kinds[0] is not None:
        columns = columns[1:]
    first = len(axis["columns"]) - len(columns)
    panels = {}
    for place, column in enumerate(columns, first):
        unit, _, what = column.partition(": ")
        for kind in dict.fromkeys(kinds):
            points = [(row[0], row[place]) for row, of in zip(rows, kinds, strict=True) if of == kind and row[place] is not None]
            if points:
                title = unit if what else column
                panels.setdefault(title, {})[", ".join(filter(None, (what, kind)))] = points
    values = [row[0] for row in rows]
    return chart.draw(name, grows, values, [chart.Panel(title, lines) for title, lines in panels.items()])
