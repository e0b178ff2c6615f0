"""Draws panels side by side, as the text of an SVG document, for light and dark pages."""

import textwrap
from dataclasses import dataclass
from html import escape

import scale

WIDTH, HEIGHT = 380, 270
LEFT, RIGHT, TOP, BOTTOM = 52, 30, 46, 52
# Of a letter, at most.
LETTER = 6.5

# The page may be light or dark, and need not be what the reader's system is: a picture brings its own ground. What tells
# lines apart is more than their colour.
STYLE = """
svg{font:11px sans-serif;--ground:#fff;--ink:#1f2328;--grid:#d8dee4;--a:#1f6feb;--b:#b35900;--c:#1a7f37}
@media(prefers-color-scheme:dark){svg{--ground:#0d1117;--ink:#e6edf3;--grid:#3d444d;--a:#58a6ff;--b:#f0883e;--c:#3fb950}}
text{fill:var(--ink)}.ground{fill:var(--ground)}.grid{stroke:var(--grid)}.end{text-anchor:end}.middle{text-anchor:middle}
.title{font-weight:bold}.line{fill:none;stroke-width:2}
.a{stroke:var(--a)}.b{stroke:var(--b);stroke-dasharray:6 3}.c{stroke:var(--c);stroke-dasharray:2 2}
circle{stroke:none}circle.a{fill:var(--a)}circle.b{fill:var(--b)}circle.c{fill:var(--c)}
"""


@dataclass(frozen=True)
class Panel:
    """Lines of the same unit over what grows."""

    title: str
    # By name; one that is alone needs none.
    lines: dict[str, list[tuple[float, float]]]


def draw(name, grows, values, panels):
    """What grows has these values, on all panels."""
    x = scale.by_factors(values)
    n_columns = min(2, len(panels))
    width, height = WIDTH * n_columns, HEIGHT * -(-len(panels) // n_columns)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">']
    out += [f"<title>{escape(name)}</title>", f"<style>{STYLE}</style>", f'<rect class="ground" width="{width}" height="{height}"/>']
    for n, panel in enumerate(panels):
        out.append(f'<g transform="translate({WIDTH * (n % n_columns)} {HEIGHT * (n // n_columns)})">')
        out += [*drawn(panel, grows, x), "</g>"]
    return "\n".join([*out, "</svg>"]) + "\n"


def drawn(panel, grows, x):
    y = scale.of([value for points in panel.lines.values() for _, value in points])

    def across(value):
        return round(LEFT + x.place(value) * (WIDTH - LEFT - RIGHT), 1)

    def up(value):
        return round(HEIGHT - BOTTOM - y.place(value) * (HEIGHT - TOP - BOTTOM), 1)

    yield text(LEFT, 18, panel.title, "title")
    if len(panel.lines) > 1:
        yield from legend(panel.lines)
    for tick in y.ticks:
        yield rule(LEFT, up(tick), WIDTH - RIGHT, up(tick))
        yield text(LEFT - 6, up(tick) + 4, number(tick), "end")
    # From the right: the largest is always written, and what would run into it is not.
    free = WIDTH
    for tick in reversed(x.ticks):
        yield rule(across(tick), TOP, across(tick), HEIGHT - BOTTOM)
        half = len(number(tick)) * LETTER / 2 + 4
        if across(tick) + half <= free:
            yield text(across(tick), HEIGHT - BOTTOM + 16, number(tick), "middle")
            free = across(tick) - half
    for n, part in enumerate(textwrap.wrap(grows, 60)):
        yield text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 32 + 13 * n, part, "middle")
    for mark, points in zip("abc", panel.lines.values(), strict=False):
        # Zero stands apart from the others.
        joined = [f"{across(value)},{up(measured)}" for value, measured in points if value > 0]
        yield f'<polyline class="line {mark}" points="{" ".join(joined)}"/>'
        yield from (f'<circle class="{mark}" cx="{across(value)}" cy="{up(measured)}" r="3"/>' for value, measured in points)


def legend(names):
    at = LEFT
    for mark, name in zip("abc", names, strict=False):
        yield f'<path class="line {mark}" d="M{at} 32h22"/>'
        yield text(at + 27, 36, name)
        at += 27 + len(name) * LETTER + 14


def rule(x1, y1, x2, y2):
    return f'<path class="grid" d="M{x1} {y1}L{x2} {y2}"/>'


def text(x, y, words, kind=None):
    kind = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{kind}>{escape(words)}</text>'


def number(value):
    """Short, as it stands beside an axis."""
    return f"{value:,.10g}".replace(",", " ") if value >= 10_000 else f"{value:.10g}"
