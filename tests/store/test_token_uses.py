"""Tokens: how their uses are counted (the part of the repository that is written all the time)."""

import asyncio

import pytest
from msgspec.structs import replace

from sluicegate.domain.tenants import Token
from sluicegate.store.database import Database, Session
from sluicegate.store.errors import MissingError, VersionConflictError
from sluicegate.store.repository import BATCH
from sluicegate.store.tokens import TokenTotals
from tests.store import records
from tests.store.place import Place


async def _stored(session: Session, number: int = 1) -> Token:
    token = await session.tokens.get(f"tok_{number:05}")
    assert token is not None
    return token


def test_uses_are_added_up_and_the_latest_stays(place: Place) -> None:
    """Counts are added to what is stored, and of the times the latest stays, in whatever order they come."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            tokens = session.tokens
            await tokens.add_all([records.a_token(1), records.a_token(2)])
            assert await tokens.touch([("tok_00001", 50, 2), ("tok_00001", 40, 1), ("tok_none", 60, 5)]) == []
            assert await _stored(session) == records.a_token(1, request_count=3, last_used_at=50)
            await tokens.touch([("tok_00001", 30, 4)])
            assert await _stored(session) == records.a_token(1, request_count=7, last_used_at=50)
            await tokens.touch([("tok_00001", 70, 0)])
            assert await _stored(session) == records.a_token(1, request_count=7, last_used_at=70)
            assert await _stored(session, 2) == records.a_token(2)
            assert await tokens.touch([]) == []

    place.run(use)


def test_a_spent_token_is_told_once(place: Place) -> None:
    """The digest of a token that reaches its requests is returned by the use that did it, and never again."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            touch = session.tokens.touch
            await session.tokens.add_all(
                [records.a_token(1, max_requests=10), records.a_token(2, max_requests=3), records.a_token(3)]
            )
            assert await touch([("tok_00001", 1, 9), ("tok_00002", 1, 2), ("tok_00003", 1, 99)]) == []
            assert await touch([("tok_00001", 1, 1)]) == [records.a_digest(1)]
            assert await touch([("tok_00001", 1, 1)]) == []
            # The uses of one call count together.
            assert await touch([("tok_00002", 1, 0), ("tok_00001", 2, 5), ("tok_00002", 1, 7)]) == [records.a_digest(2)]

    place.run(use)


def test_many_tokens_are_used_at_once(place: Place) -> None:
    """More tokens than one statement takes are all counted."""
    count = BATCH + 3

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.tokens.add_all([records.a_token(number, max_requests=1) for number in range(1, count + 1)])
            spent = await session.tokens.touch([(f"tok_{number:05}", number, 1) for number in range(count, 0, -1)])
            assert sorted(spent) == [records.a_digest(number) for number in range(1, count + 1)]
            assert await session.tokens.totals(organization_id="org_default") == TokenTotals(count, count, count)

    place.run(use)


def test_concurrent_uses_are_all_counted(place: Place) -> None:
    """Uses that several nodes note at the same time are all counted, and one of them is told that it was the last."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.tokens.add(records.a_token(1, max_requests=15))

        async def note(number: int) -> list[bytes]:
            async with database.writing() as session:
                return await session.tokens.touch([("tok_00001", number, number)])

        told = await asyncio.gather(*map(note, range(1, 7)))
        assert sorted(told) == [[]] * 5 + [[records.a_digest(1)]]
        async with database.reading() as session:
            assert await _stored(session) == records.a_token(1, max_requests=15, request_count=21, last_used_at=6)

    place.run(use)


def test_changes_leave_uses_alone(place: Place) -> None:
    """A change of a token that was read before it was used keeps the count and the time, and uses keep the version."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.tokens.add(records.a_token(1))
            read = await _stored(session)
            await session.tokens.touch([("tok_00001", 500, 3)])
            await session.tokens.update(replace(read, name="new", request_count=999, last_used_at=999, version=2))
            assert await _stored(session) == records.a_token(
                1, name="new", request_count=3, last_used_at=500, version=2
            )
            with pytest.raises(VersionConflictError):
                await session.tokens.update(replace(read, name="stale", version=2))
            with pytest.raises(MissingError):
                await session.tokens.update(records.a_token(9, version=2))

    place.run(use)


def test_use_keeps_a_token_from_withering(place: Place) -> None:
    """A token that withers unused is purged from its last use on, also where it was changed in between."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            tokens = session.tokens
            await tokens.add_all([records.a_token(number, created_at=0, idle_seconds=10) for number in (1, 2, 3)])
            await tokens.touch([("tok_00001", 5_000, 1), ("tok_00002", 5_000, 1)])
            await tokens.update(records.a_token(2, created_at=0, idle_seconds=20, version=2))
            assert await tokens.purge(10_001) == 1
            assert [token.id for token in await tokens.list()] == ["tok_00001", "tok_00002"]
            assert await tokens.purge(15_000) == 0
            assert await tokens.purge(15_001) == 1
            assert await tokens.purge(25_000) == 0
            assert await tokens.purge(25_001) == 1

    place.run(use)


def test_requests_count_from_zero_again(place: Place) -> None:
    """A reset is about the tokens of one user, and returns those that had been used; it makes no new version."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.users.add_all([records.a_user(1), records.a_user(2)])
            await session.tokens.add_all(
                [
                    records.a_token(1, user_id="usr_00001", max_requests=5, request_count=5, last_used_at=7),
                    records.a_token(2, user_id="usr_00001"),
                    records.a_token(3, user_id="usr_00002", request_count=5),
                    records.a_token(4, request_count=5),
                ]
            )
            assert await session.tokens.reset_requests(user_id="usr_00001") == [records.a_digest(1)]
            assert await session.tokens.reset_requests(user_id="usr_00001") == []
            first = records.a_token(1, user_id="usr_00001", max_requests=5, last_used_at=7)
            assert await _stored(session) == first
            assert (await _stored(session, 3)).request_count == (await _stored(session, 4)).request_count == 5
            # It can be spent, and told, once more.
            assert await session.tokens.touch([("tok_00001", 8, 5)]) == [records.a_digest(1)]

    place.run(use)


def test_sums_are_of_one_owner(place: Place) -> None:
    """Totals are the number of an owner's tokens, the sum of their requests, and the latest use of them."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.organizations.add(records.an_organization(1))
            await session.users.add_all([records.a_user(1), records.a_user(2)])
            await session.tokens.add_all(
                [
                    records.a_token(1, user_id="usr_00001", request_count=2**40, last_used_at=7),
                    records.a_token(2, user_id="usr_00001", request_count=2**40, last_used_at=9, status="revoked"),
                    records.a_token(3, request_count=1, last_used_at=11),
                    records.a_token(4, organization_id="org_00001"),
                ]
            )
            totals = session.tokens.totals
            assert await totals(user_id="usr_00001") == TokenTotals(2, 2**41, 9)
            assert await totals(user_id="usr_00002") == TokenTotals(0, 0, None)
            assert await totals(organization_id="org_default") == TokenTotals(3, 2**41 + 1, 11)
            assert await totals(organization_id="org_00001") == TokenTotals(1, 0, None)

    place.run(use)
