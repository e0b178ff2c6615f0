"""The metrics as Prometheus reads them; and what the documents, the dashboard and the alerts say of them.

A node of two, with a Redis, with recovery, a backend, webhooks and the HTTP API, which has all families; the reference has
no metrics.
"""

import json
import re
import subprocess
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from clients import Peer
from harness import HOST, ROOT, Server, free_port, until

TYPES = {"counter", "gauge", "histogram"}
LABELS = {"version", "transport", "reason", "result", "code", "le", "namespace", "kind", "type", "cause", "connection"}
LABELS |= {"command", "status", "question", "state"}
KEY = "a-key-for-the-tests"
# What a scrape adds, and Prometheus itself knows.
OF_PROMETHEUS = {"up": {"job": None, "instance": None}}
ADDED = {"job": None, "instance": None}


def get(url):
    """Status, headers and text of an answer, whatever the status."""
    try:
        answer = urllib.request.urlopen(url, timeout=5)
    except urllib.error.HTTPError as refusal:
        answer = refusal
    with answer:
        return answer.status, answer.headers, answer.read().decode()


class Elsewhere(BaseHTTPRequestHandler):
    """A backend that gives back what it is told, and takes every webhook."""

    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = json.dumps({"ack": told["args"]} if told["type"] == "event" else {}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def elsewhere():
    """Where the backend is."""
    server = ThreadingHTTPServer((HOST, 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{HOST}:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def node(tmp_path_factory, elsewhere):
    """The server under test, its Redis, and a server besides."""
    port = free_port()
    options = ["--port", str(port), "--bind", HOST, "--save", "", "--dir", str(tmp_path_factory.mktemp("redis"))]
    redis = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    settings = {
        "REDIS_URL": f"redis://{HOST}:{port}",
        "GREENROOM_RECOVERY__ENABLED": "true",
        "GREENROOM_BACKENDS": f'[{{ url = "{elsewhere}" }}]',
        "GREENROOM_WEBHOOKS__URL": elsewhere,
        "GREENROOM_API__KEYS": KEY,
        "GREENROOM_SHUTDOWN__TIMEOUT": "3s",
        "GREENROOM_SHUTDOWN__SPREAD": "0s",
    }
    servers = [Server("program", **settings) for _ in range(2)]
    try:
        for server in servers:
            server.start()
        yield SimpleNamespace(server=servers[0], redis=redis)
        for server in servers:
            server.stop()
    finally:
        for server in servers:
            server.kill()
        redis.kill()
        redis.wait()


def ask_api(node, path):
    request = urllib.request.Request(f"{node.server.url}/api/v1{path}", headers={"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def families(node):
    """The families of a scrape, after two clients have done something."""
    peers = [Peer("sync", mode).connect(node.server.url) for mode in ("polling", "websocket")]
    for peer in peers:
        assert peer.ask("message", "x") == ["x"]
    until("the node is not ready", lambda: get(f"{node.server.url}/readyz")[0] == 200)
    until("the store is not written", lambda: value(scrape(node), "greenroom_membership_synced") == 1)
    # Of the other node, too.
    until("the other node is not there", lambda: len(ask_api(node, "/nodes")["nodes"]) == 2)
    found = scrape(node)
    for peer in peers:
        peer.close()
    return found


def scrape(node):
    status, headers, text = get(f"{node.server.url}/metrics")
    assert status == 200, text
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "a family twice"
    return families


def samples(families):
    return [sample for family in families for sample in family.samples]


def value(families, name, **labels):
    [found] = [sample.value for sample in samples(families) if sample.name == name and sample.labels == labels]
    return found


def full_name(family):
    """The parser takes the end of the names of counters away."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def test_a_real_parser_reads_them(families):
    for family in families:
        assert family.type in TYPES, family
        assert family.documentation.endswith("."), family
        assert family.samples, f"{family.name} has no samples"
        for sample in family.samples:
            assert set(sample.labels) <= LABELS, sample
        keys = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
        assert len(keys) == len(set(keys)), family
        if family.type != "histogram":
            assert {sample.name for sample in family.samples} == {full_name(family)}
    heartbeat = next(family for family in families if family.name == "greenroom_heartbeat_seconds")
    assert {sample.name.removeprefix(heartbeat.name) for sample in heartbeat.samples} == {"_bucket", "_count", "_sum"}


def test_names_have_the_form_of_prometheus(families):
    for family in families:
        assert re.fullmatch(r"(greenroom|process)_[a-z_]+", family.name), family.name
        assert not re.search(r"_(ms|kb|mb|milliseconds|count)$", family.name), family.name


def test_what_two_clients_did_is_there(families):
    assert value(families, "greenroom_sessions", transport="polling") == 1
    assert value(families, "greenroom_sessions", transport="websocket") == 1
    assert value(families, "greenroom_sockets", namespace="/") == 2
    assert value(families, "greenroom_events_received_total", namespace="/") >= 2
    assert value(families, "greenroom_ready") == 1
    assert value(families, "greenroom_redis_connected", connection="subscribe") == 1
    assert 0 <= value(families, "greenroom_redis_canary_age_seconds") < 60
    assert value(families, "process_resident_memory_bytes") > 1_000_000
    assert value(families, "process_open_fds") < value(families, "process_max_fds")


def table(text, heading):
    """The rows of the first table below a heading."""
    section = text.split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def test_the_document_has_every_metric(families):
    text = (ROOT / "docs/operations.md").read_text()
    written = {
        name.strip("`"): (kind, set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, _ in table(text, "## Metrics")
    }
    there = {
        full_name(family): (family.type, {label for sample in family.samples for label in sample.labels} - {"le"})
        for family in families
    }
    assert written == there


@pytest.mark.parametrize(
    ("heading", "name", "label"),
    [
        ("### Causes", "greenroom_incidents_total", "cause"),
        ("### Reasons", "greenroom_sessions_closed_total", "reason"),
        ("### Reasons", "greenroom_sockets_disconnected_total", "reason"),
    ],
)
def test_the_document_has_every_value(families, heading, name, label):
    written = [row[0].strip("`") for row in table((ROOT / "docs/operations.md").read_text(), heading)]
    assert len(written) == len(set(written))
    assert set(written) == {sample.labels[label] for sample in samples(families) if sample.name == name}


def dashboard():
    """The expressions of the dashboard, by the titles of their panels."""
    text = (ROOT / "deploy/grafana.json").read_text()
    # What Grafana fills in.
    text = text.replace("$__rate_interval", "5m").replace("$instance", ".*")
    board = json.loads(text)
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in panels:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            [name] = re.findall(r"label_values\((\w+), \w+\)", variable["query"]["query"])
            yield variable["name"], name


def rules():
    groups = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts():
    for rule in rules():
        yield rule["alert"], rule["expr"]


def selectors(node):
    """All vector selectors of an expression."""
    if isinstance(node, promql_parser.VectorSelector):
        return [node]
    parts = []
    for part in ("lhs", "rhs", "expr", "param", "vector_selector", "args"):
        child = getattr(node, part, None)
        parts += child if isinstance(child, list) else [child]
    return [found for part in parts if part is not None for found in selectors(part)]


def known(families):
    """Each name with the values that each of its labels has."""
    found = {name: {label: None for label in labels} for name, labels in OF_PROMETHEUS.items()}
    for sample in samples(families):
        labels = found.setdefault(sample.name, dict(ADDED))
        for label, name in sample.labels.items():
            labels.setdefault(label, set()).add(name)
    return found


@pytest.mark.parametrize("expressions", [dashboard, alerts], ids=["dashboard", "alerts"])
def test_every_expression_is_about_what_exists(families, expressions):
    there = known(families)
    n_selectors = 0
    for where, text in expressions():
        for selector in selectors(promql_parser.parse(text)):
            n_selectors += 1
            assert selector.name in there, f"{where}: there is no {selector.name}"
            for matcher in selector.matchers.matchers:
                labels = there[selector.name]
                assert matcher.name in labels, f"{where}: {selector.name} has no label {matcher.name}"
                wanted = set(matcher.value.split("|")) if labels[matcher.name] is not None else set()
                assert wanted <= (labels[matcher.name] or set()), f"{where}: {selector.name} has no {matcher.value}"
    assert n_selectors > 10


def test_the_dashboard_shows_every_metric(families):
    shown = {selector.name for _, text in dashboard() for selector in selectors(promql_parser.parse(text))}
    names = {full_name(family) for family in families if family.type != "histogram"}
    assert names - shown == set()


def test_alerts_are_complete_and_explained():
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, rule
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"]
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
    text = (ROOT / "docs/operations.md").read_text()
    assert [row[0].strip("`") for row in table(text, "## Alerts")] == names


def test_a_node_whose_redis_has_gone_is_not_ready(node, families):
    """The last one: it ends the Redis."""
    node.redis.kill()
    node.redis.wait()
    status, _, text = until(
        "it is still ready", lambda: next((a for a in [get(f"{node.server.url}/readyz")] if a[0] == 503), None)
    )
    answer = json.loads(text)
    assert (status, answer["ready"]) == (503, False)
    assert answer["reasons"][0].startswith("redis: "), answer
    assert get(f"{node.server.url}/healthz")[0] == 200
    assert value(scrape(node), "greenroom_ready") == 0
