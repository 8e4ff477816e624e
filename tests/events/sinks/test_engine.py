"""One sink is fed: in batches, several at once, until each event has arrived or is a dead letter."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.config.schema import FilterSettings
from sluicegate.events.sinks.base import ALL_KINDS, EXCHANGES, DeliveryError, Event, PermanentError, TransientError
from sluicegate.events.sinks.dead_letters import DeadLetters
from sluicegate.events.sinks.decisions import Plan
from sluicegate.events.sinks.engine import Counts, Engine
from tests.events.sinks.contract import Naps, exchange

Doing = Callable[[Sequence[Event]], Awaitable[None]]


class Stub:
    """A sink that notes what it gets, and does what it is told."""

    most_events = 100

    def __init__(self, doing: Doing | None = None, kinds: frozenset[str] = EXCHANGES) -> None:
        """Without anything to do, all arrives."""
        self.kinds = kinds
        self.got: list[list[str]] = []
        self.doing = doing
        self.is_closed = False

    async def deliver(self, batch: Sequence[Event]) -> None:
        """Note it."""
        self.got.append([event["request_id"][-2:] for event in batch])
        if self.doing:
            await self.doing(batch)

    async def close(self) -> None:
        """Note it."""
        self.is_closed = True


Feed = Callable[..., Engine]


@pytest.fixture
def naps() -> Naps:
    """Pauses."""
    return Naps()


@pytest.fixture
def feed(dead: DeadLetters, log: FilteringBoundLogger, naps: Naps) -> Feed:
    """Deliver events to a sink; the engine that did."""

    def feed_it(
        sink: Stub,
        events: Sequence[Event],
        plan: Plan | None = None,
        *,
        filters: Sequence[FilterSettings] = (),
        select: Callable[[Event], Event] = lambda event: event,
    ) -> Engine:
        plan = plan or Plan(count=2, concurrency=1)
        engine = Engine("x", sink, plan, dead, chance=lambda: 0.5, log=log, filters=filters, select=select, sleep=naps)
        asyncio.run(engine.deliver(events))
        return engine

    return feed_it


def failing(*errors: Exception) -> Doing:
    """Raise each once, then nothing."""
    left = list(errors)

    async def fail(batch: Sequence[Event]) -> None:
        if left:
            raise left.pop(0)

    return fail


def test_events_go_in_batches(feed: Feed) -> None:
    """In their order, as many together as the plan has it; none means no request."""
    sink = Stub()
    engine = feed(sink, [exchange(number) for number in range(5)])
    assert sink.got == [["00", "01"], ["02", "03"], ["04"]]
    assert engine.counts == Counts(queued=5, sent=5)
    assert feed(sink, []).counts == Counts()


def test_only_what_is_wanted_goes(feed: Feed) -> None:
    """A sink's own kinds, of these what the filters let pass, of each the fields that are selected."""
    sink = Stub()
    events = [exchange(1), exchange(2, status_code=500), {"kind": "notice", "request_id": "n3"}, {"request_id": "04"}]
    engine = feed(
        sink,
        events,
        filters=[FilterSettings(field="status_code", at_least=500)],
        select=lambda event: {**event, "request_id": "selected"},
    )
    assert sink.got == [["ed"]]
    assert engine.counts == Counts(queued=1, sent=1, filtered=3)
    assert feed(Stub(kinds=ALL_KINDS), events[2:3]).counts.sent == 1


def test_several_requests_at_once(feed: Feed) -> None:
    """As many as the plan allows, and no more."""
    running, most, gate = [0], [0], asyncio.Event()

    async def hold(batch: Sequence[Event]) -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        if running[0] == 3:
            gate.set()
        await gate.wait()
        running[0] -= 1

    feed(Stub(hold), [exchange(number) for number in range(8)], Plan(count=1, concurrency=3))
    assert most == [3]


def test_troubles_are_told_once(feed: Feed, captured: LogCapture, naps: Naps) -> None:
    """When they begin, when they change, and when they are over."""
    busy = TransientError("busy")
    feed(Stub(failing(busy, busy, TransientError("away"))), [exchange()])
    assert [(line["log_level"], line.get("reason")) for line in captured.entries] == [
        ("warning", "busy"),
        ("warning", "away"),
        ("info", None),
    ]
    assert all(line["sink"] == "x" for line in captured.entries)
    assert naps.taken == [0.25, 0.5, 1.0]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermanentError("no"), "no"),
        (DeliveryError("odd"), "odd"),
        (KeyError("secret"), "the sink can make nothing of it: KeyError"),
        (ValueError("secret"), "the sink can make nothing of it: ValueError"),
    ],
)
def test_what_is_given_up_is_loud(
    feed: Feed, captured: LogCapture, tmp_path: Path, error: Exception, reason: str
) -> None:
    """It is a dead letter, counted, and an error in the log; a mistake of the sink's own stops nobody."""
    engine = feed(Stub(failing(error)), [exchange(1), exchange(2), exchange(3)])
    assert engine.counts == Counts(queued=3, sent=1, dead=2)
    (line,) = [line for line in captured.entries if line["log_level"] == "error"]
    assert (line["count"], line["lost"], line["reason"]) == (2, 0, reason)
    assert (tmp_path / "dead" / "x.jsonl").read_bytes().count(b"\n") == 2


def test_troubles_of_the_disk_pass(feed: Feed) -> None:
    """What a sink's file raises is tried again."""
    engine = feed(Stub(failing(OSError(28, "No space left on device"))), [exchange()])
    assert (engine.counts.sent, engine.counts.retries) == (1, 1)


def test_events_without_time_are_set_aside(feed: Feed, tmp_path: Path, captured: LogCapture) -> None:
    """As dead letters, as far as they are wanted."""
    sink = Stub()
    engine = feed(sink, [])
    asyncio.run(engine.set_aside([{"kind": "notice"}]))
    assert not captured.entries
    asyncio.run(engine.set_aside([exchange(1), {"kind": "notice"}]))
    assert (sink.got, engine.counts.dead, engine.counts.filtered) == ([], 1, 2)
    assert (tmp_path / "dead" / "x.jsonl").read_bytes().count(b"\n") == 1


def test_dead_letters_wait_for_the_disk(feed: Feed, tmp_path: Path, naps: Naps, captured: LogCapture) -> None:
    """Where the disk takes none, what is given up is tried to be kept until it does: the journal has it so long."""
    (tmp_path / "dead").write_text("")
    naps.then[2] = (tmp_path / "dead").unlink
    assert feed(Stub(failing(PermanentError("no"))), [exchange()]).counts == Counts(queued=1, dead=1)
    assert naps.taken == [0.25, 0.5]
    assert (tmp_path / "dead" / "x.jsonl").read_bytes().count(b"\n") == 1
    assert captured.entries[1]["reason"] == "dead letters cannot be kept: File exists"


def test_an_engine_closes_its_sink(feed: Feed) -> None:
    """And tells how it fares."""
    sink = Stub()
    engine = feed(sink, [exchange()])
    asyncio.run(engine.close())
    assert sink.is_closed
    assert repr(engine).startswith("<Engine x Counts(queued=1, sent=1")
