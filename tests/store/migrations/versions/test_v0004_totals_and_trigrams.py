"""Totals and trigrams: what an upgrade makes of what is there, and what going back leaves."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import create_engine, event

from sluicegate.store.database import Database
from sluicegate.store.running import run
from sluicegate.store.tokens import TokenTotals
from sluicegate.store.upgrade import downgrade, upgrade
from sluicegate.store.version import NEWEST
from tests.store import records
from tests.store.kinds import ids
from tests.store.place import Place


async def _fill(database: Database) -> None:
    async with database.writing() as session:
        await session.organizations.add(records.an_organization(1))
        await session.users.add(records.a_user(1, name="Größe"))
        await session.tokens.add_all(
            [
                records.a_token(1, name="first", request_count=7, last_used_at=3),
                records.a_token(2, name="second", request_count=2),
                records.a_token(3, name="third", organization_id="org_00001"),
            ]
        )


async def _look(database: Database) -> None:
    async with database.reading() as session:
        assert await session.tokens.totals(organization_id="org_default") == TokenTotals(2, 9, 3)
        assert await session.tokens.totals(organization_id="org_00001") == TokenTotals(1, 0, None)
        assert await ids(session.tokens, search="econ") == ["tok_00002"]
        assert await ids(session.tokens, search="ir", organization_id="org_00001") == []
        assert await ids(session.tokens, search="th", organization_id="org_00001") == ["tok_00003"]
        assert await ids(session.users, search="ÖSS") == ["usr_00001"]


def _down(place: Place) -> None:
    while asyncio.run(downgrade(place.url, place.directory)).found != "0004":
        pass


def _named(place: Place, part: str) -> int:
    with closing(sqlite3.connect(place.directory / "sluicegate.db")) as connection:
        told = connection.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE ?", (f"%{part}%",))
        return int(told.fetchone()[0])


def test_what_was_there_is_counted_and_found(place: Place) -> None:
    """Tokens and users from before the upgrade are in the totals, and searches find them."""
    place.run(_fill)
    _down(place)
    asyncio.run(upgrade(place.url, place.directory))
    place.run(_look)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_going_back_leaves_nothing_of_it(place: Place) -> None:
    """The tables of the index and what keeps it are gone, and the index that sums were read from is back."""
    assert (_named(place, "trigrams"), _named(place, "token_totals"), _named(place, "ix_tokens_totals")) != (0, 0, 1)
    place.run(_fill)
    _down(place)
    assert (_named(place, "trigrams"), _named(place, "token_totals"), _named(place, "ix_tokens_totals")) == (0, 0, 1)
    place.execute("UPDATE tokens SET search = 'x'")
    place.execute("DELETE FROM users")
    assert len(place.execute("SELECT id FROM tokens")) == 3


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    ("function", "answer"), [("sqlite_compileoption_used", 0), ("sqlite_version", "3.33.0")], ids=["fts5", "version"]
)
def test_a_sqlite_without_trigrams_does_without(empty_place: Place, function: str, answer: object) -> None:
    """Where SQLite was built without full-text search, or is older than trigrams, searches find the same."""
    engine = create_engine(f"sqlite:///{empty_place.directory}/empty.db")
    event.listen(
        engine,
        "connect",
        lambda connection, _: connection.create_function(function, -1, lambda *_: answer),
    )
    with engine.begin() as connection:
        run(connection, "upgrade", NEWEST)
    engine.dispose()
    assert empty_place.execute("SELECT name FROM sqlite_master WHERE name LIKE '%trigrams%'") == []
    empty_place.run(_fill)
    empty_place.run(_look)
    _down(empty_place)
