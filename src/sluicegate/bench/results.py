"""What a comparison found: processor time, medians over its rounds, and ratios within the run; JSON and Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    delay: Delay


class Contender(msgspec.Struct, frozen=True):
    """One proxy in the whole run. `note` says why there are no figures, or fewer than were asked for."""

    name: str
    version: str
    requests: Cost | None = None
    events: Cost | None = None
    rounds: tuple[Round, ...] = ()
    streams: tuple[StreamMemory, ...] = ()
    note: str = ""


class Summary(msgspec.Struct, frozen=True):
    """One proxy: µs, ms, KB, s and MB as the names say; medians over its rounds, but for processor time."""

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
        return tuple(
            _summary(one.name, one.requests, one.events, one.rounds)
            for one in self.contenders
            if one.requests is not None and one.events is not None and one.rounds
        )


def _summary(name: str, requests: Cost, events: Cost, rounds: Sequence[Round]) -> Summary:
    failures = [requests.errors, events.errors, *(one.delay.errors for one in rounds)]
    return Summary(
        name,
        us_per_request=requests.microseconds,
        us_per_request_busiest=requests.busiest,
        us_per_event=events.microseconds,
        us_per_event_busiest=events.busiest,
        requests_per_second=requests.per_second,
        added_p50_ms=_median(one.delay.added.p50 for one in rounds),
        added_p99_ms=_median(one.delay.added.p99 for one in rounds),
        ready_s=_median(one.ready for one in rounds),
        idle_rss_mb=_median(one.idle.rss / 1024 for one in rounds),
        idle_pss_mb=_median(one.idle.pss / 1024 for one in rounds),
        errors=sum(sum(each.values()) for each in failures),
    )


Ratios = dict[str, dict[str, tuple[float, float]]]
"""For each reference that ran, the processor time of every proxy as a multiple of it: (per request, per event)."""


def ratios(summaries: Sequence[Summary]) -> Ratios:
    """Of whole proxies."""
    return _ratios({one.name: (one.us_per_request, one.us_per_event) for one in summaries})


def busiest_ratios(summaries: Sequence[Summary]) -> Ratios:
    """Of their busiest processes: of Sluicegate that is the worker, which everything passes through."""
    return _ratios({one.name: (one.us_per_request_busiest, one.us_per_event_busiest) for one in summaries})


def _ratios(costs: Mapping[str, tuple[float, float]]) -> Ratios:
    return {
        reference: {
            name: (_ratio(request, base[0]), _ratio(event, base[1])) for name, (request, event) in costs.items()
        }
        for reference in REFERENCES
        if (base := costs.get(reference)) is not None
    }


def as_json(comparison: Comparison) -> bytes:
    """Everything, the medians and ratios included."""
    known = msgspec.to_builtins(comparison)
    summaries = comparison.summaries
    known |= {"summaries": msgspec.to_builtins(summaries)}
    known |= {"ratios": ratios(summaries), "busiest_ratios": busiest_ratios(summaries)}
    return msgspec.json.format(msgspec.json.encode(known), indent=1) + b"\n"


def as_markdown(comparison: Comparison) -> str:
    """Tables for people."""
    machine, summaries = comparison.machine, comparison.summaries
    rounds = max((len(one.rounds) for one in comparison.contenders), default=0)
    parts = [
        f"# Comparison of {machine.date[:10]}" + (", the provider behind TLS" if comparison.is_tls else ""),
        f"{machine.processor}, {machine.cores} cores, {machine.memory} MB, Linux {machine.kernel}, "
        f"Python {machine.python}. Medians of {rounds} round{'s' if rounds != 1 else ''}.",
        _costs(summaries, comparison.contenders),
        *(
            _multiples(title, found)
            for title, found in (
                ("processor time", ratios(summaries)),
                ("of the busiest process", busiest_ratios(summaries)),
            )
            if found
        ),
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


def _multiples(title: str, found: Ratios) -> str:
    """A row for each proxy: what multiple of each reference's its costs are."""
    header = [title, *(f"{unit} / {name}'s" for name in found for unit in ("request", "event"))]
    names = next(iter(found.values()))
    rows = ([name, *(f"{value:.2f}" for reference in found.values() for value in reference[name])] for name in names)
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
