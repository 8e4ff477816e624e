"""Everything that a scrape shows."""

import re
from pathlib import Path

import msgspec
from prometheus_client.core import Metric

from sluicegate import __version__
from sluicegate.control.dispatched import Dispatched
from sluicegate.control.metrics.families import dispatcher_families, families
from sluicegate.control.metrics.processes import ProcessFacts
from sluicegate.control.metrics.sources import DeploymentSeen, Seen, SinkCounts
from sluicegate.control.metrics.tally import DURATION_BOUNDS, MOST_MODELS, MOST_REQUEST_SETS, MOST_SETS, Tally
from sluicegate.domain.usage import Usage
from sluicegate.events.consumer import Standing
from sluicegate.events.stream_group import GroupStanding
from tests.control.metrics.events import measured

REFERENCE = (Path(__file__).parents[3] / "docs/reference/metrics.md").read_text("utf-8")

Samples = dict[tuple[str, ...], float]


def seen(tally: Tally) -> Seen:
    """A node of which everything is known."""
    return Seen(
        tally=tally,
        processes={"control": ProcessFacts(1.5, 1_000_000, 12, 1_700_000_000.0)},
        connected=2,
        ready=1,
        deployments=[DeploymentSeen("openai", "openai/eu", 2, 7)],
        version=3,
        is_newer_refused=True,
        is_ledger_away=True,
        ledger_absences=4,
        consumers=[
            Standing("metrics", 10, 0.5, 3, 1, 2, 0, None, is_optional=False),
            Standing("new", 10, None, 0, 0, 0, 0, None, is_optional=True),
        ],
        sinks=[SinkCounts("hook", queued=5, sent=3, dropped=1, dead=2, retries=4)],
        journal_bytes=None,
        journals={"worker-0": 2, "worker-1": 0},
        events_lost=9,
        dispatched=[
            Dispatched("langfuse", "local", backlog_bytes=70, lag_seconds=1.5),
            Dispatched("langfuse", "redis", "stream", group=GroupStanding(5, 2)),
            Dispatched("lunary", "redis", "stream", group=GroupStanding(None, 3)),
            Dispatched("helicone", None),
        ],
    )


def shown(tally: Tally | None = None) -> dict[str, Metric]:
    """All of it by name."""
    return {metric.name: metric for metric in families(seen(tally or Tally()))}


def samples(metric: Metric) -> Samples:
    """Values by the labels' values."""
    return {tuple(sample.labels.values()): sample.value for sample in metric.samples}


def test_events_are_shown_under_their_labels() -> None:
    """The same event as in the tally's own test, in the words of Prometheus."""
    tally = Tally()
    tally.add([measured(limit="tok_1|usd|day"), measured(error="budget_exceeded", limit="tok_1|usd|day")])
    metrics = shown(tally)
    [requests] = metrics["sluicegate_requests"].samples
    assert requests.name == "sluicegate_requests_total"
    assert requests.labels == {"route": "model", "model": "gpt", "provider": "openai", "status": "200"}
    assert samples(metrics["sluicegate_tokens"])["cache_read", "gpt", "openai"] == 120
    assert samples(metrics["sluicegate_upstream_attempts"]) == {("success",): 2}
    assert samples(metrics["sluicegate_limited"]) == {("token:usd:day",): 1}
    assert samples(metrics["sluicegate_shadow_limited"]) == {("token:usd:day",): 1}


def test_money_is_dollars() -> None:
    """Billionths are counted, so nothing is lost; dollars are shown."""
    tally = Tally()
    tally.add([measured(cost=1), measured(cost=2_500_000_000)])
    assert samples(shown(tally)["sluicegate_cost_usd"]) == {("gpt", "openai"): 2.500000001}


def test_buckets_add_up() -> None:
    """Each bucket holds those before it, the last one all; times are seconds."""
    tally = Tally()
    tally.add(measured(duration_ms=duration) for duration in (40.0, 90.0, 1_500.0, 900_000.0))
    metric = shown(tally)["sluicegate_request_duration_seconds"]
    buckets = {one.labels["le"]: one.value for one in metric.samples if one.name.endswith("_bucket")}
    assert len(buckets) == len(DURATION_BOUNDS) + 1
    assert (buckets["0.05"], buckets["0.1"], buckets["2.5"], buckets["600.0"], buckets["+Inf"]) == (1, 2, 3, 3, 4)
    rest = {one.name.rpartition("_")[2]: one.value for one in metric.samples if "le" not in one.labels}
    assert rest == {"count": 4, "sum": 901.63}


