"""The metrics of the real program, as Prometheus scrapes them, and what is deployed with it to look at them."""

import json
import signal
from collections.abc import Callable, Iterable, Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest
import yaml
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from tests.e2e.conftest import Start
from tests.e2e.polling import eventually
from tests.e2e.program import TOKEN, Gateway
from tests.e2e.promql import Asked, asked, of_alerts, of_dashboard
from tests.ledger.valkey import Server

read_openmetrics: Callable[[str], Iterable[Metric]] = openmetrics.text_string_to_metric_families
DEPLOY = Path(__file__).parents[2] / "deploy"
SCRAPER = "scrape-secret-0123456789"
LIMITED = "sk-limited-0123456789abcdef0123456789"
SHADOWED = "sk-shadowed-0123456789abcdef012345678"


@pytest.fixture
def file(tmp_path: Path, provider: str) -> Path:
    """Write such a configuration for one test."""
    return eventful(tmp_path, provider)


def eventful(directory: Path, provider: str, **more: str) -> Path:
    """Write a configuration in which everything happens that is measured, with these sinks besides one of its own."""
    path = directory / "metrics.yaml"
    limit = "{metric: requests, window: 1h, maximum: 1"
    sinks = {"archive": f"{{type: file, path: '{directory}/archive.jsonl'}}", **more}
    path.write_text(
        "server: {port: 0, drain_seconds: 8}\n"
        f"metrics: {{token: {SCRAPER}}}\n"
        f"sinks: {{{', '.join(f'{name}: {sink}' for name, sink in sinks.items())}}}\n"
        f"providers: {{mock: {{dialect: openai, base_url: '{provider}', api_key: key, proxy: none}}}}\n"
        "prices: [{model: '*', input: 1, output: 2}]\n"
        "tokens:\n"
        f"  - {{name: test, token: {TOKEN}}}\n"
        f"  - {{name: limited, token: {LIMITED}, limits: [{limit}}}]}}\n"
        f"  - {{name: shadowed, token: {SHADOWED}, limits: [{limit}, enforcement: shadow}}]}}\n"
    )
    return path


@pytest.fixture(scope="module")
def stream_server() -> Iterator[Server]:
    """A server with a stream that a sink's dispatchers read, none of which runs."""
    with Server() as server:
        server.call("XGROUP CREATE", "events", "left", "0", "MKSTREAM")
        yield server


@pytest.fixture(scope="module")
def shared(
    start_once: Start, tmp_path_factory: pytest.TempPathFactory, provider: str, stream_server: Server
) -> Gateway:
    """A gateway of two workers that tests only ask."""
    bridge = f"{{type: redis, address: '{stream_server.url}', stream: events}}"
    left = "{type: file, path: nowhere, run_by: dispatcher}"
    file = eventful(tmp_path_factory.mktemp("shared"), provider, bridge=bridge, left=left)
    return start_once(f"--config={file}", "--workers=2").until_ready()


def scrape(gateway: Gateway, accept: str = "") -> tuple[HTTPResponse, str]:
    """Ask for the metrics, as Prometheus does."""
    connection = gateway.connection()
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {SCRAPER}", "Accept": accept})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response, body


def metrics(gateway: Gateway) -> dict[str, Metric]:
    """What a scrape shows, by name."""
    response, body = scrape(gateway)
    assert response.status == 200, body
    return {metric.name: metric for metric in read_text(body)}


def counted(gateway: Gateway) -> dict[str, int]:
    """Requests by status."""
    found: dict[str, int] = {}
    for sample in metrics(gateway)["sluicegate_requests"].samples:
        status = sample.labels["status"]
        found[status] = found.get(status, 0) + int(sample.value)
    return found


def stream(gateway: Gateway) -> None:
    """Ask for a stream and read it to its end."""
    connection = gateway.connection()
    gateway.stream(connection, seconds=0.1).read()
    connection.close()


def series(gateway: Gateway) -> dict[str, set[str]]:
    """The labels of each series that has a value, by the name that a query has for it."""
    found: dict[str, set[str]] = {}
    for metric in metrics(gateway).values():
        for sample in metric.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def queries() -> list[Asked]:
    """Everything that is asked by what is deployed."""
    return [*of_dashboard(DEPLOY / "grafana/sluicegate.json"), *of_alerts(DEPLOY / "prometheus/alerts.yaml")]


