"""What both clients can do over every transport."""

import pytest
import socketio

from harness import until
from values import JSON_VALUES, binary_arguments

# The sync client sometimes ends a polling connection only when its last poll is answered, by a ping.
ENV = {"PING_INTERVAL": "1000", "PING_TIMEOUT": "20000"}


def test_the_server_knows_transport_protocol_and_id(open_peer):
    peer = open_peer()
    info = peer.ctl("info")
    assert info["transport"] == peer.transport == ("polling" if peer.mode == "polling" else "websocket")
    assert info["protocol"] == 4
    assert info["id"] == peer.id() != peer.sio.eio.sid
    assert info["recovered"] is False


def test_the_auth_payload_comes_back_in_the_first_event(open_peer):
    auth = {"token": "secret", "list": [1, {"two": 2}]}
    peer = open_peer(auth=auth)
    assert peer.next("auth") == [auth]
    assert [name for name in peer.inbox.order if name != "connect"][0] == "auth"


def test_a_middleware_accepts_the_right_token(open_peer):
    peer = open_peer(nsps=["/auth"], auth={"token": "secret"})
    assert peer.ctl("info", nsp="/auth")["nsp"] == "/auth"


def test_a_middleware_refuses_with_message_and_data(make, server):
    peer = make()
    with pytest.raises(socketio.exceptions.ConnectionError):
        peer.connect(server.url, nsps=["/auth"], auth={"token": "wrong"})
    assert peer.next("refused") == {"message": "unauthorized", "data": {"code": "E_AUTH"}}


def test_an_unknown_namespace_is_refused(make, server):
    peer = make()
    with pytest.raises(socketio.exceptions.ConnectionError):
        peer.connect(server.url, nsps=["/nobody"])
    assert peer.next("refused") == {"message": "Invalid namespace"}


def test_static_and_dynamic_namespaces_share_one_connection(open_peer):
    nsps = ["/", "/custom", "/dyn-x_1"]
    peer = open_peer(nsps=nsps)
    assert [peer.ctl("info", nsp=nsp)["nsp"] for nsp in nsps] == nsps
    assert len({peer.id(nsp) for nsp in nsps}) == 3
    for nsp in nsps:
        peer.emit("message", nsp, nsp=nsp)
        assert peer.next("message-back") == [nsp]


def test_every_json_type_comes_back(open_peer):
    peer = open_peer()
    for value in JSON_VALUES:
        peer.emit("message", value)
        assert peer.next("message-back") == [value]
    peer.emit("message", *JSON_VALUES)
    assert peer.next("message-back") == JSON_VALUES
    peer.emit("message")
    assert peer.next("message-back") == []


def test_binary_comes_back_from_any_depth(open_peer):
    peer = open_peer()
    peer.emit("message", *binary_arguments())
    assert peer.next("message-back") == binary_arguments()
    ten = [bytes([number]) for number in range(10)]
    peer.emit("message", ten)
    assert peer.next("message-back") == [ten]


def test_acks_carry_any_arguments_to_the_client(open_peer):
    peer = open_peer()
    assert peer.ask("message-with-ack") == []
    assert peer.ask("message-with-ack", *JSON_VALUES) == JSON_VALUES
    assert peer.ask("message-with-ack", *binary_arguments()) == binary_arguments()


def test_acks_carry_any_arguments_to_the_server(open_peer):
    peer = open_peer()

    def answer(*args):
        peer.inbox.put("emit-with-ack", list(args))
        return ("answer", *args)

    peer.on("emit-with-ack", answer)
    for args in ([], JSON_VALUES, binary_arguments()):
        peer.emit("emit-with-ack", *args)
        assert peer.next("emit-with-ack") == args
        assert peer.next("emit-with-ack") == ["answer", *args]


def test_the_server_asks_the_client(open_peer):
    peer = open_peer()
    peer.on("question", lambda value: (value + 1, "and more"))
    assert peer.ctl("selfAck", event="question", args=[41])["args"] == [42, "and more"]


def test_many_emits_keep_their_order(open_peer):
    peer = open_peer()
    # The client takes no more than 16 packets in one payload.
    count = 15 if peer.mode == "polling" else 200
    for number in range(count):
        peer.emit("message", number)
    answers = [peer.next("message-back") for _ in range(count)]
    # The client without asyncio has a thread for each message, and they overtake each other.
    if not peer.is_async:
        answers.sort()
    assert answers == [[number] for number in range(count)]


