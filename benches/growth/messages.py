"""Axes of messages: who says them, who hears them, and how much each is."""

import time
from contextlib import ExitStack

from axis import axis
from processes import begin, cpu_s, load, redis, report_of, serve, system_calls_a_second

ECHO = ["echo", "--event", "echo"]
EVERYBODY = ["broadcast", "--event", "publish-all"]
ROOM = ["rooms", "--event", "publish", "--join-event", "join", "--join-args", '["{room}"]', "--args", '["{room}","{payload}"]']

LATENCY = ("latency ms: p50", "latency ms: p99")
MESSAGES = ("µs per message", *LATENCY)

# Connections that are opened in a second.
CONNECT_RATE = 2000


def run(arguments, **env):
    with ExitStack() as stack:
        port, process = serve(stack, **env)
        return load(port, [process.pid], [*arguments, "--connect-rate", CONNECT_RATE])


def each(result, total, *what):
    """So much of it falls to each message that was sent or received while it was measured."""
    measured = result["messages"]["measured"]
    return round(total / sum(measured[name] for name in what), 2)


def us_per(result, *what):
    return each(result, result["server"]["cpu_measured_s"] * 1e6, *what)


def cells(result):
    """Time for each message, and how long it took."""
    latency = result["messages"]["latency_ms"]
    return [us_per(result, "sent", "received"), round(latency["p50"], 2), round(latency["p99"], 2)]


@axis(
    "clients that share 2000 acks a second",
    *MESSAGES,
    "switches per message: voluntary",
    "switches per message: involuntary",
    "system calls per message",
)
def talkers(size):
    for n in size.few((10, 100, 1000, 5000, 10_000)):
        arguments = [*ECHO, "--connections", n, "--rate", 2000 / n]
        result = run([*arguments, *size.measured()])
        server = result["server"]
        names = ("voluntary_switches_measured", "involuntary_switches_measured")
        switches = [each(result, server[name], "sent", "received") for name in names]
        yield [n, *cells(result), *switches, traced(size, n, arguments)]


def traced(size, n, arguments):
    """System calls for each message, of a run of its own: what counts them would be part of the times."""
    seconds = size.either(5, 1)
    with ExitStack() as stack:
        port, process = serve(stack)
        arguments = [*arguments, "--connect-rate", CONNECT_RATE, "--warm-up", "0s", "--duration", f"{seconds + 4}s"]
        bench = begin(port, [], arguments)
        # The clients have come after so many seconds.
        time.sleep(n / CONNECT_RATE + 1.5)
        a_second = system_calls_a_second(process.pid, seconds)
        measured = report_of(bench)["messages"]
    return round(a_second / (measured["sent_per_second"] + measured["received_per_second"]), 2)


@axis("members of the room that hears, 20000 receipts a second", *MESSAGES)
def members(size):
    for n in size.few((2, 10, 100, 1000, 5000, 15_000)):
        arguments = [*EVERYBODY, "--connections", n, "--senders", 1, "--rate", 20_000 / n]
        yield [n, *cells(run([*arguments, *size.measured()]))]


@axis("rooms of 1000 clients, 10000 receipts a second", "KiB for each client", *MESSAGES)
def rooms(size):
    # So many rooms, each client in so many of them; one sender in each.
    for n, per_client in size.few(((1, 1), (10, 1), (100, 1), (1000, 10), (10_000, 100), (100_000, 100))):
        receivers = 1000 * per_client / n
        rate = 10_000 / (n * receivers)
        arguments = [*ROOM, "--connections", 1000, "--rooms", n, "--rooms-per-client", per_client]
        result = run([*arguments, "--senders", 1, "--rate", rate, "--timeout", "60s", *size.measured()])
        kib = round(result["server"]["bytes_per_connection"] / 1024, 1)
        yield [n, kib, *cells(result)]


@axis("bytes of an echo, 64 clients", *MESSAGES)
def sizes(size):
    for n_bytes, rate in size.few(((16, 50), (256, 50), (4096, 50), (65_536, 10), (262_144, 2))):
        arguments = [*ECHO, "--connections", 64, "--rate", rate, "--size", n_bytes]
        yield [n_bytes, *cells(run([*arguments, *size.measured()]))]


@axis("workers, 1000 clients, 20000 receipts a second", *MESSAGES)
def workers(size):
    for n in (1, 2):
        arguments = [*EVERYBODY, "--connections", 1000, "--senders", 1, "--rate", 20, *size.measured()]
        yield [n, *cells(run(arguments, WORKERS=f"{n}"))]


@axis(
    "nodes; 2000 broadcasts a second to rooms that only the first has",
    "subscription",
    "µs per broadcast, all nodes",
    "µs per broadcast, Redis",
)
def nodes(size):
    for n in size.few((1, 2, 4, 8)):
        for subscription in ("pattern", "exact"):
            with ExitStack() as stack:
                redis_port, store = redis(stack)
                env = {"REDIS_URL": f"redis://127.0.0.1:{redis_port}", "REDIS_SUBSCRIPTION": subscription}
                servers = [serve(stack, **env) for _ in range(n)]
                pids = [process.pid for _, process in servers]
                before = cpu_s(store.pid)
                arguments = [*ROOM, "--connections", 200, "--rooms", 100, "--rate", 20, "--senders", 1]
                # All that Redis does is counted, so all that is sent is.
                result = load(servers[0][0], pids, [*arguments, *size.measured(warm_up_s=0)])
                of_redis = each(result, (cpu_s(store.pid) - before) * 1e6, "sent")
                yield [n, subscription, us_per(result, "sent"), of_redis]
