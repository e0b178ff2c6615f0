"""The HTTP API against its own description: what the program answers, to anything at all, is what the description says."""

import json

import pytest
import requests
import schemathesis
import socketio
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from harness import ROOT, Server, until

DESCRIPTION = ROOT / "src/api/openapi.json"
KEY = "a-key-for-the-fuzzer"
HEADERS = {"Authorization": f"Bearer {KEY}"}
# The same requests each time, so that what fails once fails again.
FUZZ = settings(max_examples=20, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))

api = schemathesis.openapi.from_path(DESCRIPTION)


@pytest.fixture(scope="module")
def program():
    ends_soon = {"GREENROOM_SHUTDOWN__TIMEOUT": "3s", "GREENROOM_SHUTDOWN__SPREAD": "0s"}
    server = Server("program", GREENROOM_API__KEYS=KEY, **ends_soon).start()
    yield server
    server.stop()


def test_the_description_is_served(program):
    assert requests.get(f"{program.url}/api/v1/openapi.json", timeout=10).json() == json.loads(DESCRIPTION.read_text())


@api.parametrize()
@FUZZ
def test_answers_are_as_described(case, program):
    # The description does not know the limits of a configuration, nor that some options exclude each other.
    excluded = [positive_data_acceptance]
    case.call_and_validate(base_url=f"{program.url}/api/v1", headers=HEADERS, excluded_checks=excluded)


def test_answers_about_clients_are_as_described(program):
    """What the fuzzer does not meet: there is somebody who is in rooms and answers."""
    with socketio.SimpleClient() as client:
        client.connect(program.url, auth={"token": "0123456789abcdef", "name": "Ada"})
        client.client.on("ask", lambda *args: args)
        post, get = calls(program)
        assert post("/join", {"sockets": [client.sid], "join": ["user:7", "lobby"]}) == {"complete": True}
        until("a join", lambda: get("/presence", user=["7", "8"])["users"][0]["online"])
        assert {"name": "user:7", "sockets": 1} in get("/rooms", prefix="user:")["rooms"]
        assert get("/rooms", counts="false")["complete"]
        assert [socket["id"] for socket in get("/sockets", room=["nobody", "user:7"])["sockets"]] == [client.sid]
        assert get("/users/{id}/sockets", path={"id": "7"}, limit=1)["total"] == 1
        assert "lobby" in get("/sockets/{id}", path={"id": client.sid})["rooms"]
        assert get("/nodes")["nodes"][0]["sessions"] == 1
        ask = {"users": ["7"], "event": "ask", "args": [1, {"$binary": "AQ=="}]}
        assert post("/emit-with-ack", ask)["answers"] == [[1, {"$binary": "AQ=="}]]
        commands = [{"emit-with-ack": ask}, {"leave": {"users": ["7"], "leave": ["user:7"]}}, {"emit": {"event": "e"}}]
        assert [result["status"] for result in post("/batch", {"commands": commands})["results"]] == [200, 200, 422]
        assert post("/disconnect", {"sockets": [client.sid], "close": True}) == {"complete": True}


def calls(program):
    """Two functions that send a request, and give the body of the answer when it is as described."""

    def call(method, template, path, **more):
        url = f"{program.url}/api/v1{template.format(**path)}"
        answer = requests.request(method, url, headers=HEADERS, timeout=10, **more)
        assert answer.status_code == 200, answer.text
        api[template][method].validate_response(answer)
        return answer.json()

    return (
        lambda template, body: call("POST", template, {}, json=body),
        lambda template, path=None, **query: call("GET", template, path or {}, params=query),
    )