def test_counters_are_right_whatever_is_killed(start: Start, file: Path) -> None:
    """Each request is counted once: of all workers, of those that are no more, and by whichever control process."""
    gateway = start(f"--config={file}", "--workers=2").until_ready()
    assert [gateway.answers() for _ in range(6)] == [200] * 6
    assert gateway.answers("sk-nobody") == 401
    eventually(lambda: counted(gateway) == {"200": 6, "401": 1})
    gateway.kill("control")
    assert gateway.answers() == 200
    eventually(lambda: counted(gateway) == {"200": 7, "401": 1})
    assert gateway.answers() == 200
    gateway.kill("worker-0")
    gateway.kill("worker-1")
    assert gateway.answers() == 200
    eventually(lambda: counted(gateway) == {"200": 9, "401": 1})
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() == 0
    again = start(f"--config={file}", "--workers=1").until_ready()
    assert again.answers() == 200
    eventually(lambda: counted(again) == {"200": 10, "401": 1})


def test_requests_under_way_are_shown(shared: Gateway) -> None:
    """As many as there are, until they have ended."""

    def inflight() -> float:
        return sum(sample.value for sample in metrics(shared)["sluicegate_inflight"].samples)

    eventually(lambda: inflight() == 0)
    connections = [shared.connection() for _ in range(3)]
    streams = [shared.stream(connection, seconds=300) for connection in connections]
    eventually(lambda: inflight() == 3)
    for response, connection in zip(streams, connections, strict=True):
        response.close()
        connection.close()
    eventually(lambda: inflight() == 0)


def test_everything_that_is_deployed_asks_for_what_is_there(shared: Gateway) -> None:
    """Each series of the dashboard and of the alerts is in a scrape, with the labels that they go by."""
    gateway = shared
    stream(gateway)
    assert [gateway.answers(LIMITED) for _ in range(2)] == [200, 429]
    assert [gateway.answers(SHADOWED) for _ in range(2)] == [200, 200]
    wanted = {name for query in queries() for name in query.series}

    def seen() -> dict[str, set[str]] | None:
        # What a limit that only reports would have refused is known once the ledger has answered for it.
        gateway.answers(SHADOWED)
        found = series(gateway)
        return found if wanted <= found.keys() else None

    there = eventually(seen)
    assert isinstance(there, dict)
    for query in queries():
        assert query.series, query
        for name, labels in query.series.items():
            assert labels <= there[name], (query.where, name, labels - there[name])


def test_the_answer_keeps_to_both_formats(shared: Gateway) -> None:
    """Prometheus' own parsers read it: the plain one, and the strict one of OpenMetrics. Both show the same series."""
    gateway = shared
    before = counted(gateway).get("200", 0)
    stream(gateway)
    eventually(lambda: counted(gateway).get("200", 0) > before)
    response, body = scrape(gateway)
    assert response.getheader("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    plain = {metric.name for metric in read_text(body)}
    response, body = scrape(gateway, "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
    assert (response.getheader("content-type") or "").startswith("application/openmetrics-text; version=1.0.0")
    assert {metric.name for metric in read_openmetrics(body)} == plain
    keys = [line.rpartition(" ")[0] for line in body.splitlines() if not line.startswith("#")]
    assert len(keys) == len(set(keys)), "no series is there twice"


def test_strangers_and_callers_are_refused(shared: Gateway) -> None:
    """A caller's token does not read metrics, and theirs does not ask for completions."""
    assert shared.status("/metrics") == 401
    assert shared.status("/metrics", TOKEN) in {401, 403}
    assert shared.answers(SCRAPER) == 401


@pytest.mark.parametrize("name", ["alerts.yaml", "prometheus.yaml"])
def test_what_is_deployed_is_whole(name: str) -> None:
    """Each rule says how bad it is and what is wrong; each file that is named is there."""
    content = yaml.safe_load((DEPLOY / "prometheus" / name).read_text("utf-8"))
    for rule in (rule for group in content.get("groups", ()) for rule in group["rules"]):
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]
    assert all((DEPLOY / "prometheus" / rules).is_file() for rules in content.get("rule_files", ()))


def test_panels_stand_beside_each_other() -> None:
    """No two panels of the dashboard have one id or overlap, and each has something to show."""
    panels = json.loads((DEPLOY / "grafana/sluicegate.json").read_text("utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        assert panel["type"] == "row" or panel["targets"], panel["title"]
        taken |= cells


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("sluicegate_up == 0", {"sluicegate_up": frozenset[str]()}),
        (
            'sum by (a, job) (rate(sluicegate_x_total{b=~"1|2", instance="c"}[5m])) / sluicegate_y',
            {"sluicegate_x_total": frozenset({"a", "b"}), "sluicegate_y": frozenset({"a"})},
        ),
    ],
)
def test_queries_are_understood(query: str, names: dict[str, frozenset[str]]) -> None:
    """A series that is not there, or a label that it has not, would be noticed."""
    assert asked("here", query).series == names
