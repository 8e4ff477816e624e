"""The first version, and databases that were made with it."""

import asyncio
import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from sluicegate.domain.audit import Chain
from sluicegate.store import engines
from sluicegate.store.address import parse
from sluicegate.store.database import Database
from sluicegate.store.running import run
from sluicegate.store.upgrade import State, upgrade
from tests.store.place import Place

SAVED = Path(__file__).parents[2] / "first_version.sql"
"""A SQLite database as the first version left it, with a row in every table."""

Rows = dict[str, list[tuple[object, ...]]]


def _first(place: Place, *more: str) -> None:
    """Bring an empty database to the first version, and execute these statements."""

    def make(connection: Connection) -> None:
        run(connection, "upgrade", "0001")
        for statement in more:
            connection.exec_driver_sql(statement)

    async def made() -> None:
        engine = engines.migrator(parse(place.url, place.directory))
        try:
            async with engine.begin() as connection:
                await connection.run_sync(make)
        finally:
            await engine.dispose()

    asyncio.run(made())


def _rows(place: Place, columns: dict[str, str]) -> Rows:
    """All rows of these columns of these tables."""
    return {name: sorted(place.execute(f"SELECT {of} FROM {name}"), key=str) for name, of in columns.items()}


def _columns(place: Place) -> dict[str, str]:
    """The columns of each table of a database."""

    async def read() -> dict[str, str]:
        engine = engines.readers(parse(place.url, place.directory))
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(
                    lambda sync: {
                        table: ", ".join(f'"{column["name"]}"' for column in inspect(sync).get_columns(table))
                        for table in inspect(sync).get_table_names()
                        if table != "alembic_version"
                    }
                )
        finally:
            await engine.dispose()

    return asyncio.run(read())


@pytest.fixture
def saved(empty_place: Place) -> Place:
    """A database with what was saved; PostgreSQL's gets the same rows into its own tables."""
    statements = SAVED.read_text("utf-8")
    if empty_place.is_sqlite:
        connection = sqlite3.connect(empty_place.directory / "empty.db")
        connection.executescript(statements)
        connection.close()
    else:
        rows = [row for row in statements.split(";\n") if row.startswith("INSERT") and "alembic_version" not in row]
        emptied = [f"DELETE FROM {name}" for name in ("projects", "organizations", "heads")]
        _first(empty_place, *emptied, *(re.sub(r"X'([0-9A-F]*)'", r"'\\x\1'", row) for row in rows))
    return empty_place


def test_nothing_of_a_saved_database_is_lost(saved: Place) -> None:
    """A database of the first version has all its rows after an upgrade, as they were, and can be used."""
    columns = _columns(saved)
    assert set(columns) == {
        "accounts",
        "admin_keys",
        "audit",
        "changes",
        "credentials",
        "heads",
        "idempotency",
        "organizations",
        "projects",
        "tokens",
        "users",
    }
    before = _rows(saved, columns)
    assert all(before.values())
    assert asyncio.run(upgrade(saved.url, saved.directory)) == State("0001")
    after = _rows(saved, columns)
    # A later version has a head of its own.
    after["heads"] = [row for row in after["heads"] if row[0] != "request_log"]
    assert after == before
    saved.run(_use)


async def _use(database: Database) -> None:
    async with database.reading() as session:
        (token,) = await session.tokens.list(organization_id="org_saved")
        assert (token.models, token.tags, token.metadata) == (("gpt-*",), ("a", "b"), {"team": "Größe"})
        assert (token.request_count, token.max_requests, token.last_used_at) == (7, 100, 1_760_000_000_500)
        assert (await session.tokens.by_digests([token.digest]))[token.digest].project_status == "active"
        (user,) = await session.users.list(search="ADA")
        assert (user.email, user.monthly_limit) == ("ada@example.com", 5_000_000_000)
        assert [credential.provider for credential in await session.credentials.for_project("prj_saved")] == ["openai"]
        assert await session.admin_keys.by_digest(b"\x02" * 32) is not None
        assert await session.accounts.by_login("grace") is not None
        assert await session.idempotency.get("key", "adm_saved POST /admin/tokens") is not None
        assert await session.changes.last() == 1
        assert isinstance(await session.audit.verify(), Chain)
    async with database.writing() as session:
        assert await session.organizations.delete("org_saved") is True
        assert await session.changes.last() == 2


@pytest.mark.parametrize("kind", ["sqlite"])
def test_the_first_version_stays_as_it_is(saved: Place) -> None:
    """The migration makes what is saved, to the letter: whoever has that version has exactly this."""
    fresh = Place("sqlite:///fresh.db", saved.directory)
    _first(fresh)
    statement = "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
    assert fresh.execute(statement) == saved.execute(statement)


def test_defaults_are_there_from_the_beginning(empty_place: Place) -> None:
    """The default organisation and project were made just now, and both logs begin."""
    before = datetime.now(UTC).timestamp() * 1000
    _first(empty_place)
    after = datetime.now(UTC).timestamp() * 1000
    for table in ("organizations", "projects"):
        ((name, status, version, created, updated),) = empty_place.execute(
            f"SELECT name, status, version, created_at, updated_at FROM {table}"
        )
        assert (name, status, version) == ("Default", "active", 1)
        assert isinstance(created, int)
        assert before - 1 <= created <= after
        assert updated == created
    assert sorted(empty_place.execute("SELECT name, sequence FROM heads"), key=str) == [("audit", 0), ("changes", 0)]


def test_the_first_version_can_be_removed(empty_place: Place) -> None:
    """Undone, nothing is left of it."""
    _first(empty_place)

    def remove(connection: Connection) -> list[str]:
        run(connection, "downgrade", "base")
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 0
        return inspect(connection).get_table_names()

    async def removed() -> list[str]:
        engine = engines.migrator(parse(empty_place.url, empty_place.directory))
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(remove)
        finally:
            await engine.dispose()

    assert asyncio.run(removed()) == ["alembic_version"]
