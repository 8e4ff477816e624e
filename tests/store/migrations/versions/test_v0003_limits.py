"""Limits, prices and the ledger: what an upgrade makes, and what going back leaves."""

import asyncio

from sluicegate.store.database import Database
from sluicegate.store.upgrade import State, downgrade, upgrade
from tests.store import records
from tests.store.place import Place

MADE = ("limits", "price_overrides", "ledger_accounts", "ledger_leases")


async def _token(database: Database) -> None:
    async with database.writing() as session:
        await session.tokens.add(records.a_token(1, max_requests=100, request_count=7))
        await session.limits.add(records.a_limit(1))


def _down(place: Place) -> None:
    while asyncio.run(downgrade(place.url, place.directory)).found != "0003":
        pass


def test_requests_of_before_count(place: Place) -> None:
    """What a token made before the ledger counted is known to its limit; organisations have lived in UTC."""
    place.run(_token)
    _down(place)
    assert asyncio.run(upgrade(place.url, place.directory)) == State("0002")

    async def read(database: Database) -> None:
        async with database.reading() as session:
            (token,) = await session.tokens.list()
            assert (token.request_count, token.requests_before, token.counted_as) == (7, 7, None)
            assert [one.time_zone for one in await session.organizations.list()] == ["UTC"]
            assert await session.limits.count() == 0

    place.run(read)


def test_going_back_leaves_what_was_there_before(place: Place) -> None:
    """The tables and columns are gone, the tokens and organisations are not."""
    place.run(_token)
    _down(place)
    assert place.execute("SELECT id, request_count FROM tokens") == [("tok_00001", 7)]
    assert place.execute("SELECT id FROM organizations") == [("org_default",)]
    if place.is_sqlite:
        columns = {str(row[1]) for row in place.execute("PRAGMA table_info(tokens)")}
        tables = {str(row[0]) for row in place.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    else:
        columns = {
            str(row[0])
            for row in place.execute("SELECT column_name FROM information_schema.columns WHERE table_name = 'tokens'")
        }
        tables = {str(row[0]) for row in place.execute("SELECT tablename FROM pg_tables")}
    assert not columns & {"counted_as", "requests_before"}
    assert not tables & set(MADE)
