"""Old events are deleted while the node runs."""

import asyncio
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.config.schema import Events
from sluicegate.control.retention import Retention
from sluicegate.events.checkpoint import Checkpoint, CheckpointFile, Progress

SEGMENT = "000-a-00000001.jsonl"


class Kept:
    """A data directory with one closed segment of 100 bytes, and what looks after it."""

    def __init__(self, data_dir: Path, now: Callable[[], datetime], log: FilteringBoundLogger) -> None:
        self.data_dir = data_dir
        self.settings = Events()
        self.retention = Retention(data_dir, settings=lambda: self.settings, now=now, log=log)
        (data_dir / "events").mkdir()
        self.segment = data_dir / "events" / SEGMENT
        self.segment.write_bytes(b"x" * 100)

    def look(self) -> None:
        """Look once."""
        asyncio.run(self.retention.look())


@pytest.fixture
def kept(tmp_path: Path, now: Callable[[], datetime], log: FilteringBoundLogger) -> Kept:
    """A journal to be looked after."""
    return Kept(tmp_path, now, log)


def test_bounds_in_force_count(kept: Kept, captured: LogCapture) -> None:
    """What is within them stays; after a reload that narrows them, what is beyond goes and is logged."""
    kept.look()
    assert kept.segment.exists()
    assert captured.entries == []
    kept.settings = Events(retention_bytes=99)
    kept.look()
    assert not kept.segment.exists()
    assert captured.entries == [
        {"event": "old events deleted", "log_level": "info", "bytes": 100, "segments": [SEGMENT]}
    ]


def test_loss_is_loud(kept: Kept, captured: LogCapture) -> None:
    """What a consumer's checkpoint still needs goes only beyond the bound of size, as an error that says all."""
    (kept.data_dir / "checkpoints").mkdir()
    CheckpointFile(kept.data_dir / "checkpoints" / "sink.json").store(Checkpoint({"000-a": Progress(1, 50)}))
    kept.settings = Events(retention_seconds=1)
    kept.look()
    assert kept.segment.exists()
    kept.settings = Events(retention_bytes=1)
    kept.look()
    [entry] = captured.entries
    assert (entry["log_level"], entry["bytes"], entry["segments"]) == ("error", 100, [SEGMENT])
    assert "a consumer had not read" in entry["event"]
    assert entry["retention_bytes"] == 1


def test_trouble_is_told_once(kept: Kept, captured: LogCapture) -> None:
    """A directory that cannot be read is an error when it begins, not at each look; and the looks go on."""
    kept.segment.unlink()
    (kept.data_dir / "events").rmdir()
    (kept.data_dir / "events").touch()
    kept.look()
    assert "Not a directory" in repr(kept.retention)
    kept.look()
    assert [entry["event"] for entry in captured.entries] == ["old events cannot be deleted"]
    (kept.data_dir / "events").unlink()
    kept.look()
    assert repr(kept.retention).endswith(" well>")


def test_looks_are_repeated(kept: Kept) -> None:
    """After each pause it looks again."""
    rests = 0

    async def pause() -> None:
        nonlocal rests
        rests += 1
        kept.settings = Events(retention_bytes=1)
        if rests == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        asyncio.run(kept.retention.run(pause=pause))
    assert not kept.segment.exists()


def test_own_consumers_are_asked(kept: Kept, now: Callable[[], datetime], log: FilteringBoundLogger) -> None:
    """One whose checkpoint is in no file keeps what it has not read, too."""
    os.utime(kept.segment, (0, 0))
    progress = Progress(1, 50)
    retention = Retention(
        kept.data_dir,
        settings=lambda: Events(retention_seconds=1),
        now=now,
        log=log,
        checkpoints=lambda: [Checkpoint({"000-a": progress})],
    )
    asyncio.run(retention.look())
    assert kept.segment.exists()
    progress = Progress(1, 100)
    asyncio.run(retention.look())
    assert not kept.segment.exists()
