"""Feeding a sink from a journal on disk and from a stream in a real server, and ending in good order."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.config.redis_address import parse
from sluicegate.events.checkpoint_store import FileStore
from sluicegate.events.dispatcher import feed_from_journal, feed_from_stream
from sluicegate.events.reader import SegmentReader
from sluicegate.events.redis_stream import RedisStream
from sluicegate.events.sinks.base import ALL_KINDS, Event
from sluicegate.events.sinks.dead_letters import DeadLetters
from sluicegate.events.sinks.decisions import Plan
from sluicegate.events.sinks.engine import Engine
from tests.events.conftest import Shelf
from tests.ledger.valkey import Server


class Collecting:
    """A sink that keeps what it is given, or hangs where it is told to."""

    kinds = ALL_KINDS
    most_events = 100

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.arrival = asyncio.Event()
        self.hangs = False

    async def deliver(self, batch: Sequence[Event]) -> None:
        """Take them."""
        self.arrival.set()
        if self.hangs:
            await asyncio.Event().wait()
        self.ids += [event["request_id"] for event in batch]

    async def close(self) -> None:
        """Nothing is held."""

    async def until(self, *ids: str) -> None:
        """Wait for these."""
        async with asyncio.timeout(60):
            while not set(ids) <= set(self.ids):
                self.arrival.clear()
                await self.arrival.wait()


class Setting:
    """A journal, a sink, and what feeds the one from the other."""

    def __init__(self, shelf: Shelf, directory: Path, log: FilteringBoundLogger) -> None:
        self.shelf = shelf
        self.log = log
        self.letters = DeadLetters(directory / "dead.jsonl", largest_bytes=1_000_000, now=lambda: 0.0)
        self.store = FileStore(directory / "checkpoints" / "c.json", log=log)
        self.dead = directory / "dead.jsonl"

    def engine(self, sink: Collecting) -> Engine:
        """An engine for this sink."""
        return Engine("out", sink, Plan(), self.letters, chance=lambda: 0.0, log=self.log)

    async def feed(self, sink: Collecting, end: asyncio.Event, **options: Any) -> None:
        """Feed it until the end."""
        await feed_from_journal(
            self.engine(sink),
            SegmentReader(self.shelf.directory),
            self.store,
            **{"most_bytes": 1_000_000, "end": end, "clock": lambda: 0.0, "log": self.log, **options},
        )


@pytest.fixture
def setting(shelf: Shelf, tmp_path: Path, log: FilteringBoundLogger) -> Setting:
    """A setting whose other files are not among the segments."""
    shelf.directory = tmp_path / "events"
    shelf.directory.mkdir()
    return Setting(shelf, tmp_path, log)


def test_from_the_journal(setting: Setting, captured: LogCapture) -> None:
    """All there is and all that comes is delivered; after the end the next one goes on behind it."""

    async def work() -> None:
        setting.shelf.live()
        setting.shelf.add(setting.shelf.line("a") + setting.shelf.line("b"))
        end, sink = asyncio.Event(), Collecting()
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            tasks.create_task(setting.feed(sink, end))
            await sink.until("a", "b")
            setting.shelf.add(setting.shelf.line("c"))
            await sink.until("c")
            end.set()
        assert sink.ids == ["a", "b", "c"]
        setting.shelf.add(setting.shelf.line("d"))
        end, sink = asyncio.Event(), Collecting()
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            tasks.create_task(setting.feed(sink, end))
            await sink.until("d")
            end.set()
        assert sink.ids == ["d"]
        assert captured.entries == []

    asyncio.run(work())


def test_an_end_between_two_batches(setting: Setting, captured: LogCapture) -> None:
    """With a long backlog the end comes after the batch under way, whose checkpoint is kept: nothing comes twice."""

    async def work() -> None:
        lines = [f"e{number:04}" for number in range(2500)]
        setting.shelf.add(b"".join(map(setting.shelf.line, lines)))
        end, first = asyncio.Event(), Collecting()
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            tasks.create_task(setting.feed(first, end))
            await first.arrival.wait()
            end.set()
        assert len(first.ids) == 1000
        end, second = asyncio.Event(), Collecting()
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            tasks.create_task(setting.feed(second, end))
            await second.until(*lines[1000:])
            end.set()
        assert sorted(first.ids + second.ids) == lines
        assert captured.entries == []

    asyncio.run(work())


def test_an_end_that_cannot_wait(setting: Setting, captured: LogCapture) -> None:
    """What a sink does not take in the time of grace is given up, told, and delivered by the next one."""

    async def work() -> None:
        setting.shelf.add(setting.shelf.line("a"))
        end, stuck = asyncio.Event(), Collecting()
        stuck.hangs = True
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            tasks.create_task(setting.feed(stuck, end, grace=0.01))
            await stuck.arrival.wait()
            end.set()
        assert [entry["log_level"] for entry in captured.entries] == ["warning"]
        end, sink = asyncio.Event(), Collecting()
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            tasks.create_task(setting.feed(sink, end))
            await sink.until("a")
            end.set()

    asyncio.run(work())


def test_an_end_while_there_is_nothing(setting: Setting) -> None:
    """Where it waits for events it ends at once."""

    async def work() -> None:
        end = asyncio.Event()
        end.set()
        async with asyncio.timeout(60):
            await setting.feed(Collecting(), end)

    asyncio.run(work())


def test_too_far_behind(setting: Setting) -> None:
    """What the journal has no room for becomes dead letters, and is counted as such."""

    async def work() -> None:
        setting.shelf.add(setting.shelf.line("a") + setting.shelf.line("b"))
        end, sink = asyncio.Event(), Collecting()
        end_soon = asyncio.ensure_future(setting.feed(sink, end, most_bytes=10))
        async with asyncio.timeout(60):
            while not setting.dead.exists():
                # Its steps are in threads, which tell of nothing.
                await asyncio.to_thread(setting.shelf.directory.stat)
            end.set()
            await end_soon
        assert sink.ids == []
        replayed = Collecting()
        assert await setting.letters.replay(replayed.deliver) == 2
        assert replayed.ids == ["a", "b"]

    asyncio.run(work())


def test_from_a_stream(server: Server, setting: Setting, captured: LogCapture) -> None:
    """Events of a stream are delivered and acknowledged; what is no event is told and passed over."""

    async def work() -> None:
        stream = RedisStream(parse(server.url), "events", wait=0.05)
        await stream.add([b'{"kind":"exchange","request_id":"a"}', b"oops", b'{"request_id":"b"}'], most=10)
        end, sink = asyncio.Event(), Collecting()
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            feeding = feed_from_stream(setting.engine(sink), stream, replica="r1", end=end, log=setting.log)
            tasks.create_task(feeding)
            await sink.until("a", "b")
            end.set()
        await stream.close()
        assert sink.ids == ["a", "b"]
        assert [entry["event"] for entry in captured.entries] == ["entries that are no events are passed over"]

    asyncio.run(work())
    (group,) = server.call("XINFO GROUPS", "events")
    assert (group["name"], group["pending"], group["consumers"]) == ("out", 0, 0)
