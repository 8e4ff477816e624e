"""The consumer that counts, on a real journal."""

import asyncio
from pathlib import Path

import msgspec
from structlog.typing import FilteringBoundLogger

from sluicegate.control.metrics.counting import SLICE, metrics_consumer
from sluicegate.control.metrics.measured import Measured
from sluicegate.control.metrics.tally import Tally
from sluicegate.domain.events import Pending
from sluicegate.events.consumer import Consumer
from tests.control.metrics.events import exchange

KEY = ("model", "gpt", "openai", "200")


class Journal:
    """The segments of two workers, and who counts what is in them."""

    def __init__(self, data_dir: Path, log: FilteringBoundLogger) -> None:
        self.data_dir = data_dir
        self.log = log
        self.tally = Tally()
        self.unwritable = data_dir / "checkpoints" / ".metrics.json.new"
        """Where a directory of this name is, the counters cannot be kept."""
        (data_dir / "events").mkdir()

    def write(self, worker: int, *names: str) -> None:
        """A worker appends an exchange of each name."""
        with (self.data_dir / "events" / f"{worker:03d}-a-00000001.jsonl").open("ab") as segment:
            segment.writelines(msgspec.json.encode(exchange(name)) + b"\n" for name in names)

    def pend(self, worker: int, name: str) -> None:
        """A worker appends a pending line, which an exchange replaces."""
        with (self.data_dir / "events" / f"{worker:03d}-a-00000001.jsonl").open("ab") as segment:
            segment.write(msgspec.json.encode(Pending(name, exchange(name))) + b"\n")

    def started(self) -> Consumer[Measured]:
        """Who counts, after a restart."""
        self.tally = Tally()
        return metrics_consumer(self.tally, self.data_dir, clock=lambda: 1.0, log=self.log)

    def counted(self) -> int:
        """How many requests were counted."""
        return dict(self.tally.requests.items()).get(KEY, 0)


def test_events_of_all_workers_are_counted_once(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """However often it is looked, and whatever was withheld until its tokens were counted."""
    journal = Journal(tmp_path, log)
    consumer = journal.started()
    journal.write(0, "a", "b")
    journal.pend(1, "c")
    journal.write(1, "c", "d")

    async def main() -> None:
        assert await consumer.look()
        assert journal.counted() == 4
        journal.write(1, "e")
        assert await consumer.look()
        assert await consumer.look()

    asyncio.run(main())
    assert journal.counted() == 5


def test_counters_outlive_the_process(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """A successor goes on where the file says, and counts what was written meanwhile."""
    journal = Journal(tmp_path, log)
    journal.write(0, "a", "b")
    asyncio.run(journal.started().look())
    journal.write(0, "c")
    consumer = journal.started()
    assert journal.counted() == 0
    asyncio.run(consumer.look())
    assert journal.counted() == 3


def test_process_that_dies_in_a_batch_has_counted_nothing_of_it(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """What was not kept is read again by its successor, which goes on from the counters of before."""
    journal = Journal(tmp_path, log)
    journal.write(0, "before")
    consumer = journal.started()

    async def dies() -> None:
        await consumer.look()
        journal.unwritable.mkdir()
        journal.write(0, *(f"r{number}" for number in range(SLICE + 1)))
        await consumer.look()

    asyncio.run(dies())
    assert journal.counted() == SLICE + 2
    journal.unwritable.rmdir()
    consumer = journal.started()
    asyncio.run(consumer.look())
    assert journal.counted() == SLICE + 2


def test_counters_that_cannot_be_written_are_not_lost(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """As long as the process lives they are right, and they are kept once that is possible again."""
    journal = Journal(tmp_path, log)
    consumer = journal.started()

    async def main() -> None:
        await consumer.look()
        journal.unwritable.mkdir()
        journal.write(0, "a", "b")
        assert not await consumer.look()
        assert not await consumer.look()
        assert journal.counted() == 2
        journal.unwritable.rmdir()
        assert await consumer.look()

    asyncio.run(main())
    successor = journal.started()
    asyncio.run(successor.look())
    assert journal.counted() == 2
