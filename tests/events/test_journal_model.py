"""Writers and readers of a journal against a model of it, in any order of events hypothesis can think of.

Two workers write; their disks fill up, tear lines, refuse to cut them off; the workers die anywhere, also in the middle
of a write, and come back. Two consumers read, in pieces of any size, also in the middle of a write, and crash before
they keep what they read; segments are deleted behind them. Whatever happens, each consumer ends up with each exchange
that was written once, in order, and with the guess of each pending one whose writer died.
"""

import errno
import math
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sluicegate.domain.events import Exchange, Line, Metadata, Pending
from sluicegate.events.checkpoint import Checkpoint, decoded, encoded
from sluicegate.events.disposal import Disposal
from sluicegate.events.reader import SegmentReader
from sluicegate.events.retention import Bounds
from sluicegate.gateway.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS = st.integers(0, 1)
CONSUMERS = st.integers(0, 1)
BATCHES = st.integers(2, 9)
FREE = st.one_of(st.just(1 << 20), st.integers(0, 700))
ROOMY = Bounds(1 << 40, longest_seconds=0)
"""Never full, and nothing is kept once it is read."""


class Writer:
    """One incarnation of a worker: a journal on a disk that can refuse, and what was given to it."""

    def __init__(self, directory: Path, worker: int, start: int) -> None:
        """Open the journal; segments have room for about three lines."""
        self.name = f"{worker:03d}-{start:04d}"
        self.appended: list[Line] = []
        self.open_pending: list[str] = []
        self.free = 1 << 20
        self.can_truncate = True
        self.during_write: Callable[[], object] = bool
        self.torn: set[int] = set()
        self.is_alive = True
        self.cut_short: list[Line] = []
        self.journal = Journal(
            directory,
            worker,
            f"{start:04d}",
            schedule=lambda flush: None,
            on_error=lambda state, reason: None,
            segment_bytes=600,
            write=self.write,
            truncate=self.truncate,
        )

    def write(self, file: int, data: bytes) -> int:
        """Write what fits, and let somebody look at once."""
        if not self.free:
            raise OSError(errno.ENOSPC, "full")
        taken = os.write(file, data[: self.free])
        self.free -= taken
        self.during_write()
        return taken

    def truncate(self, file: int, size: int) -> None:
        """Truncate if that works today."""
        if not self.can_truncate:
            raise OSError(errno.EIO, "broken")
        os.ftruncate(file, size)

    def append(self, line: Line) -> None:
        """Give the journal a line."""
        self.appended.append(line)
        self.journal.append(line)

    def flush(self) -> None:
        """Flush, and note where a torn line was left."""
        self.journal.flush()
        if self.journal._is_torn:
            self.torn.add(self.journal._number)

    def kill(self, cut: float) -> None:
        """Die: in the middle of a flush that had handed over `cut` of its bytes, unless the disk was refusing."""
        unflushed = self.appended[self.journal.written :]
        if not self.journal.held:
            data = msgspec.json.Encoder().encode_lines(unflushed)
            data = data[: int(len(data) * cut)]
            if data:
                os.write(self.journal._file, data)
            if data and not data.endswith(b"\n"):
                self.torn.add(self.journal._number)
            self.cut_short = unflushed[: data.count(b"\n")]
        self.is_alive = False
        os.close(self.journal._file)

    def close(self) -> None:
        """End as a worker does that is told to."""
        self.journal.close()
        self.is_alive = False

    @property
    def lines(self) -> list[Line]:
        """What is in the files."""
        return self.appended[: self.journal.written] + self.cut_short

    @property
    def expected(self) -> list[Exchange]:
        """What a consumer that has read everything must have got."""
        events: list[Exchange] = []
        guesses: dict[str, Exchange] = {}
        for line in self.lines:
            if isinstance(line, Pending):
                guesses[line.request_id] = line.exchange
            elif isinstance(line, Exchange):
                guesses.pop(line.request_id, None)
                events.append(line)
        return events if self.is_alive else events + list(guesses.values())


class Consumer:
    """Keeps a checkpoint and its events in what stands for one transaction."""

    def __init__(self, reader: SegmentReader) -> None:
        """Begin before everything."""
        self.reader = reader
        self.kept = encoded(Checkpoint())
        self.events: dict[str, list[Exchange]] = {}
        self.damaged: list[str] = []

    def read(self, max_events: int, *, is_crashing: bool = False) -> bool:
        """Read a batch, keep it unless crashing, return whether it was all there was."""
        batch = self.reader.read(decoded(self.kept), max_events)
        assert len(batch.events) <= max_events
        if is_crashing:
            return False
        self.kept = encoded(batch.checkpoint)
        self.damaged += [damage.segment for damage in batch.damages]
        for event in batch.events:
            self.events.setdefault(event.project_id, []).append(event)
        return len(batch.events) < max_events


