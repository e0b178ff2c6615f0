"""Where a number is on an axis of a plot, and which numbers are written beside it."""

import math


class Scale:
    """From 0 to 1."""

    def __init__(self, place, ticks):
        self.place = place
        self.ticks = ticks


def by_factors(values):
    """For what grows by factors. Zero has no place on such a scale: it gets one of its own, at the left end."""
    above = sorted({value for value in values if value > 0})
    low, high = math.log(above[0]), math.log(above[-1])
    width = high - low or 1
    start = 0.14 if min(values) == 0 else 0

    def place(value):
        return 0 if value == 0 else start + (1 - start) * (math.log(value) - low) / width

    return Scale(place, sorted(set(values)))


def of(values):
    """For what was measured: from zero; or, if it lies further apart than one can see then, by factors."""
    low, high = min(values), max(values)
    if low > 0 and high > 8 * low:
        return decades(low, high)
    step = nice(high / 4 or 1)
    top = step * math.ceil(high / step) or 1
    return Scale(lambda value: value / top, [step * n for n in range(round(top / step) + 1)])


def decades(low, high):
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = [digit * 10**power for power in powers for digit in (1, 2, 5)]
    # Not a whole power of ten more than there is to see.
    begin = max(step for step in steps if step <= low)
    end = min(step for step in steps if step >= high)
    width = math.log(end / begin)
    ticks = [step for step in steps if begin <= step <= end]
    if len(ticks) > 7:
        ticks = [10**power for power in powers if begin <= 10**power <= end]
    return Scale(lambda value: math.log(value / begin) / width, ticks)


def nice(step):
    """The next of 1, 2, 5, 10, 20 and so on."""
    power = 10 ** math.floor(math.log10(step))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= step * 0.999)
