"""What the documentation says of the figures, so that figures that say something else are noticed."""


def stalled(rows):
    """Who reads does not notice who does not; and that one costs no more than its cap and what the kernel keeps."""
    (_, _, p99, _, mib, *_), *others = rows
    for n, _, now, _, more, in_kernel, gone_after in others:
        yield now <= p99 * 1.1, f"p99 is {now} ms with {n}, and {p99} without"
        # What the allocator does not give back differs between two runs of the same.
        yield more - mib <= n * 0.25 + 2, f"{n} cost {more - mib:.1f} MiB, and have 0.25 each"
        yield in_kernel is not None and in_kernel <= 256, f"the kernel keeps {in_kernel} KiB for each of {n}"
        yield gone_after is not None and gone_after < 40, f"{n} are there for {gone_after} s"


def cycles(rows):
    """No growth: a hundred thousand leave what ten thousand have left."""
    *_, (n, before, _), (more, after, _) = rows
    yield after <= before * 1.05, f"{after} MiB after {more} cycles, and {before} after {n}"


def connections(rows):
    """Idle ones cost the same, however many there are, but for what the server needs for itself, and their heartbeats little."""
    per_connection = [row[3] / row[0] for row in rows if row[0] >= 1000]
    yield max(per_connection) <= 2.5 * min(per_connection), f"idle connections cost from {min(per_connection)} to {max(per_connection)} %"
    (n, _, _, idle, *_) = rows[-1]
    yield idle < 2, f"{n} idle connections cost {idle} % of a core"


CLAIMS = {"stalled": stalled, "cycles": cycles, "connections": connections}


def broken(axes):
    """Which of them the figures do not bear out."""
    for name, claim in CLAIMS.items():
        if name in axes:
            yield from (f"{name}: {why}" for is_so, why in claim(axes[name]["rows"]) if not is_so)