class JournalModel(RuleBasedStateMachine):
    """What may happen to a journal, and what must hold."""

    def __init__(self) -> None:
        """Begin with two workers and two consumers on an empty directory."""
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="journal"))
        self.reader = SegmentReader(self.directory)
        self.disposal = Disposal(self.directory)
        self.consumers = [Consumer(self.reader), Consumer(self.reader)]
        self.starts = 0
        self.ids = 0
        self.writers: list[Writer] = []
        self.current = [self.start(0), self.start(1)]

    def start(self, worker: int) -> Writer:
        """Start a worker anew."""
        self.starts += 1
        writer = Writer(self.directory, worker, self.starts)
        self.writers.append(writer)
        return writer

    def exchange(self, writer: Writer, request_id: str, *, is_guess: bool = False) -> Exchange:
        """Make an exchange that shows who wrote it and whether its usage is a guess."""
        return Exchange(
            request_id, "now", "t", writer.name, "o", "/", "POST", 200, 1.0, Metadata(), is_estimated=is_guess
        )

    def new_id(self) -> str:
        """Make a request id."""
        self.ids += 1
        return f"req_{self.ids}"

    @rule(worker=WORKERS, count=st.integers(1, 4))
    def append(self, worker: int, count: int) -> None:
        """A worker finishes exchanges."""
        writer = self.current[worker]
        for _ in range(count):
            writer.append(self.exchange(writer, self.new_id()))

    @rule(worker=WORKERS)
    def append_pending(self, worker: int) -> None:
        """A worker finishes an exchange whose usage must be counted."""
        writer = self.current[worker]
        request_id = self.new_id()
        writer.append(Pending(request_id, self.exchange(writer, request_id, is_guess=True)))
        writer.open_pending.append(request_id)

    @precondition(lambda self: any(writer.open_pending for writer in self.current))
    @rule(data=st.data())
    def resolve(self, data: st.DataObject) -> None:
        """A count comes in, in any order."""
        writer = data.draw(st.sampled_from([each for each in self.current if each.open_pending]))
        request_id = data.draw(st.sampled_from(writer.open_pending))
        writer.open_pending.remove(request_id)
        writer.append(self.exchange(writer, request_id))

    @rule(worker=WORKERS)
    def flush(self, worker: int) -> None:
        """A turn of a worker's loop ends."""
        self.current[worker].flush()

    @rule(worker=WORKERS, consumer=CONSUMERS, max_events=BATCHES)
    def flush_watched(self, worker: int, consumer: int, max_events: int) -> None:
        """A consumer reads after each part of a write."""
        writer = self.current[worker]
        writer.during_write = lambda: self.consumers[consumer].read(max_events)
        writer.flush()
        writer.during_write = bool

    @rule(worker=WORKERS, free=FREE, can_truncate=st.booleans())
    def change_disk(self, worker: int, free: int, can_truncate: bool) -> None:
        """A disk fills up, or gets room."""
        self.current[worker].free = free
        self.current[worker].can_truncate = can_truncate

    @rule(worker=WORKERS, cut=st.floats(0, 1))
    def kill(self, worker: int, cut: float) -> None:
        """A worker dies and is started again."""
        self.current[worker].kill(cut)
        self.current[worker] = self.start(worker)

    @rule(worker=WORKERS)
    def close(self, worker: int) -> None:
        """A worker ends and is started again."""
        writer = self.current[worker]
        writer.free = 1 << 20
        writer.flush()
        writer.close()
        self.current[worker] = self.start(worker)

    @rule(consumer=CONSUMERS, max_events=BATCHES, is_crashing=st.booleans())
    def read(self, consumer: int, max_events: int, is_crashing: bool) -> None:
        """A consumer reads; where it got less than it asked for, it must have got everything."""
        if self.consumers[consumer].read(max_events, is_crashing=is_crashing):
            self.check_complete(self.consumers[consumer])

    @rule()
    def catch_up(self) -> None:
        """All consumers read all there is."""
        for consumer in self.consumers:
            while not consumer.read(100):
                continue
            self.check_complete(consumer)

    @rule()
    def delete(self) -> None:
        """What all consumers have passed is deleted, and nothing else, as long as there is room."""
        checkpoints = [decoded(consumer.kept) for consumer in self.consumers]
        assert self.disposal.dispose(checkpoints, ROOMY, now=math.inf).unread == ()

    @invariant()
    def nothing_twice_and_nothing_out_of_order(self) -> None:
        """What a consumer has is always a beginning of what it must get."""
        for consumer in self.consumers:
            for writer in self.writers:
                got = consumer.events.get(writer.name, [])
                assert got == writer.expected[: len(got)]

    def check_complete(self, consumer: Consumer) -> None:
        """Check that a consumer has everything."""
        for writer in self.writers:
            assert consumer.events.get(writer.name, []) == writer.expected

    def teardown(self) -> None:
        """In the end all workers are gone: everything was read, all damage was told, every file can go."""
        try:
            for writer in self.current:
                writer.kill(0)
            torn = {f"{each.name}-{number:08d}.jsonl" for each in self.writers for number in each.torn}
            self.catch_up()
            for consumer in self.consumers:
                assert sorted(consumer.damaged) == sorted(torn)
            self.delete()
            assert list(self.directory.iterdir()) == []
            assert self.reader.read(decoded(self.consumers[0].kept), 1).checkpoint == Checkpoint()
        finally:
            shutil.rmtree(self.directory)


JournalModel.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestJournalModel = JournalModel.TestCase
"""Any sequence of the rules above leaves every consumer with every event, once and in order."""
