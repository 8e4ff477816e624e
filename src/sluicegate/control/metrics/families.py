"""Everything that a scrape shows, in the words of Prometheus. The lists below are the authority for its names.

Counters of events go on where they were after a restart; those of parts of this process begin anew, as usual.
"""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from sluicegate import __version__
from sluicegate.control.metrics.processes import ProcessFacts
from sluicegate.control.metrics.sources import Seen, SinkCounts
from sluicegate.control.metrics.tables import Counts, Histogram
from sluicegate.control.metrics.tally import Tally
from sluicegate.domain.money import NANO
from sluicegate.events.consumer import Standing
from sluicegate.events.sinks.feeding import consumer_name
from sluicegate.events.stream_group import GroupStanding

PREFIX: Final = "sluicegate_"


class Counted(NamedTuple):
    """A counter or histogram of events: its name, which of the tally's attributes it shows, its labels."""

    name: str
    told: str
    attribute: str
    labels: tuple[str, ...] = ()
    unit: int = 1
    """What its values are divided by."""


COUNTERS: Final = (
    Counted(
        "requests",
        "Requests, by the route that was taken, the model that answered, its provider and the status the client got.",
        "requests",
        ("route", "model", "provider", "status"),
    ),
    Counted(
        "tokens",
        "Tokens, by type: input and output are all of them, every other type is a part of one of the two.",
        "tokens",
        ("type", "model", "provider"),
    ),
    Counted("cost_usd", "Cost by the price list, in US dollars.", "cost", ("model", "provider"), NANO),
    Counted("upstream_attempts", "Attempts at providers, by what came of them.", "attempts", ("outcome",)),
    Counted("limited", "Requests refused and streams ended by a limit.", "limited", ("limit",)),
    Counted("shadow_limited", "Requests that a limit in shadow mode would have refused.", "shadow_limited", ("limit",)),
    Counted("degraded", "Requests let through while the ledger could not be asked.", "degraded"),
    Counted("client_disconnects", "Requests whose client left before the answer was complete.", "disconnected"),
)

HISTOGRAMS: Final = (
    Counted(
        "request_duration_seconds",
        "From a request's first byte to its answer's last.",
        "duration",
        ("route", "provider"),
    ),
    Counted(
        "time_to_first_token_seconds",
        "From a request's first byte to the first byte of the answer's body, of streams.",
        "first_token",
        ("model", "provider"),
    ),
    Counted("overhead_seconds", "Time that the gateway itself added to what was answered at once.", "overhead"),
)


class Shown(NamedTuple):
    """One metric of a row of things: its name, what it tells, the attribute that it shows, and whether it counts."""

    name: str
    told: str
    attribute: str
    is_counter: bool = False


CONSUMERS: Final = (
    Shown("consumer_backlog_bytes", "Bytes of the journal that a consumer has not read.", "backlog_bytes"),
    Shown("consumer_lag_seconds", "Age of the oldest event that a consumer has not handled, at most.", "lag_seconds"),
    Shown("consumer_events", "Events that a consumer has handled.", "events_total", is_counter=True),
    Shown("consumer_errors", "Failures of a consumer; it tries again.", "errors_total", is_counter=True),
    Shown("consumer_damages", "Places that a consumer could not read.", "damages_total", is_counter=True),
    Shown("consumer_set_aside", "Events an optional consumer gave way with.", "set_aside_total", is_counter=True),
)

SINKS: Final = (
    Shown("events_queued", "Events that a sink has taken.", "queued", is_counter=True),
    Shown("events_sent", "Events that have arrived where a sink sends them.", "sent", is_counter=True),
    Shown("events_dropped", "Events that are lost to a sink.", "dropped", is_counter=True),
    Shown("events_dead", "Events that a sink kept as dead letters.", "dead", is_counter=True),
    Shown("sink_retries", "Requests to a sink that were sent again.", "retries", is_counter=True),
)

GROUPS: Final = (
    Shown("stream_lag_entries", "Entries of the stream that no dispatcher of a sink has taken yet.", "lag"),
    Shown("stream_pending_entries", "Entries that dispatchers of a sink have taken, and not delivered.", "pending"),
)

PROCESSES: Final = (
    Shown("process_cpu_seconds", "Processor time of a process.", "cpu_seconds", is_counter=True),
    Shown("process_resident_memory_bytes", "Memory of a process.", "resident_bytes"),
    Shown("process_open_fds", "Open files and connections of a process.", "open_files"),
    Shown("process_start_time_seconds", "When a process started, in Unix seconds.", "started"),
)


