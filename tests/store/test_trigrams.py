"""SQLite's index of trigrams: it may leave out no record that a search finds, and spares reading most others."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.domain.tenants import DEFAULT_ORGANIZATION
from sluicegate.store import schema
from sluicegate.store.database import Database
from sluicegate.store.trigrams import FEW, FREE, Way, add, way
from tests.store import records
from tests.store.kinds import changed, ids
from tests.store.place import Place

TEXTS = (
    "Zoë's laptop",
    "a.b@c-d_e/f",
    "日本語😀",
    "語",
    "%_\\%",
    'said "x" OR "y"',
    "\x01\x01ab \x02lt",
    "tail é",
    "* AND NOT (a:b) NEAR",
    "ﬃ İstanbul ẞ",
    "- -",
    "z",
    "",
    "Größe 12",
)


@pytest.fixture(params=["sqlite"])
def kind() -> str:
    """It is about SQLite alone."""
    return "sqlite"


def _parts(texts: Iterable[str]) -> Iterator[str]:
    """Every part of one to five characters, and what is nowhere."""
    for text in texts:
        for length in range(1, 6):
            for start in range(len(text) - length + 1):
                yield text[start : start + length]
    yield from ("語é", "qq", "q", "€", "laptoq", "\x03", "🙂🙂🙂")


def _without_index(place: Place) -> None:
    for table in ("users", "tokens"):
        for event in ("update", "delete"):
            place.execute(f"DROP TRIGGER {table}_trigrams_{event}")
        place.execute(f"DROP TABLE {table}_trigrams_known")
        place.execute(f"DROP TABLE {table}_trigrams")


async def _fill(database: Database) -> None:
    async with database.writing() as session:
        await session.organizations.add(records.an_organization(1))
        for owner, first in ((DEFAULT_ORGANIZATION, 0), ("org_00001", 50)):
            made = [
                records.a_user(first + n, organization_id=owner, email=f"{n}@x", name=text)
                for n, text in enumerate(TEXTS)
            ]
            # Not in the order of their ids.
            await session.users.add_all(made[::-2] + made[-2::-2])


async def _found(database: Database) -> list[list[str]]:
    async with database.reading() as session:
        found = []
        for part in dict.fromkeys(_parts(TEXTS)):
            found.append(await ids(session.users, search=part))
            found.append(await ids(session.users, search=part, organization_id="org_00001"))
            found.append(await ids(session.users, search=part, after="usr_00005", status="active", limit=3))
            assert await session.users.count(search=part) == len(found[-3])
        return found


def test_the_index_finds_what_reading_everything_finds(place: Place) -> None:
    """Each search of each part of many strange texts has the same result with the index and without."""
    place.run(_fill)
    with_index = place.run(_found)
    _without_index(place)
    assert place.run(_found) == with_index
    assert sum(map(bool, with_index)) > 300


def test_the_index_follows_what_is_written(place: Place) -> None:
    """What is changed is found by what it says now, in the organisation it is of now; what is gone is in it no more."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            users = session.users
            await session.organizations.add(records.an_organization(1))
            await users.add_all([records.a_user(n, name="before") for n in (1, 2, 3)])
            await users.update(changed(records.a_user(1), name="now"))
            await users.update(changed(records.a_user(2, name="before"), organization_id="org_00001"))
            assert await ids(users, search="before") == ["usr_00002", "usr_00003"]
            assert await ids(users, search="now") == ["usr_00001"]
            assert await ids(users, search="before", organization_id="org_00001") == ["usr_00002"]
            assert await ids(users, search="before", organization_id=DEFAULT_ORGANIZATION) == ["usr_00003"]
            await session.organizations.delete("org_00001")
            await users.delete("usr_00003")
            assert await ids(users, search="before") == []

    place.run(use)
    assert place.execute("SELECT rowid FROM users_trigrams WHERE users_trigrams MATCH '\"bef\"'") == []
    assert len(place.execute("SELECT rowid FROM users_trigrams WHERE users_trigrams MATCH '\"now\"'")) == 1


