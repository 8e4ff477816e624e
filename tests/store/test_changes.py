"""The change log that every node follows."""

import asyncio

import pytest

from sluicegate.domain.owner_marks import mark_of
from sluicegate.domain.tenants import Change
from sluicegate.store.changes import MANY
from sluicegate.store.database import Database, Session
from tests.store import records
from tests.store.place import Place

LATER = 2**60
"""After any time that the database's clock tells."""


async def _told(session: Session, sequence: int = 0, limit: int = 100) -> list[tuple[int, bytes | None]]:
    return [(change.sequence, change.digest) for change in await session.changes.since(sequence, limit)]


def test_lines_are_numbered_from_one(place: Place) -> None:
    """Each digest is a line, each once in a call, None is a line too, and no digests are none."""

    async def use(database: Database) -> None:
        one, two = records.a_digest(1), records.a_digest(2)
        async with database.writing() as session:
            assert await session.changes.last() == 0
            assert await _told(session) == []
            await session.changes.append([])
            assert await session.changes.last() == 0
            await session.changes.append([one, two, one])
            await session.changes.append(None)
            await session.changes.append(digest for digest in [one])
            assert await session.changes.last() == 4
            assert await _told(session) == [(1, one), (2, two), (3, None), (4, one)]
            assert await _told(session, 1, 2) == [(2, two), (3, None)]
            assert await _told(session, 4) == []

    place.run(use)


def test_lines_have_the_databases_time(place: Place) -> None:
    """The time of a line is the database's, in Unix milliseconds, and does not go back."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.changes.append([records.a_digest(1)])
            await session.changes.append(None)
            first, second = await session.changes.since(0, 2)
            assert records.AT < first.at <= second.at < records.AT + 10**12

    place.run(use)


@pytest.mark.parametrize(("count", "lines"), [(MANY, MANY), (MANY + 1, 1)])
def test_very_many_are_told_as_all(place: Place, count: int, lines: int) -> None:
    """Up to so many digests are told one by one; more of them are one line that says “all”."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.changes.append(map(records.a_digest, range(count)))
            assert await session.changes.last() == lines
            assert (await _told(session, 0, 1))[0][1] == (records.a_digest(0) if lines > 1 else None)

    place.run(use)


def test_whoever_missed_pruned_lines_is_told_all(place: Place) -> None:
    """The last number does not fall back, and who asks for lines that are gone is told that all may have changed."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            for number in range(1, 6):
                await session.changes.append([records.a_digest(number)])
            assert await session.changes.prune(0) == 0
            assert await session.changes.prune(LATER, limit=3) == 3
            rest = [(4, records.a_digest(4)), (5, records.a_digest(5))]
            assert await _told(session, 0) == await _told(session, 2) == [(3, None), *rest]
            assert await _told(session, 0, 1) == [(3, None)]
            assert await _told(session, 0, 2) == [(3, None), rest[0]]
            assert await _told(session, 3) == rest
            assert await session.changes.prune(LATER) == 2
            assert await session.changes.last() == 5
            assert await _told(session, 4) == [(5, None)]
            assert await _told(session, 5) == []
            await session.changes.append([records.a_digest(6)])
            assert await _told(session, 5) == [(6, records.a_digest(6))]
            assert await _told(session, 1) == [(5, None), (6, records.a_digest(6))]

    place.run(use)


def test_whoever_is_ahead_of_the_log_is_told_all(place: Place) -> None:
    """After an older database was restored, a number that never was is answered with “all” and where to go on."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.changes.append([records.a_digest(1)])
            assert await session.changes.since(7, 10) == [Change(sequence=1, at=0, digest=None)]
            assert await session.changes.since(2**62, 10) == [Change(sequence=1, at=0, digest=None)]

    place.run(use)


def test_an_undone_transaction_leaves_no_gap(place: Place) -> None:
    """Lines of a transaction that failed are gone and their numbers are given again."""

    async def use(database: Database) -> None:
        async def fail() -> None:
            async with database.writing() as session:
                await session.changes.append([records.a_digest(1), records.a_digest(2)])
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        async with database.writing() as session:
            await session.changes.append([records.a_digest(3)])
        async with database.reading() as session:
            assert await _told(session) == [(1, records.a_digest(3))]

    place.run(use)


def test_numbers_are_in_the_order_of_commits(place: Place) -> None:
    """A node that follows while several write at once meets every line, in order, and none turns up behind its back."""
    writers, rounds = 4, 5

    async def use(database: Database) -> None:
        async def write(number: int) -> None:
            for turn in range(rounds):
                async with database.writing() as session:
                    await session.changes.append([records.a_digest(100 * number + turn)])
                    # Others get their turn while this one has its number but has not committed.
                    await asyncio.sleep(0)
                    await session.users.add(records.a_user(100 * number + turn))

        async def follow() -> list[tuple[int, bytes | None]]:
            met: list[tuple[int, bytes | None]] = []
            while len(met) < writers * rounds:
                async with database.reading() as session:
                    met += await _told(session, met[-1][0] if met else 0, 3)
            return met

        async with asyncio.TaskGroup() as together:
            following = together.create_task(follow())
            for number in range(writers):
                together.create_task(write(number))
        met = following.result()
        assert [sequence for sequence, _ in met] == list(range(1, writers * rounds + 1))
        assert len({digest for _, digest in met}) == writers * rounds
        for number in range(writers):
            mine = [digest for _, digest in met if digest is not None and int.from_bytes(digest) // 100 == number]
            assert mine == [records.a_digest(100 * number + turn) for turn in range(rounds)]

    place.run(use)


def test_marks_of_owners_are_kept_whole(place: Place) -> None:
    """They are longer than digests."""
    mark = mark_of("usr_" + "x" * 60)

    async def use(database: Database) -> None:
        async with database.writing() as session:
            last = await session.changes.last()
            await session.changes.append([mark])
        async with database.reading() as session:
            assert [change.digest for change in await session.changes.since(last, 9)] == [mark]

    place.run(use)
