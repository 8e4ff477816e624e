"""A checkpoint in a file, as a consumer asks for it."""

import asyncio
from pathlib import Path

from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.events.checkpoint import Checkpoint, CheckpointFile, Progress
from sluicegate.events.checkpoint_store import FileStore

SOMEWHERE = Checkpoint({"000-a": Progress(1, 50)})


def test_what_is_stored_is_loaded(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """By the next process too; the file is one that retention finds."""
    path = tmp_path / "checkpoints" / "test.json"
    store = FileStore(path, log=log)
    assert asyncio.run(store.load()) == Checkpoint()
    assert not path.exists()
    asyncio.run(store.store(SOMEWHERE))
    assert asyncio.run(FileStore(path, log=log).load()) == SOMEWHERE == CheckpointFile(path).load()
    assert repr(store) == f"<FileStore {path}>"
    assert not store.is_transactional


def test_the_beginning_is_kept_at_once(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """One that only wants what is new and dies before its first batch does not begin later next time."""
    path = tmp_path / "test.json"
    assert asyncio.run(FileStore(path, log=log, beginning=lambda: SOMEWHERE).load()) == SOMEWHERE
    assert asyncio.run(FileStore(path, log=log, beginning=Checkpoint).load()) == SOMEWHERE


def test_a_damaged_file_is_told(tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture) -> None:
    """And the consumer begins with the oldest event, even one that begins at the end: it may have missed some."""
    path = tmp_path / "test.json"
    path.write_text("{")
    assert asyncio.run(FileStore(path, log=log, beginning=lambda: SOMEWHERE).load()) == Checkpoint()
    (entry,) = captured.entries
    assert entry["event"] == "a consumer begins again with the oldest event"
    assert str(path) in entry["reason"]