def test_what_is_removed_leaves_nothing(place: Place) -> None:
    """Triggers remove just what was added, of every text: no trigram is left of records that are gone."""
    place.run(_fill)
    assert len(place.execute("SELECT term FROM users_trigrams_known")) > 100
    place.execute("UPDATE users SET search = 'changed ' || search WHERE email <> '1@x'")
    place.execute("DELETE FROM users")
    assert place.execute("SELECT term FROM users_trigrams_known") == []


def test_rows_keep_their_numbers_when_a_file_is_made_small(place: Place) -> None:
    """VACUUM, which an operator may do, leaves the index right: gaps in the numbers of rows stay."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.users.add_all([records.a_user(n, name=f"name {n:05}") for n in range(100)])
            for n in range(0, 100, 3):
                await session.users.delete(f"usr_{n:05}")

    async def look(database: Database) -> None:
        async with database.reading() as session:
            for n in range(100):
                assert await ids(session.users, search=f"e {n:05}") == ([f"usr_{n:05}"] if n % 3 else [])

    place.run(use)
    with closing(sqlite3.connect(place.directory / "sluicegate.db")) as connection:
        connection.execute("VACUUM")
    place.run(look)


async def _way(connection: AsyncConnection, searched: str, *, after: str | None = None, **filters: str | None) -> Way:
    return await way(connection, schema.tokens, searched, filters, after)


def test_what_many_have_is_read_in_order(place: Place) -> None:
    """Few records that may fit are looked at one by one, those of a small owner too; else the index of all is read."""
    count = FEW + 50
    first = "INSERT INTO tokens (id, digest, prefix, last_four, organization_id, name, tier, status, request_count,"
    columns = " models, paths, request_headers, tags, metadata, search, created_at, updated_at, version, user_id)"
    values = (
        " SELECT 'tok_' || printf('%06d', value), value, '', '',"
        " CASE WHEN value % 2 THEN 'org_00001' ELSE 'org_default' END, '', '',"
        " CASE value WHEN 5 THEN 'revoked' ELSE 'active' END, 0, '[]', '[]', '[]', '[]', '{}',"
        " CASE WHEN value % 2 THEN 'common odd' ELSE 'common' END || CASE WHEN value = 7 THEN ' rare' ELSE '' END,"
        " 0, 0, 1, NULL FROM series"
    )

    async def begin(database: Database) -> None:
        async with database.writing() as session:
            await session.organizations.add(records.an_organization(1))

    async def index(database: Database) -> None:
        async with database._writers.begin() as connection:
            await add(connection, schema.tokens, 0)

    async def use(database: Database) -> None:
        async with database._readers.begin() as connection:

            async def number(found: Way) -> int:
                assert found.fields == frozenset()
                assert found.candidates is not None
                rows = select(func.count()).select_from(schema.tokens).where(found.candidates)
                return int((await connection.execute(rows)).scalar_one())

            assert await number(await _way(connection, "rare")) == 1
            assert await number(await _way(connection, "none")) == 0
            assert await _way(connection, "common") == Way(None, frozenset())
            assert await _way(connection, "common", status="active") == Way(None, frozenset())
            assert await _way(connection, "common", status="revoked") == Way(None, frozenset({"status"}))
            assert await _way(connection, "common", user_id=None, status="revoked") == Way(None, frozenset({"status"}))
            assert await number(await _way(connection, "odd", organization_id=DEFAULT_ORGANIZATION)) == 0
            assert await number(await _way(connection, "common", after=f"tok_{count - 9:06}")) == 9
            assert await number(await _way(connection, "common", after="tok_x")) == 0
            assert await _way(connection, "common", after="tok_000009") == Way(None, frozenset())
            assert await _way(connection, "common", after="tok_000009", status="revoked") == Way(
                None, frozenset({"status"})
            )

    place.run(begin)
    place.execute(
        f"WITH RECURSIVE series (value) AS (VALUES (1) UNION ALL SELECT value + 1 FROM series WHERE value < {count})"
        f" {first}{columns}{values}"
    )
    place.run(index)
    place.run(use)


def test_fields_whose_index_may_be_read() -> None:
    """Where nothing is known, any; else those that are named."""
    assert FREE.may_read("status")
    assert not Way(None, frozenset({"user_id"})).may_read("status")
    assert Way(None, frozenset({"user_id"})).may_read("user_id")
