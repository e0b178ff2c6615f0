"""The msgpack parser."""

from values import JSON_VALUES, binary_arguments

ENV = {"PARSER": "msgpack", "PING_INTERVAL": "1000"}
OPTIONS = {"serializer": "msgpack"}


def test_connects_with_auth_and_echoes_everything(open_peer):
    auth = {"token": "secret", "deep": [{"a": 1}]}
    peer = open_peer(nsps=["/", "/auth"], auth=auth)
    assert peer.next("auth") == [auth]
    for args in (JSON_VALUES, binary_arguments(), [b""], []):
        peer.emit("message", *args, nsp="/auth")
        assert peer.next("message-back") == args
        assert peer.ask("message-with-ack", *args) == args


def test_the_server_asks_and_broadcasts(open_peer, unique):
    room = unique("room")
    one, two = open_peer(), open_peer()
    for peer in (one, two):
        peer.ctl("join", rooms=[room])
        peer.on("vote", lambda value: [value, b"\5"])
    one.ctl("emit", target={"to": [room]}, event="news", args=binary_arguments())
    assert one.next("news") == two.next("news") == binary_arguments()
    reply = one.ctl("emitAck", target={"to": [room]}, event="vote", args=[1])
    assert reply["responses"] == [[1, b"\5"], [1, b"\5"]]
