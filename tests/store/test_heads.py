"""How far logs have come."""

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.domain.audit import GENESIS
from sluicegate.store import heads
from sluicegate.store.database import Database
from tests.store.place import Place


def _connection(database: Database) -> AsyncConnection:
    return database._writers.connect()


def test_logs_begin_before_their_first_line(place: Place) -> None:
    """In a new database no number was given yet, and the chain begins where a Chain does."""

    async def use(database: Database) -> None:
        async with _connection(database) as connection:
            for name in ("audit", "changes"):
                assert await heads.read(connection, name) == (0, GENESIS)

    place.run(use)


def test_numbers_are_taken_in_blocks(place: Place) -> None:
    """A log takes as many numbers as it needs and is told the last; another log has its own."""

    async def use(database: Database) -> None:
        async with _connection(database) as connection:
            assert await heads.advance(connection, "changes", 3) == 3
            assert await heads.advance(connection, "changes", 1) == 4
            assert (await heads.read(connection, "changes")).sequence == 4
            assert (await heads.read(connection, "audit")).sequence == 0

    place.run(use)


def test_the_hash_of_the_last_line_is_kept(place: Place) -> None:
    """The hash of one log is kept, and that of another is left alone."""

    async def use(database: Database) -> None:
        async with _connection(database) as connection:
            await heads.put_hash(connection, "audit", b"\x01" * 32)
            assert (await heads.read(connection, "audit")).hash == b"\x01" * 32
            assert (await heads.read(connection, "changes")).hash == GENESIS

    place.run(use)


def test_a_number_that_was_not_committed_is_given_again(place: Place) -> None:
    """Numbers have no gaps: one that was taken in a transaction that was undone is taken again."""

    async def fail(database: Database) -> None:
        async with database.writing() as session:
            await session.changes.append([b"\x01" * 32])
            raise KeyError

    async def use(database: Database) -> None:
        with pytest.raises(KeyError):
            await fail(database)
        async with database.writing() as session:
            await session.changes.append([b"\x02" * 32])
        async with database.reading() as session:
            assert [change.sequence for change in await session.changes.since(0, 10)] == [1]

    place.run(use)
