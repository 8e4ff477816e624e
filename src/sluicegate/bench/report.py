"""What a run of `sluicegate benchmark` found, as a record, as JSON and as text."""

from collections.abc import Iterator

import msgspec

from sluicegate.bench.latency import Added, Distribution, added, distribution
from sluicegate.bench.load import Samples

_COLUMNS = ("p50", "p90", "p95", "p99", "p999", "maximum", "mean")


class Run(msgspec.Struct, frozen=True):
    """One address under load: answers and events in all and per second, errors by kind, distributions in milliseconds.

    `first_event` and `gap` (between two events of a stream) are None for what is not streamed.
    """

    url: str
    completed: int
    failed: int
    errors: dict[str, int]
    elapsed_seconds: float
    requests_per_second: float
    events: int
    events_per_second: float
    latency: Distribution | None
    first_event: Distribution | None
    gap: Distribution | None


class Report(msgspec.Struct, frozen=True):
    """A gateway, and the provider behind it asked directly if that was wanted. `method` says how load was made."""

    method: str
    gateway: Run
    direct: Run | None = None

    @property
    def added_latency(self) -> Added | None:
        """What the gateway adds to the whole answer, in milliseconds; None if it cannot be told."""
        return _added(self.gateway.latency, None if self.direct is None else self.direct.latency)

    @property
    def added_first_event(self) -> Added | None:
        """What the gateway adds to the first event of a stream."""
        return _added(self.gateway.first_event, None if self.direct is None else self.direct.first_event)


def run_of(url: str, samples: Samples) -> Run:
    """Sum up the samples of a load on `url`."""
    elapsed = samples.elapsed
    return Run(
        url=url,
        completed=samples.completed,
        failed=samples.failed,
        errors=dict(samples.errors.most_common()),
        elapsed_seconds=round(elapsed, 4),
        requests_per_second=round(samples.completed / elapsed, 2) if elapsed else 0.0,
        events=samples.events,
        events_per_second=round(samples.events / elapsed, 2) if elapsed else 0.0,
        latency=distribution(samples.latencies),
        first_event=distribution(samples.first_events),
        gap=distribution(samples.gaps),
    )


def as_json(report: Report) -> bytes:
    """Everything, with what the gateway adds."""
    known = msgspec.to_builtins(report)
    known["added_latency"] = msgspec.to_builtins(report.added_latency)
    known["added_first_event"] = msgspec.to_builtins(report.added_first_event)
    return msgspec.json.format(msgspec.json.encode(known), indent=1) + b"\n"


def as_text(report: Report) -> str:
    """A page for people."""
    lines = [report.method, *_told("gateway", report.gateway)]
    if report.direct is not None:
        lines += _told("direct", report.direct)
    for name, found in (("added latency", report.added_latency), ("added to first", report.added_first_event)):
        if found is not None:
            lines.append(f"{name:16}p50 {found.p50:+.3f} ms, p90 {found.p90:+.3f} ms, p99 {found.p99:+.3f} ms")
    return "\n".join(lines) + "\n"


def _told(name: str, run: Run) -> Iterator[str]:
    yield ""
    yield f"{name}: {run.url}"
    yield f"  {run.completed} answers in {run.elapsed_seconds:.2f} s, {run.requests_per_second:.1f} requests/s"
    if run.events:
        yield f"  {run.events} events, {run.events_per_second:.1f} events/s"
    yield f"  {run.failed} errors" + "".join(f"; {count} × {kind}" for kind, count in run.errors.items())
    told = [("latency", run.latency), ("first event", run.first_event), ("between events", run.gap)]
    rows = [(name, found) for name, found in told if found is not None]
    if rows:
        yield "  " + "ms".ljust(15) + "".join(f"{column:>10}" for column in _COLUMNS)
    for name, found in rows:
        yield f"  {name:15}" + "".join(f"{getattr(found, column):10.3f}" for column in _COLUMNS)


def _added(through: Distribution | None, direct: Distribution | None) -> Added | None:
    return None if through is None or direct is None else added(through, direct)
