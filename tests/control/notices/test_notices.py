"""Notices are taken at once and written soon, once, whatever the disk does."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.notices.notices import Notices, moment_text
from sluicegate.control.notices.remembered import Remembered
from sluicegate.domain.events import Exchange, Notice, NoticeName
from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.notices import NoticeSegments
from sluicegate.events.reader import Batch, SegmentReader
from sluicegate.events.tail import ALL_EVENTS

NOW = 1_795_262_400_123


class Disk(NoticeSegments):
    """Segments on a disk that may refuse."""

    def __init__(self, directory: Path, boot: str) -> None:
        super().__init__(directory, boot)
        self.refuses = False
        self.loop = asyncio.get_running_loop()
        self.has_written = asyncio.Event()

    def append(self, notices: Sequence[Notice]) -> None:
        """Write, or refuse."""
        if self.refuses:
            raise OSError(28, "No space left on device")
        super().append(notices)
        self.loop.call_soon_threadsafe(self.has_written.set)


class Written:
    """Notices of a data directory."""

    def __init__(self, directory: Path, log: FilteringBoundLogger, *, boot: str = "0a", most: int = 100) -> None:
        self.directory = directory
        self.disk = Disk(directory / "events", boot)
        remembered = Remembered(directory / "notices.json", now=lambda: NOW, log=log)
        self.notices = Notices(self.disk, remembered, now=lambda: NOW, log=log, most_waiting=most)

    def tell(self, *names: str) -> None:
        """Tell of these deployments."""
        for name in names:
            self.notices.tell("circuit.opened", name, occasion="1", facts={"worker": 0})

    @property
    def found(self) -> list[Notice]:
        """What can be read."""
        batch: Batch[Exchange | Notice] = SegmentReader(self.directory / "events").read_as(
            ALL_EVENTS, Checkpoint(), 1_000
        )
        return [each for each in batch.events if isinstance(each, Notice)]

    @property
    def subjects(self) -> list[str]:
        """What they are about."""
        return [notice.subject for notice in self.found]


def test_notice_is_written_with_all_that_was_said(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Its id follows from what it is about: the same on every node, another one on another occasion."""

    async def main() -> None:
        written = Written(tmp_path, log)
        for occasion in ("1", "1", "2"):
            written.notices.tell("circuit.opened", "a", occasion=occasion, organization_id="org_a", facts={"worker": 0})
        assert await written.notices.write()
        first, second, third = written.found
        assert first == second
        assert first.id != third.id
        assert first == Notice(
            first.id, "2026-11-21T12:00:00.123Z", "circuit.opened", "a", organization_id="org_a", facts={"worker": 0}
        )
        assert first.id.startswith("ntc_")
        assert len(first.id) == 32

    asyncio.run(main())


@pytest.mark.parametrize("name", get_args(NoticeName))
def test_every_notice_is_logged(
    tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture, name: NoticeName
) -> None:
    """Who has no sink sees it all the same; what is over is no warning."""

    async def main() -> None:
        Written(tmp_path, log).notices.tell(name, "a", occasion="1", facts={"worker": 0})

    asyncio.run(main())
    [entry] = captured.entries
    assert (entry["subject"], entry["facts"]) == ("a", {"worker": 0})
    assert entry["log_level"] == ("info" if name == "circuit.closed" else "warning")


def test_everything_is_written_while_it_runs_and_at_its_end(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Whoever tells does not wait; what is told last is written before the segment is released."""

    async def main() -> None:
        written = Written(tmp_path, log)
        task = asyncio.ensure_future(written.notices.run())
        written.tell("a", "b")
        await asyncio.wait_for(written.disk.has_written.wait(), 60)
        assert written.subjects == ["a", "b"]
        written.tell("c")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert written.subjects == ["a", "b", "c"]
        assert "closed" in repr(written.disk)

    asyncio.run(main())


def test_disk_that_refuses_is_tried_again(tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture) -> None:
    """Notices wait in order, each is written once, and the trouble is logged once."""

    async def main() -> None:
        written = Written(tmp_path, log)
        pauses: asyncio.Queue[asyncio.Event] = asyncio.Queue()

        async def pause() -> None:
            await pauses.put(event := asyncio.Event())
            await event.wait()

        written.disk.refuses = True
        task = asyncio.ensure_future(written.notices.run(pause=pause))
        written.tell("a")
        (await pauses.get()).set()
        written.tell("b")
        waiting = await pauses.get()
        assert repr(written.notices) == "<Notices waiting=2 dropped=0 [Errno 28] No space left on device>"
        written.disk.refuses = False
        waiting.set()
        await asyncio.wait_for(written.disk.has_written.wait(), 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert written.subjects == ["a", "b"]

    asyncio.run(main())
    assert [entry["event"] for entry in captured.entries if "subject" not in entry] == [
        "notices cannot be written",
        "over: notices cannot be written",
    ]


def test_too_many_are_dropped_and_counted(tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture) -> None:
    """The newest, and that is logged once."""

    async def main() -> None:
        written = Written(tmp_path, log, most=2)
        written.tell("a", "b", "c", "d")
        assert written.notices.dropped == 2
        await written.notices.write()
        assert written.subjects == ["a", "b"]

    asyncio.run(main())
    assert [entry["event"] for entry in captured.entries if "subject" not in entry] == [
        "notices are lost: they cannot be written for too long"
    ]


def test_what_was_told_is_known_to_the_successor(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Once it was written: after a failure it is stored with the next attempt."""

    async def main() -> None:
        written = Written(tmp_path, log)
        assert written.notices.is_new("key", NOW + 1)
        assert not written.notices.is_new("key", NOW + 1)
        written.tell("a")
        written.disk.refuses = True
        assert not await written.notices.write()
        assert Written(tmp_path, log, boot="0b").notices.is_new("key", NOW + 1)
        written.disk.refuses = False
        assert await written.notices.write()
        successor = Written(tmp_path, log, boot="0c").notices
        assert not successor.is_new("key", NOW + 1)
        successor.forget("key")
        assert successor.is_new("key", NOW + 1)

    asyncio.run(main())


def test_moment_is_as_in_events() -> None:
    """UTC, with milliseconds."""
    assert moment_text(1_795_262_400_007) == "2026-11-21T12:00:00.007Z"