def test_the_node_is_shown() -> None:
    """Workers, deployments, configuration, ledger and program, as they are at the moment."""
    metrics = shown()
    assert samples(metrics["sluicegate_build_info"]) == {(__version__,): 1}
    assert samples(metrics["sluicegate_workers"]) == {("connected",): 2, ("ready",): 1}
    assert samples(metrics["sluicegate_inflight"]) == {("openai", "openai/eu"): 7}
    assert samples(metrics["sluicegate_circuit_state"]) == {("openai", "openai/eu"): 2}
    values = {name: samples(metrics[f"sluicegate_{name}"])[()] for name in ("configuration_version", "ledger_up")}
    assert values == {"configuration_version": 3, "ledger_up": 0}
    assert samples(metrics["sluicegate_configuration_refused"]) == {(): 1}
    assert samples(metrics["sluicegate_ledger_absences"]) == {(): 4}


def test_consumers_sinks_and_processes_are_shown() -> None:
    """Each by its name; who does not know something has no sample of it."""
    metrics = shown()
    assert samples(metrics["sluicegate_consumer_lag_seconds"]) == {("metrics",): 0.5, ("sink-langfuse",): 1.5}
    backlogs = {("metrics",): 10, ("new",): 10, ("sink-langfuse",): 70}
    assert samples(metrics["sluicegate_consumer_backlog_bytes"]) == backlogs
    assert samples(metrics["sluicegate_consumer_damages"]) == {("metrics",): 2, ("new",): 0}
    sinks = {word: samples(metrics[f"sluicegate_events_{word}"]) for word in ("queued", "sent", "dropped", "dead")}
    assert sinks == {
        "queued": {("hook",): 5},
        "sent": {("hook",): 3},
        "dropped": {("hook",): 1},
        "dead": {("hook",): 2},
    }
    assert samples(metrics["sluicegate_sink_retries"]) == {("hook",): 4}
    assert samples(metrics["sluicegate_process_cpu_seconds"]) == {("control",): 1.5}
    assert samples(metrics["sluicegate_stream_lag_entries"]) == {("langfuse",): 5}
    assert samples(metrics["sluicegate_stream_pending_entries"]) == {("langfuse",): 2, ("lunary",): 3}
    assert metrics["sluicegate_journal_bytes"].samples == []
    assert samples(metrics["sluicegate_journal_state"]) == {("worker-0",): 2, ("worker-1",): 0}
    assert samples(metrics["sluicegate_journal_lost_events"]) == {(): 9}


def test_what_has_no_labels_begins_with_nothing() -> None:
    """So that the first of it is seen as a rise."""
    metrics = shown()
    assert samples(metrics["sluicegate_degraded"]) == {(): 0}
    assert samples(metrics["sluicegate_client_disconnects"]) == {(): 0}
    assert metrics["sluicegate_requests"].samples == []


def documented() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Type and labels of each metric by the reference."""
    rows = re.findall(r"^\| `(sluicegate_\w+)` \| (\w+) \| ?([`\w, ]*)\|", REFERENCE, re.MULTILINE)
    return {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_the_reference_tells_of_every_metric_and_of_no_other() -> None:
    """By its name in a query, with its type and its labels."""
    tally = Tally()
    tally.add([measured(limit="tok_1|usd|day"), measured(error="budget_exceeded", limit="tok_1|usd|day")])
    known = {}
    of_a_node = families(msgspec.structs.replace(seen(tally), journal_bytes=1))
    of_a_dispatcher = dispatcher_families((), SinkCounts("hook", 0, 0, 0, 0, 0), None, GroupStanding(1, 2))
    for metric in (*(each for each in of_a_dispatcher if each.samples), *of_a_node):
        name = metric.name + ("_total" if metric.type == "counter" else "")
        labels = tuple(label for label in metric.samples[0].labels if label != "le")
        known[name] = (metric.type, labels)
    assert documented() == known


def test_the_reference_tells_of_the_bounds() -> None:
    """The figures on the page are those of the program."""
    figures = (f"{MOST_MODELS} models", f"{MOST_REQUEST_SETS:,} series", f"{MOST_SETS * 8:,}, and", f"{MOST_SETS} sets")
    assert [figure for figure in figures if figure not in " ".join(REFERENCE.split())] == []
    assert len(Usage.__struct_fields__) == 8
