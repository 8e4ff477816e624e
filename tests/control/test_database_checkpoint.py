"""Checkpoints that are kept in the database."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.database_checkpoint import DatabaseStore, OvertakenError, TransactionalStore
from sluicegate.events.checkpoint import Checkpoint, CheckpointDamagedError, CheckpointFile, Progress
from sluicegate.store.database import Database
from tests.control.api import copied

FIRST = Checkpoint({"000-a": Progress(1, 100)})
SECOND = Checkpoint({"000-a": Progress(1, 200)})

Story = Callable[[Database], Awaitable[None]]
Play = Callable[[Story], None]


@pytest.fixture
def play(template: Path, tmp_path: Path) -> Play:
    """Tell a story with an open database."""

    def run(story: Story) -> None:
        async def told() -> None:
            database = await Database.open("sqlite", copied(template, tmp_path / "data"))
            try:
                await story(database)
            finally:
                await database.close()

        asyncio.run(told())

    return run


@pytest.mark.parametrize("kind", [DatabaseStore, TransactionalStore])
def test_what_was_stored_is_loaded(kind: type[DatabaseStore], play: Play, log: FilteringBoundLogger) -> None:
    """By whoever comes next; another node, or another consumer, has its own."""

    async def story(database: Database) -> None:
        store = kind(database, node="n", consumer="c", log=log)
        assert await store.load() == Checkpoint()
        await store.store(FIRST)
        await store.store(SECOND)
        assert await kind(database, node="n", consumer="c", log=log).load() == SECOND
        assert await kind(database, node="m", consumer="c", log=log).load() == Checkpoint()
        assert await kind(database, node="n", consumer="d", log=log).load() == Checkpoint()
        assert repr(store) == f"<{kind.__name__} n/c>"

    play(story)


def test_what_a_file_says_is_taken_over(play: Play, tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Once: then the file is gone, else retention would keep all that comes for whoever it is of."""

    async def story(database: Database) -> None:
        file = tmp_path / "checkpoints" / "c.json"
        CheckpointFile(file).store(FIRST)
        assert await DatabaseStore(database, node="n", consumer="c", file=file, log=log).load() == FIRST
        assert not file.exists()
        assert await DatabaseStore(database, node="n", consumer="c", file=file, log=log).load() == FIRST

    play(story)


def test_the_database_is_believed_before_a_file(play: Play, tmp_path: Path, log: FilteringBoundLogger) -> None:
    """A process that died between the two left the file behind."""

    async def story(database: Database) -> None:
        file = tmp_path / "c.json"
        await DatabaseStore(database, node="n", consumer="c", log=log).store(SECOND)
        CheckpointFile(file).store(FIRST)
        assert await DatabaseStore(database, node="n", consumer="c", file=file, log=log).load() == SECOND
        assert not file.exists()

    play(story)


def test_damage_is_not_begun_anew(play: Play, log: FilteringBoundLogger) -> None:
    """Everything would be counted twice by that."""

    async def story(database: Database) -> None:
        async with database.writing() as session:
            await session.consumer_checkpoints.put("n/c", b"nonsense")
        with pytest.raises(CheckpointDamagedError):
            await DatabaseStore(database, node="n", consumer="c", log=log).load()

    play(story)


def test_a_damaged_file_is_begun_anew(
    play: Play, tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture
) -> None:
    """As before, and told."""

    async def story(database: Database) -> None:
        file = tmp_path / "c.json"
        file.write_text("{")
        assert await DatabaseStore(database, node="n", consumer="c", file=file, log=log).load() == Checkpoint()

    play(story)
    assert [entry["event"] for entry in captured.entries] == ["a consumer begins again with the oldest event"]


def test_nothing_is_done_behind_a_checkpoint_of_somebody_else(play: Play, log: FilteringBoundLogger) -> None:
    """Who finds another than its own changes nothing, until it has loaded that one."""

    async def story(database: Database) -> None:
        old, new = (TransactionalStore(database, node="n", consumer="c", log=log) for _ in range(2))
        await new.store(FIRST)
        with pytest.raises(OvertakenError):
            async with old.behind(SECOND) as session:
                await session.consumer_checkpoints.put("n/other", b"done")
        with pytest.raises(OvertakenError):
            await old.store(SECOND)
        assert await old.load() == FIRST
        async with old.behind(SECOND) as session:
            assert await session.consumer_checkpoints.get("n/other") is None
        assert await new.load() == SECOND

    play(story)


def test_a_transaction_that_fails_keeps_no_checkpoint(play: Play, log: FilteringBoundLogger) -> None:
    """What it was about is read again, and the same store goes on."""

    async def story(database: Database) -> None:
        store = TransactionalStore(database, node="n", consumer="c", log=log)
        await store.store(FIRST)
        with pytest.raises(ZeroDivisionError):
            async with store.behind(SECOND):
                raise ZeroDivisionError
        assert await TransactionalStore(database, node="n", consumer="c", log=log).load() == FIRST
        await store.store(SECOND)
        assert await store.load() == SECOND

    play(story)