def test_payloads_close_to_the_limit_pass_both_ways(open_peer):
    peer = open_peer()
    # The client escapes what is not ASCII: six bytes each.
    text = "é" * 150_000
    assert peer.ask("message-with-ack", text) == [text]
    binary = bytes([7]) * 600_000
    assert peer.ask("message-with-ack", binary) == [binary]


def test_rooms_and_broadcasts(open_peer, unique):
    a, b = unique("a"), unique("b")
    one, two, three = open_peer(), open_peer(), open_peer()
    assert one.ctl("join", rooms=[a])["rooms"] == sorted([one.id(), a])
    two.ctl("join", rooms=[a, b])

    def heard(target):
        mark = unique("mark")
        one.ctl("emit", target=target, event="news", args=[mark])
        for peer in (one, two, three):
            peer.ask("message-with-ack", 1)
        return [peer.inbox.left("news").count([mark]) for peer in (one, two, three)]

    assert heard({"to": [a]}) == [1, 1, 0]
    assert heard({"to": [a, b]}) == [1, 1, 0]
    assert heard({"to": [a], "except": [b]}) == [1, 0, 0]
    assert heard({"from": "socket", "to": [a]}) == [0, 1, 0]
    assert heard({"to": [three.id()]}) == [0, 0, 1]
    one.ctl("leave", room=a)
    assert heard({"to": [a]}) == [0, 1, 0]
    one.ctl("socketsJoin", target={"to": [b]}, rooms=[unique("c")])
    until("not joined", lambda: len(two.ctl("rooms")["rooms"]) == 4)


def test_a_broadcast_carries_every_json_type_and_binary(open_peer, unique):
    room = unique("room")
    sender, listener = open_peer(), open_peer()
    listener.ctl("join", rooms=[room])
    for args in (JSON_VALUES, binary_arguments(), []):
        sender.ctl("emit", target={"to": [room]}, event="news", args=args)
        assert listener.next("news") == args


def test_a_broadcast_collects_acks(open_peer, unique):
    room = unique("room")
    sender, *others = open_peer(), open_peer(), open_peer()
    for index, peer in enumerate(others):
        peer.ctl("join", rooms=[room])
        peer.on("vote", lambda factor, index=index: {"index": index * factor, "raw": bytes([index])})
    reply = sender.ctl("emitAck", target={"to": [room]}, event="vote", args=[10], timeout=5000)
    assert reply["timedOut"] is False
    responses = sorted(reply["responses"], key=lambda response: response["index"])
    assert responses == [{"index": 0, "raw": b"\0"}, {"index": 10, "raw": b"\1"}]


def test_sockets_are_fetched(open_peer, unique):
    room = unique("room")
    asking, found = open_peer(), open_peer(auth={"who": "found"})
    found.ctl("join", rooms=[room])
    found.ctl("setData", data={"list": [1, None]})
    [described] = asking.ctl("fetchSockets", target={"to": [room]})["sockets"]
    assert described["id"] == found.id()
    assert described["rooms"] == sorted([found.id(), room])
    assert described["data"] == {"list": [1, None]}
    assert described["handshake"]["auth"] == {"who": "found"}


def test_the_client_leaves(open_peer):
    peer, observer = open_peer(), open_peer()
    sid = peer.id()
    peer.disconnect()
    assert peer.next("disconnect") == "client disconnect"
    assert observer.reason_of(sid) in ("client namespace disconnect", "transport close")


def test_the_server_ends_the_socket(open_peer):
    peer, observer = open_peer(), open_peer()
    sid = peer.id()
    peer.ctl("disconnectSelf")
    assert peer.next("disconnect") == "server disconnect"
    assert observer.reason_of(sid) == "server namespace disconnect"


def test_sockets_are_disconnected_by_others(open_peer):
    peer, other = open_peer(), open_peer()
    sid = peer.id()
    other.ctl("disconnectSockets", target={"to": [sid]}, close=True)
    assert peer.next("disconnect") in ("server disconnect", "transport error")
    assert other.reason_of(sid) == "server namespace disconnect"


def test_the_server_drops_the_transport(open_peer):
    observer = open_peer()
    peer = open_peer(reconnection=True, reconnection_delay=0.05, reconnection_delay_max=0.1)
    sid = peer.id()
    peer.ctl("dropTransport")
    peer.next("disconnect")
    assert observer.reason_of(sid) == "forced close"
    if peer.mode == "polling":
        return  # The client takes the close packet over polling as the end and does not come back.
    peer.next("connect")
    peer.next("connect")
    until("not connected", lambda: peer.sio.connected and peer.id() not in (None, sid))
    assert peer.ask("message-with-ack", "again") == ["again"]