def families(seen: Seen) -> Iterator[Metric]:
    """All metrics, read off while nothing waits for it: what `seen` holds may change meanwhile."""
    yield from _of_events(seen.tally)
    yield from _of_the_node(seen)
    local = ((consumer_name(one.sink), one) for one in seen.dispatched)
    yield from _rows(CONSUMERS, "consumer", (*((one.name, one) for one in seen.consumers), *local))
    yield from _rows(SINKS, "sink", ((one.name, one) for one in seen.sinks))
    groups = {one.sink: one.group for one in seen.dispatched if one.group is not None}
    yield from _rows(GROUPS, "sink", groups.items())
    yield from _rows(PROCESSES, "process", seen.processes.items())
    yield from _of_journals(seen)


def dispatcher_families(
    consumers: Iterable[Standing],
    sink: SinkCounts,
    process: ProcessFacts | None,
    group: GroupStanding | None,
) -> Iterator[Metric]:
    """The metrics of a dispatcher; `group` is that of its sink where it reads a stream that can be asked."""
    yield _build()
    yield from _rows(CONSUMERS, "consumer", ((one.name, one) for one in consumers))
    yield from _rows(GROUPS, "sink", () if group is None else ((sink.name, group),))
    yield from _rows(SINKS, "sink", ((sink.name, sink),))
    yield from _rows(PROCESSES, "process", () if process is None else (("dispatcher", process),))


def _of_events(tally: Tally) -> Iterator[Metric]:
    for row in COUNTERS:
        yield _counter(row, getattr(tally, row.attribute))
    for row in HISTOGRAMS:
        yield _histogram(row, getattr(tally, row.attribute))


def _counter(row: Counted, counts: Counts) -> Metric:
    family = CounterMetricFamily(PREFIX + row.name, row.told, labels=row.labels)
    for key, value in counts.items() or _nothing(row):
        family.add_metric(key, value / row.unit)
    return family


def _nothing(row: Counted) -> Iterable[tuple[tuple[str, ...], int]]:
    """What has no labels is there from the beginning: nothing is 0 of it."""
    return () if row.labels else (((), 0),)


def _histogram(row: Counted, histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(PREFIX + row.name, row.told, labels=row.labels)
    bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
    for one in histogram.observed():
        family.add_metric(one.key, list(zip(bounds, accumulate(one.counts), strict=True)), one.total)
    return family


def _of_the_node(seen: Seen) -> Iterator[Metric]:
    yield _build()
    workers = GaugeMetricFamily(PREFIX + "workers", "Workers, by state; who is ready is connected.", labels=("state",))
    workers.add_metric(("connected",), seen.connected)
    workers.add_metric(("ready",), seen.ready)
    yield workers
    inflight = GaugeMetricFamily(
        PREFIX + "inflight", "Requests under way at a provider.", labels=("provider", "deployment")
    )
    circuits = GaugeMetricFamily(
        PREFIX + "circuit_state",
        "The worst that a worker tells of a deployment: 0 closed, 1 half open, 2 open.",
        labels=("provider", "deployment"),
    )
    for one in seen.deployments:
        inflight.add_metric((one.provider, one.id), one.busy)
        circuits.add_metric((one.provider, one.id), one.circuit)
    yield inflight
    yield circuits
    yield _gauge("configuration_version", "Version of the configuration in force.", seen.version)
    yield _gauge("configuration_refused", "1 where a newer configuration was refused.", int(seen.is_newer_refused))
    yield _gauge("ledger_up", "1 where limits can be counted.", int(not seen.is_ledger_away))
    yield CounterMetricFamily(
        PREFIX + "ledger_absences", "How often the ledger could not be asked any more.", value=seen.ledger_absences
    )


def _of_journals(seen: Seen) -> Iterator[Metric]:
    yield _gauge("journal_bytes", "Bytes of all segment files of events.", seen.journal_bytes)
    states = GaugeMetricFamily(
        PREFIX + "journal_state",
        "What happens to a worker's events: 0 written, 1 held in memory, 2 lost.",
        labels=("process",),
    )
    for name, state in seen.journals.items():
        states.add_metric((name,), state)
    yield states
    yield CounterMetricFamily(
        PREFIX + "journal_lost_events", "Events that workers could not write and have lost.", value=seen.events_lost
    )


def _build() -> Metric:
    build = GaugeMetricFamily(PREFIX + "build_info", "1, with the version of the program.", labels=("version",))
    build.add_metric((__version__,), 1)
    return build


def _gauge(name: str, told: str, value: float | None) -> Metric:
    return GaugeMetricFamily(PREFIX + name, told, value=value)


def _rows(table: Iterable[Shown], label: str, rows: Iterable[tuple[str, object]]) -> Iterator[Metric]:
    """Each metric of a table, for each row; a row has no sample where it does not know."""
    known = list(rows)
    for shown in table:
        kind = CounterMetricFamily if shown.is_counter else GaugeMetricFamily
        family = kind(PREFIX + shown.name, shown.told, labels=(label,))
        for name, row in known:
            value: float | None = getattr(row, shown.attribute, None)
            if value is not None:
                family.add_metric((name,), value)
        yield family
