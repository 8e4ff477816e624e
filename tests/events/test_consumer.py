"""A consumer on a real directory of segments."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.domain.events import Exchange
from sluicegate.events.checkpoint import Checkpoint, CheckpointFile, Progress
from sluicegate.events.checkpoint_store import FileStore
from sluicegate.events.consumer import Consumer, Standing, Yielding
from sluicegate.events.reader import Batch, SegmentReader
from sluicegate.events.tail import EXCHANGES, EventT, Lines
from tests.events.conftest import Shelf


class StoppedError(Exception):
    """The scripted pauses are over."""


class Transactional:
    """A store whose checkpoint is kept by `handle`; it counts how often it is asked."""

    is_transactional = True

    def __init__(self) -> None:
        self.kept = Checkpoint()
        self.loads = 0

    async def load(self) -> Checkpoint:
        """What `handle` kept."""
        self.loads += 1
        return self.kept

    async def store(self, checkpoint: Checkpoint) -> None:
        """Keep it, as it has no events."""
        self.kept = checkpoint


class Bench:
    """A consumer of batches of two, whose handler does what it is told: raise, hang, or take the events."""

    def __init__(self, shelf: Shelf, directory: Path, log: FilteringBoundLogger) -> None:
        self.shelf = shelf
        self.log = log
        self.reader = SegmentReader(shelf.directory)
        self.path = directory / "checkpoints" / "test.json"
        self.file = FileStore(self.path, log=log)
        self.taken: list[str] = []
        self.aside: list[str] = []
        self.pauses: list[float] = []
        self.errors: list[BaseException] = []
        self.hangs = 0
        self.hanging = asyncio.Event()
        self.now = 100.0
        self.most_bytes = 1_000_000

    def consumer(self, *, is_optional: bool = False, store: Transactional | None = None) -> Consumer[Exchange]:
        """A new one, as after a restart."""
        return Consumer(
            "test",
            self.reader,
            EXCHANGES,
            self.handle,
            store or self.file,
            clock=lambda: self.now,
            log=self.log,
            largest_batch=2,
            pause=self.pause,
            yielding=Yielding(lambda: self.most_bytes, self.set_aside, patience=0.001) if is_optional else None,
        )

    async def handle(self, batch: Batch[Exchange]) -> None:
        """Do as told."""
        if self.hangs:
            self.hangs -= 1
            self.hanging.set()
            await asyncio.Event().wait()
        if self.errors:
            raise self.errors.pop(0)
        self.taken += names(batch.events)

    async def set_aside(self, batch: Batch[Exchange]) -> None:
        """Keep them elsewhere."""
        self.aside += names(batch.events)

    async def pause(self, seconds: float) -> None:
        """Note how long; three of them are enough."""
        self.pauses.append(seconds)
        if len(self.pauses) == 3:
            raise StoppedError

    def write(self, *names: str) -> None:
        """Add exchanges of these names."""
        self.shelf.add(b"".join(map(self.shelf.line, names)))


def names(events: Iterable[Exchange]) -> list[str]:
    """The requests."""
    return [event.request_id for event in events]


@pytest.fixture
def bench(shelf: Shelf, tmp_path: Path, log: FilteringBoundLogger) -> Bench:
    """An empty journal with a live writer."""
    shelf.live()
    return Bench(shelf, tmp_path, log)


def look(consumer: Consumer[Exchange], times: int = 1) -> bool:
    """Look, so many times."""

    async def looks() -> bool:
        return [await consumer.look() for _ in range(times)][-1]

    return asyncio.run(looks())


def test_everything_is_handled_once_in_order(bench: Bench) -> None:
    """In batches, whatever was there before and whatever comes."""
    consumer = bench.consumer()
    bench.write("a", "b", "c", "d", "e")
    assert look(consumer)
    bench.write("f")
    assert look(consumer)
    assert bench.taken == ["a", "b", "c", "d", "e", "f"]
    assert repr(consumer) == "<Consumer test events=6 well>"


def test_the_next_one_goes_on_where_this_one_stopped(bench: Bench) -> None:
    """From its file, after a restart."""
    bench.write("a", "b", "c")
    look(bench.consumer())
    bench.write("d")
    successor = bench.consumer()
    look(successor)
    assert bench.taken == ["a", "b", "c", "d"]
    assert successor.checkpoint == CheckpointFile(bench.path).load()


def test_what_fails_is_tried_again(bench: Bench, captured: LogCapture) -> None:
    """The same events, with one line in the log when it begins and one when it is over."""
    consumer = bench.consumer()
    bench.write("a", "b", "c")
    bench.errors = [RuntimeError("the first" + "!" * 1_000), ValueError(), asyncio.CancelledError()]
    assert not look(consumer, 3)
    assert bench.taken == []
    assert consumer.standing().last_error == "CancelledError"
    assert look(consumer)
    assert bench.taken == ["a", "b", "c"]
    assert consumer.standing().errors_total == 3
    assert consumer.standing().last_error is None
    assert captured.entries == [
        {
            "event": "events cannot be consumed",
            "log_level": "error",
            "consumer": "test",
            "error": "RuntimeError",
            "reason": "the first" + "!" * 291,
        },
        {"event": "over: events cannot be consumed", "log_level": "info", "consumer": "test"},
    ]


def test_pauses_grow_while_it_fails(bench: Bench) -> None:
    """And are short again once it works."""
    bench.write("a")
    bench.errors = [RuntimeError()] * 2
    with pytest.raises(StoppedError):
        asyncio.run(bench.consumer().run())
    assert bench.pauses == [2.0, 4.0, 1.0]


def test_a_pause_has_a_bound(bench: Bench) -> None:
    """However long it fails."""
    consumer = bench.consumer()
    bench.write("a")
    bench.errors = [RuntimeError()] * 50
    look(consumer, 47)
    with pytest.raises(StoppedError):
        asyncio.run(consumer.run())
    assert bench.pauses == [30.0] * 3


def test_a_checkpoint_that_cannot_be_stored_repeats_nothing(bench: Bench) -> None:
    """As long as the process lives, it knows how far it is; and stores that as soon as it can."""
    consumer = bench.consumer()
    look(consumer)
    bench.write("a", "b", "c")
    hidden = bench.path.with_name(".test.json.new")
    hidden.mkdir()
    assert not look(consumer, 3)
    assert bench.taken == ["a", "b"]
    hidden.rmdir()
    assert look(consumer)
    assert bench.taken == ["a", "b", "c"]
    assert CheckpointFile(bench.path).load() == consumer.checkpoint


def test_after_a_failure_the_database_is_asked(bench: Bench) -> None:
    """Where the transaction counts although its connection was lost in the commit, nothing is handled twice."""
    store = Transactional()
    consumer = bench.consumer(store=store)
    bench.write("a", "b", "c")
    store.kept = Checkpoint()
    look(consumer)
    assert store.loads == 1
    bench.write("d", "e")
    after_d = Progress(1, len(b"".join(map(bench.shelf.line, "abcd"))))
    bench.errors = [ConnectionError("lost in the commit")]
    assert not look(consumer)
    store.kept = Checkpoint({"000-a": after_d})
    assert look(consumer)
    assert store.loads == 2
    assert bench.taken == ["a", "b", "c", "e"]


class Counting(SegmentReader):
    """Counts how often it reads."""

    readings = 0

    def read_as(self, lines: Lines[EventT], checkpoint: Checkpoint, max_events: int) -> Batch[EventT]:
        """Read."""
        self.readings += 1
        return super().read_as(lines, checkpoint, max_events)


def test_an_idle_journal_is_not_read(bench: Bench) -> None:
    """Only until two looks saw the same; what is written after that is read at the next."""
    reader = bench.reader = Counting(bench.shelf.directory)
    consumer = bench.consumer()
    bench.write("a")
    assert look(consumer, 3)
    before = reader.readings
    assert look(consumer, 5)
    assert reader.readings == before
    bench.write("b")
    assert look(consumer)
    assert bench.taken == ["a", "b"]


def test_how_it_stands(bench: Bench) -> None:
    """Backlog in bytes, and how long it has not caught up; nobody knows before it once has."""
    consumer = bench.consumer()
    bench.write("a", "b", "c")
    size = len(bench.shelf.line("a"))
    assert consumer.standing() == Standing("test", 3 * size, None, 0, 0, 0, 0, None, is_optional=False)
    look(consumer)
    bench.shelf.add(b"damage\n")
    look(consumer)
    bench.now = 107.5
    assert consumer.standing() == Standing("test", 0, 0.0, 3, 0, 1, 0, None, is_optional=False)
    bench.write("d")
    bench.errors = [KeyError("d")]
    look(consumer)
    assert consumer.standing() == Standing("test", size, 7.5, 3, 1, 1, 0, "KeyError", is_optional=False)


def test_what_cannot_be_read_is_told(bench: Bench, captured: LogCapture) -> None:
    """Once, with the first place and how many there are; what is around them is handled."""
    consumer = bench.consumer()
    bench.write("a")
    size = len(bench.shelf.line("a"))
    bench.shelf.add(b"\x00\x00\n[1]\n")
    bench.write("b")
    assert look(consumer, 3)
    assert bench.taken == ["a", "b"]
    (entry,) = captured.entries
    assert (entry["log_level"], entry["consumer"], entry["places"], entry["offset"]) == ("error", "test", 2, size)
    assert entry["segment"].endswith(".jsonl")
    assert entry["reason"].startswith("not an event: ")


def test_rest_is_no_lag(bench: Bench) -> None:
    """What comes after an hour of nothing is not an hour late."""
    consumer = bench.consumer()
    look(consumer, 3)
    bench.now = 3700.0
    look(consumer)
    bench.write("a")
    bench.now = 3700.5
    assert consumer.standing().lag_seconds == 0.5


def test_an_optional_one_that_keeps_up_is_like_any_other(bench: Bench) -> None:
    """Its failures are failures, and nothing is set aside."""
    consumer = bench.consumer(is_optional=True)
    bench.write("a", "b", "c")
    bench.errors = [RuntimeError()]
    assert not look(consumer)
    assert look(consumer)
    assert (bench.taken, bench.aside) == (["a", "b", "c"], [])
    assert consumer.standing().is_optional


def test_one_that_takes_its_time_is_waited_for(bench: Bench) -> None:
    """As long as there is room: no batch is begun anew because it is slow."""
    consumer = bench.consumer(is_optional=True)
    bench.write("a")
    done = asyncio.Event()
    asked: list[int] = []

    def most_bytes() -> int:
        asked.append(1)
        if len(asked) == 4:
            done.set()
        return bench.most_bytes

    async def handle(batch: Batch[Exchange]) -> None:
        await done.wait()
        bench.taken += names(batch.events)

    consumer._handle = handle
    consumer._yielding = Yielding(most_bytes, bench.set_aside, patience=0.001)
    assert look(consumer)
    assert (bench.taken, bench.aside) == (["a"], [])
    # Once more, perhaps, before it is noticed that the batch is done.
    assert len(asked) >= 4


def test_an_optional_one_that_hangs_gives_way(bench: Bench, captured: LogCapture) -> None:
    """Its oldest events are set aside until it is behind half of what it may be; then it is handed the rest."""
    consumer = bench.consumer(is_optional=True)
    size = len(bench.shelf.line("a"))
    bench.most_bytes = 10 * size
    bench.hangs = 1
    bench.write(*"abcdefgh")

    async def fall_behind() -> None:
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(consumer.look())
            await bench.hanging.wait()
            assert not looking.done()
            bench.write(*"ijklm")

    asyncio.run(fall_behind())
    assert "".join(bench.aside) == "abcdefgh"
    assert "".join(bench.taken) == "ijklm"
    assert consumer.standing().set_aside_total == 8
    assert [(entry["event"], entry["log_level"]) for entry in captured.entries] == [
        ("a consumer gives way: its oldest events are set aside", "error"),
        ("a consumer has given way", "warning"),
    ]


def test_what_cannot_be_set_aside_stays(bench: Bench) -> None:
    """A full disk is a failure like any other: nothing is passed over."""
    consumer = bench.consumer(is_optional=True)
    bench.most_bytes = 0
    bench.write("a")

    async def refuse(batch: Batch[Exchange]) -> None:
        raise OSError(28, "no space")

    consumer._yielding = Yielding(lambda: 0, refuse)
    assert not look(consumer)
    assert consumer.standing().last_error == "OSError"
    consumer._yielding = Yielding(lambda: 0, bench.set_aside)
    assert look(consumer)
    assert (bench.aside, bench.taken) == (["a"], [])


def test_to_end_it_ends_its_work(bench: Bench) -> None:
    """A batch under way is given up when the process ends, by an optional one too."""
    bench.write("a")
    for is_optional in (False, True):
        bench.hangs, bench.hanging = 1, asyncio.Event()

        async def end(consumer: Consumer[Exchange]) -> None:
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(consumer.run())
                await bench.hanging.wait()
                running.cancel()

        asyncio.run(end(bench.consumer(is_optional=is_optional)))
    assert bench.taken == []
