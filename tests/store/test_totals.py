"""Sums of each organisation's tokens."""

from random import Random

import pytest
from msgspec.structs import replace

from sluicegate.domain.tenants import DEFAULT_ORGANIZATION
from sluicegate.store.database import Database, Session
from sluicegate.store.errors import AlreadyExistsError
from sluicegate.store.tokens import TokenTotals
from sluicegate.store.totals import Share, Totals
from tests.store import records
from tests.store.place import Place

ORGANIZATIONS = (DEFAULT_ORGANIZATION, "org_00001", "org_00002")


async def _summed(session: Session, organization_id: str) -> tuple[int, int]:
    tokens = [token async for token in session.tokens.iterate(organization_id=organization_id)]
    return len(tokens), sum(token.request_count for token in tokens)


async def _agree(session: Session) -> None:
    for organization_id in ORGANIZATIONS:
        found = await session.tokens.totals(organization_id=organization_id)
        assert (found.tokens, found.requests) == await _summed(session, organization_id)


def test_totals_are_what_the_tokens_say_whatever_happens_to_them(place: Place) -> None:
    """After each of many changes of all kinds, an organisation's totals are the sums over its tokens."""
    random = Random(4)

    async def change(session: Session, number: int) -> None:
        tokens = session.tokens
        some = [f"tok_{random.randrange(60):05}" for _ in range(5)]
        match number % 6:
            case 0:
                owner = ORGANIZATIONS[number % 3]
                made = [
                    records.a_token(10 * number + n, organization_id=owner, request_count=n, expires_at=1000 + number)
                    for n in range(5)
                ]
                await tokens.add_all(
                    [
                        replace(one, user_id="usr_00001", project_id="prj_00001") if n % 2 else one
                        for n, one in enumerate(made)
                    ]
                )
            case 1:
                await tokens.touch([(token_id, number, random.randrange(9)) for token_id in some])
            case 2:
                assert await tokens.delete(f"tok_{10 * (number - 2):05}")
            case 3:
                await tokens.reset_requests(user_id="usr_00001")
            case 4:
                await tokens.purge(1000 + number - 15)
            case _:
                stored = await tokens.list(limit=1)
                await tokens.update(replace(stored[0], organization_id="org_00002", version=stored[0].version + 1))

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.organizations.add_all([records.an_organization(1), records.an_organization(2)])
            await session.users.add(records.a_user(1))
            await session.projects.add(records.a_project(1))
        for number in range(30):
            async with database.writing() as session:
                await change(session, number)
                await _agree(session)
        for kind, owner in (("users", "usr_00001"), ("projects", "prj_00001")):
            async with database.writing() as session:
                before = await session.tokens.count()
                assert await getattr(session, kind).delete(owner)
                assert kind == "projects" or await session.tokens.count() < before
                await _agree(session)
        async with database.writing() as session:
            await session.tokens.add(records.a_token(999, organization_id="org_00001"))
            assert (await session.tokens.totals(organization_id="org_00001")).tokens > 0
            assert await session.organizations.delete("org_00001")
            assert await session.tokens.totals(organization_id="org_00001") == TokenTotals(0, 0, None)

    place.run(use)


def test_what_is_refused_is_not_counted(place: Place) -> None:
    """Tokens that could not be added, and tokens that were not there, change nothing."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.tokens.add(records.a_token(1, request_count=2, last_used_at=5))
            with pytest.raises(AlreadyExistsError):
                await session.tokens.add_all([records.a_token(2), records.a_token(1)])
            assert not await session.tokens.delete("tok_none")
            assert await session.tokens.totals(organization_id=DEFAULT_ORGANIZATION) == TokenTotals(1, 2, 5)

    place.run(use)


def test_an_organisation_was_used_by_tokens_that_are_gone(place: Place) -> None:
    """The time of the last use stays when its token is removed; the count of tokens and their requests do not."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.tokens.add(records.a_token(1))
            await session.tokens.touch([("tok_00001", 70, 3)])
            await session.tokens.touch([("tok_00001", 60, 1)])
            await session.tokens.delete("tok_00001")
            assert await session.tokens.totals(organization_id=DEFAULT_ORGANIZATION) == TokenTotals(0, 0, 70)

    place.run(use)


def test_shares_of_one_organisation_are_added_up(place: Place) -> None:
    """What one call adds to an organisation is one row; the later time stays, also where there was none."""

    async def use(database: Database) -> None:
        async with database._writers.begin() as connection:
            totals = Totals(connection)
            assert repr(totals) == "<Totals>"
            assert await totals.of(DEFAULT_ORGANIZATION) == Share(DEFAULT_ORGANIZATION)
            await totals.add([])
            await totals.add([Share(DEFAULT_ORGANIZATION, 2, 5), Share(DEFAULT_ORGANIZATION, 1, 1)])
            assert await totals.of(DEFAULT_ORGANIZATION) == Share(DEFAULT_ORGANIZATION, 3, 6, None)
            await totals.add([Share(DEFAULT_ORGANIZATION, 0, 1, 9), Share(DEFAULT_ORGANIZATION, 0, 0, 8)])
            await totals.add([Share(DEFAULT_ORGANIZATION, -1, -2)])
            assert await totals.of(DEFAULT_ORGANIZATION) == Share(DEFAULT_ORGANIZATION, 2, 5, 9)

    place.run(use)
