"""What a comparison found: medians over its rounds and ratios within the same run, as JSON and Markdown."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import median

import msgspec

from sluicegate.bench.measure import Machine, Memory
from sluicegate.bench.sections import Cost, Delay, StreamMemory

REFERENCES = ("envoy", "nginx")
"""Proxies that every other one is compared with."""


class Round(msgspec.Struct, frozen=True):
    """One proxy in one round."""

    ready: float
    """Seconds from its start until it served."""
    idle: Memory
    requests: Cost
    events: Cost
    delay: Delay


class Contender(msgspec.Struct, frozen=True):
    """One proxy in the whole run. `note` says why there are no rounds, or fewer than were asked for."""

    name: str
    version: str
    rounds: tuple[Round, ...] = ()
    streams: tuple[StreamMemory, ...] = ()
    note: str = ""


class Summary(msgspec.Struct, frozen=True):
    """Medians of one proxy: µs, ms, KB, s and MB as the names say."""

    name: str
    us_per_request: float
    us_per_request_busiest: float
    us_per_event: float
    us_per_event_busiest: float
    requests_per_second: float
    added_p50_ms: float
    added_p99_ms: float
    ready_s: float
    idle_rss_mb: float
    idle_pss_mb: float
    errors: int


class Comparison(msgspec.Struct, frozen=True):
    """One run."""

    machine: Machine
    method: tuple[str, ...]
    is_tls: bool
    contenders: tuple[Contender, ...]

    @property
    def summaries(self) -> tuple[Summary, ...]:
        """Of all proxies that ran."""
        return tuple(summary(contender) for contender in self.contenders if contender.rounds)


def summary(contender: Contender) -> Summary:
    """Medians over the rounds, of which there must be one."""
    rounds = contender.rounds
    failures = (
        sum(errors.values()) for one in rounds for errors in (one.requests.errors, one.events.errors, one.delay.errors)
    )
    return Summary(
        contender.name,
        us_per_request=_median(one.requests.microseconds for one in rounds),
        us_per_request_busiest=_median(one.requests.busiest for one in rounds),
        us_per_event=_median(one.events.microseconds for one in rounds),
        us_per_event_busiest=_median(one.events.busiest for one in rounds),
        requests_per_second=_median(one.requests.per_second for one in rounds),
        added_p50_ms=_median(one.delay.added.p50 for one in rounds),
        added_p99_ms=_median(one.delay.added.p99 for one in rounds),
        ready_s=_median(one.ready for one in rounds),
        idle_rss_mb=_median(one.idle.rss / 1024 for one in rounds),
        idle_pss_mb=_median(one.idle.pss / 1024 for one in rounds),
        errors=sum(failures),
    )


def ratios(summaries: Sequence[Summary]) -> dict[str, dict[str, tuple[float, float]]]:
    """For each reference that ran, the processor time of every proxy as a multiple of it: (per request, per event)."""
    by_name = {one.name: one for one in summaries}
    return {
        reference: {
            one.name: (
                _ratio(one.us_per_request, by_name[reference].us_per_request),
                _ratio(one.us_per_event, by_name[reference].us_per_event),
            )
            for one in summaries
        }
        for reference in REFERENCES
        if reference in by_name
    }


def as_json(comparison: Comparison) -> bytes:
    """Everything, the medians and ratios included."""
    known = msgspec.to_builtins(comparison)
    summaries = comparison.summaries
    known |= {"summaries": msgspec.to_builtins(summaries), "ratios": ratios(summaries)}
    return msgspec.json.format(msgspec.json.encode(known), indent=1) + b"\n"


def as_markdown(comparison: Comparison) -> str:
    """Tables for people."""
    machine, summaries = comparison.machine, comparison.summaries
    parts = [
        f"# Comparison of {machine.date[:10]}" + (", the provider behind TLS" if comparison.is_tls else ""),
        f"{machine.processor}, {machine.cores} cores, {machine.memory} MB, Linux {machine.kernel}, "
        f"Python {machine.python}. Medians of {max((len(one.rounds) for one in comparison.contenders), default=0)} "
        "rounds.",
        _costs(summaries, comparison.contenders),
        *([_ratios(summaries)] if ratios(summaries) else []),
        *([_streams(comparison.contenders)] if any(one.streams for one in comparison.contenders) else []),
        "\n".join(f"- {name}: {note}" for name, note in _notes(comparison.contenders)),
        "## Method",
        "\n".join(f"- {sentence}" for sentence in comparison.method),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, the first column to the left and all others to the right."""
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _costs(summaries: Sequence[Summary], contenders: Sequence[Contender]) -> str:
    versions = {one.name: one.version for one in contenders}
    header = (
        "proxy",
        "version",
        "µs / request",
        "µs / event",
        "requests / s",
        "added p50, ms",
        "added p99, ms",
        "ready, s",
        "idle RSS, MB",
        "idle PSS, MB",
        "errors",
    )
    rows = (
        (
            one.name,
            versions[one.name],
            _with_part(one.us_per_request, one.us_per_request_busiest),
            _with_part(one.us_per_event, one.us_per_event_busiest),
            f"{one.requests_per_second:.0f}",
            f"{one.added_p50_ms:.3f}",
            f"{one.added_p99_ms:.3f}",
            f"{one.ready_s:.2f}",
            f"{one.idle_rss_mb:.1f}",
            f"{one.idle_pss_mb:.1f}",
            str(one.errors),
        )
        for one in summaries
    )
    return table(header, rows)


def _ratios(summaries: Sequence[Summary]) -> str:
    found = ratios(summaries)
    header = ["processor time", *(f"{unit} / {name}'s" for name in found for unit in ("request", "event"))]
    rows = (
        [one.name, *(f"{value:.2f}" for reference in found.values() for value in reference[one.name])]
        for one in summaries
    )
    return table(header, rows)


def _streams(contenders: Sequence[Contender]) -> str:
    counts = sorted({one.streams for contender in contenders for one in contender.streams})
    rows = []
    for contender in contenders:
        if contender.streams:
            by_count = {one.streams: one for one in contender.streams}
            rows.append([contender.name, *(_kilobytes(by_count.get(count)) for count in counts)])
    return table(["KB / open stream", *(f"{count} streams" for count in counts)], rows)


def _notes(contenders: Sequence[Contender]) -> Iterator[tuple[str, str]]:
    for contender in contenders:
        if contender.note:
            yield contender.name, contender.note
        for found in contender.streams:
            if found.note:
                yield contender.name, f"{found.streams} streams: {found.note}"


def _kilobytes(found: StreamMemory | None) -> str:
    if found is None or found.kilobytes is None:
        return "failed" if found else "–"
    return f"{found.kilobytes:.1f}"


def _with_part(whole: float, busiest: float) -> str:
    """The whole, and in brackets what of it was the busiest process's if that is not all."""
    return f"{whole:.1f}" if busiest > 0.99 * whole else f"{whole:.1f} ({busiest:.1f})"


def _median(values: Iterable[float]) -> float:
    return round(median(values), 4)


def _ratio(value: float, reference: float) -> float:
    return round(value / reference, 3) if reference else 0.0
