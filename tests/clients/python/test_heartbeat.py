"""Heartbeats, and a server that goes away and comes back."""

import json
import signal
import urllib.request

from harness import DEADLINE_SECONDS, Server, until

ENV = {"PING_INTERVAL": "150", "PING_TIMEOUT": "800"}


def silence(server):
    """Returns when a client that stays silent has been given up."""
    session = f"{server.url}/socket.io/?EIO=4&transport=polling"
    with urllib.request.urlopen(session) as answer:
        session += "&sid=" + json.loads(answer.read()[1:])["sid"]
    answers = []
    while answers[-1:] != [b"1"]:
        with urllib.request.urlopen(session, timeout=DEADLINE_SECONDS) as answer:
            answers.append(answer.read())
    assert answers == [b"2", b"1"]


def test_a_client_stays_over_many_heartbeats(open_peer, server):
    peer = open_peer()
    silence(server)
    silence(server)
    assert peer.ask("message-with-ack", "alive") == ["alive"]
    assert peer.inbox.left("disconnect") == []


def test_a_client_comes_back_after_its_server(make, target):
    server = Server(target, PING_INTERVAL="200", PING_TIMEOUT="200").start()
    peer = make(reconnection=True, reconnection_delay=0.05, reconnection_delay_max=0.2).connect(server.url)
    peer.next("connect")
    server.kill(signal.SIGKILL)
    server.process.wait()
    peer.next("disconnect")
    server.start(server.port)
    peer.next("connect")
    until("not connected", lambda: peer.sio.connected)
    assert peer.ask("message-with-ack", "again") == ["again"]
    server.stop()
