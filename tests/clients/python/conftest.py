"""Fixtures: every scenario runs on every target, with every client, over every transport."""

import itertools
import uuid

import pytest

from clients import TRANSPORTS, Peer
from harness import Server, target_names

KINDS = ("sync", "asyncio")


@pytest.fixture(scope="session", params=target_names())
def target(request):
    return request.param


@pytest.fixture(scope="module")
def server(target, request):
    """One server per module, with the environment that the module names in `ENV`."""
    server = Server(target, **getattr(request.module, "ENV", {})).start()
    yield server
    server.stop()


@pytest.fixture(params=itertools.product(KINDS, TRANSPORTS), ids="-".join)
def make(request):
    """Makes clients of one kind over one transport; they are closed at the end."""
    kind, mode = request.param
    peers = []

    def make_peer(**options):
        peers.append(Peer(kind, mode, **options))
        return peers[-1]

    yield make_peer
    for peer in peers:
        peer.close()


@pytest.fixture
def open_peer(make, server, request):
    """Makes clients that are connected, with the options that the module names in `OPTIONS`."""

    def open_peer(nsps=("/",), auth=None, **options):
        options = {**getattr(request.module, "OPTIONS", {}), **options}
        return make(**options).connect(server.url, nsps, auth)

    return open_peer


@pytest.fixture
def unique():
    """Makes names that no other scenario uses."""
    return lambda prefix: f"{prefix}-{uuid.uuid4().hex[:8]}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """The end of the server's log comes with a failure."""
    report = (yield).get_result()
    funcargs = getattr(item, "funcargs", {})
    server = funcargs.get("server") or funcargs.get("program")
    if report.failed and server is not None:
        report.sections.append(("server", server.log()))
