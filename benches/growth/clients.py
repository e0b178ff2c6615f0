"""Axes of clients: those who are there, those who come and go, and those who do not read."""

import statistics
import sys
import time
from contextlib import ExitStack

from axis import axis
from messages import CONNECT_RATE, EVERYBODY, LATENCY, ROOM, cells
from processes import begin, cpu_s, load, report_of, rss_kib, serve, switches, system_calls_a_second, waiting

# How often a run is looked at: often enough to see who is disconnected after 25 s.
LOOKS_EVERY_S = 5


@axis(
    "connections",
    "KiB each",
    "µs for each handshake",
    "% of a core, idle with heartbeats",
    "switches a second, idle: voluntary",
    "switches a second, idle: involuntary",
    "system calls a second, idle",
)
def connections(size):
    # Each client gets a heartbeat every 25 s, and those who came together get theirs together.
    seconds = size.either(25, 1)
    for n in size.few((0, 1000, 2000, 5000, 10_000, 15_000)):
        with ExitStack() as stack:
            port, process = serve(stack)
            before = cpu_s(process.pid)
            coming = n / CONNECT_RATE + 1
            if n > 0:
                arguments = ["connect", "--connections", n, "--rate", CONNECT_RATE, "--duration", f"{2 * seconds + 4}s"]
                bench = begin(port, [process.pid], arguments)
                time.sleep(coming)
            connected, waited = cpu_s(process.pid), switches(process.pid)
            time.sleep(seconds)
            idle = (cpu_s(process.pid) - connected) / seconds * 100
            a_second = [round((now - then) / seconds, 1) for now, then in zip(switches(process.pid), waited, strict=True)]
            calls = round(system_calls_a_second(process.pid, seconds), 1)
            cost = [None, None]
            if n > 0:
                kib = report_of(bench)["server"]["bytes_per_connection"] / 1024
                cost = [round(kib, 2), round((connected - before) / n * 1e6)]
        yield [n, *cost, round(idle, 2), *a_second, calls]


@axis("cycles of connect, join, leave, disconnect", "MiB of the server", "µs for each cycle")
def cycles(size):
    n_clients = size.either(1000, 100)
    arguments = [*ROOM, "--leave-event", "leave", "--connections", n_clients, "--rooms", n_clients // 10]
    arguments += ["--warm-up", "0s", "--duration", "0s", "--connect-rate", CONNECT_RATE]
    done = 0
    with ExitStack() as stack:
        port, process = serve(stack)
        for n in size.either((1000, 10_000, 100_000), (100, 300)):
            before, n_before = cpu_s(process.pid), done
            while done < n:
                load(port, [], arguments)
                done += n_clients
            us = (cpu_s(process.pid) - before) / (done - n_before) * 1e6
            yield [n, round(settled_kib(process.pid) / 1024, 2), round(us)]


def settled_kib(pid):
    """Memory when what was given back is."""
    least = rss_kib(pid)
    for _ in range(20):
        time.sleep(0.1)
        least = min(least, rss_kib(pid))
    return least


# What the server keeps for a client that does not read: little, so that the run need not take minutes.
OUTBOX_KIB = 256


@axis(
    "readers that stall, beside 5000 that hear 4 broadcasts of 4 KiB a second",
    *LATENCY,
    "µs per message",
    "MiB of the server at most",
    "KiB in the kernel for each that stalls",
    "s until the last of them is disconnected",
)
def stalled(size):
    # In turns, so that what else happens on the machine falls to all of them; the one in the middle counts.
    counts = (0, 1, 10)
    turns = [{n: with_stalled(size, n) for n in counts[k % 3:] + counts[:k % 3]} for k in range(size.either(5, 1))]
    for n in counts:
        results = [turn[n] for turn in turns]
        columns = zip(*results, strict=True)
        yield [n, *(None if None in column else round(statistics.median(column), 2) for column in columns)]


def with_stalled(size, n):
    n_readers, n_bytes, seconds = size.either((5000, 4096, 40), (100, 20_000, 12))
    with ExitStack() as stack:
        port, process = serve(stack, OUTBOX_BYTES=f"{OUTBOX_KIB << 10}")
        arguments = [*EVERYBODY, "--connections", n_readers, "--stalled", n, "--connect-rate", CONNECT_RATE]
        arguments += ["--senders", 1, "--rate", 4, "--size", n_bytes, "--warm-up", "2s", "--duration", f"{seconds}s"]
        bench = begin(port, [process.pid], arguments)
        mib, in_kernel, gone_after = watch(bench, port, process.pid, n_readers, n)
        result = report_of(bench)
    n_gone = result["connections"]["stalled_disconnected"]
    if n_gone != n or (n > 0 and gone_after is None):
        sys.exit(f"of {n} readers that stall {n_gone} were disconnected, the last after {gone_after} s")
    us, *latency = cells(result)
    return [*latency, us, mib, in_kernel, gone_after]


def watch(bench, port, pid, n_readers, n_stalled):
    """What those who stall cost while they are there: memory of the server at most, of the kernel for each, and how long."""
    mib, in_kernel, begun, gone_after = 0, None, None, None
    while bench.poll() is None:
        queues = sorted(waiting(port).values())
        if begun is None and len(queues) == n_readers + n_stalled:
            begun = time.monotonic()
        if begun is not None and gone_after is None and n_stalled > 0:
            if len(queues) == n_readers:
                gone_after = time.monotonic() - begun
            else:
                in_kernel = max(in_kernel or 0, sum(queues[-n_stalled:]) / n_stalled / 1024)
        mib = max(mib, rss_kib(pid) / 1024)
        # To look is work for the machine too, in which messages wait.
        time.sleep(LOOKS_EVERY_S)
    return mib, in_kernel, gone_after
