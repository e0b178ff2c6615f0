"""What an axis is: something that grows, and what is measured of the server while it does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

# All axes by their names, in the order of the documentation.
AXES = {}


@dataclass(frozen=True)
class Axis:
    """The first column is what grows; a second one of words tells lines of a plot apart.

    What stands before a colon in the name of a column is measured in the same unit as that of others, and drawn with them.
    """

    columns: tuple[str, ...]
    rows: Callable[["Size"], Iterator[list]]


@dataclass(frozen=True)
class Size:
    """How much is measured: all of it, or as little as shows that it works."""

    is_small: bool

    def few(self, values):
        return values[:2] if self.is_small else values

    def either(self, all_of_it, little):
        return little if self.is_small else all_of_it

    def measured(self, seconds=10, warm_up_s=2):
        """Arguments for how long messages are measured."""
        seconds, warm_up_s = self.either((seconds, warm_up_s), (1, min(warm_up_s, 0.2)))
        return ["--warm-up", f"{warm_up_s * 1000:.0f}ms", "--duration", f"{seconds}s"]


def axis(*columns):
    """Registers a generator of rows as the axis of its name."""

    def register(rows):
        AXES[rows.__name__] = Axis(columns, rows)
        return rows

    return register
