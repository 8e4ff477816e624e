"""Connections, set up as this program needs them."""

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only

from sluicegate.store import engines
from sluicegate.store.address import Address, parse
from sluicegate.store.errors import StoreUnavailableError
from tests.store.place import Place
from tests.store.postgresql import PASSWORD, Server

Make = Callable[[Address], AsyncEngine]


def _ask(place: Place, make: Make, *statements: str) -> list[object]:
    """The first value that each statement answers with, in one transaction."""

    async def asked() -> list[object]:
        engine = make(parse(place.url, place.directory))
        try:
            async with engine.begin() as connection:
                return [(await connection.execute(text(statement))).scalar() for statement in statements]
        finally:
            await engine.dispose()

    return asyncio.run(asked())


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    ("make", "foreign_keys", "query_only"),
    [(engines.readers, 1, 1), (engines.writers, 1, 0), (engines.migrator, 0, 0)],
)
def test_sqlite_connections_are_set_up(place: Place, make: Make, foreign_keys: int, query_only: int) -> None:
    """Connections wait for the writer, log ahead, and check foreign keys, except where tables are replaced."""
    pragmas = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys", "query_only")
    told = _ask(place, make, *(f"PRAGMA {pragma}" for pragma in pragmas))
    assert told == ["wal", 1, 10_000, foreign_keys, query_only]


@pytest.mark.parametrize("kind", ["postgresql"])
@pytest.mark.parametrize(
    ("make", "isolation", "read_only", "lock_timeout"),
    [
        (engines.readers, "repeatable read", "on", "10s"),
        (engines.writers, "read committed", "off", "10s"),
        (engines.migrator, "read committed", "off", "0"),
    ],
)
def test_postgresql_connections_are_set_up(
    place: Place, make: Make, isolation: str, read_only: str, lock_timeout: str
) -> None:
    """Readers see one state and change nothing; a migration waits for as long as it takes; the dead are cut off."""
    settings = (
        "transaction_isolation",
        "transaction_read_only",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "application_name",
    )
    told = _ask(place, make, *(f"SHOW {setting}" for setting in settings))
    assert told == [isolation, read_only, lock_timeout, "2min", "sluicegate"]


def test_readers_cannot_write(place: Place) -> None:
    """The database itself refuses what a reader would change."""
    with pytest.raises(DBAPIError):
        _ask(place, engines.readers, "DELETE FROM tokens")


def test_errors_do_not_show_values(place: Place) -> None:
    """An error of the driver has the statement in it, and none of the values."""

    async def fail() -> None:
        engine = engines.writers(parse(place.url, place.directory))
        try:
            async with engine.begin() as connection:
                await connection.execute(text("SELECT * FROM missing WHERE a = :a"), {"a": "canary-value"})
        finally:
            await engine.dispose()

    with pytest.raises(DBAPIError) as refused:
        asyncio.run(fail())
    assert "missing" in str(refused.value)
    assert "canary-value" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://u:{PASSWORD}@/d?host=/nonexistent/canary-host", "No such file"),
        ("postgresql://u:{PASSWORD}@127.0.0.1:1/canary-host", "Connection refused"),
        ("postgresql://u:{PASSWORD}@localhost:1/canary-host", "Connection refused|OSError"),
        ("postgresql://u:{PASSWORD}@canary-host.invalid/d", "gaierror|[Nn]ame|resol|EAI"),
        ("postgresql://u:{PASSWORD}@127.0.0.1/d?sslmode=canary", "sslmode"),
    ],
)
def test_a_server_that_is_not_there_is_told_without_its_address(url: str, reason: str, tmp_path: Path) -> None:
    """Whatever keeps us from connecting is told in one kind of error, with neither address nor password."""
    place = Place(url.format(PASSWORD=PASSWORD), tmp_path)
    with pytest.raises(StoreUnavailableError, match=reason) as refused:
        _ask(place, engines.readers, "SELECT 1")
    assert PASSWORD not in str(refused.value)
    assert "canary-host" not in str(refused.value)


def test_a_database_that_is_not_there_is_told(postgresql: Server, tmp_path: Path) -> None:
    """A server that refuses to let us in is told as one that does not answer, in its own words."""
    with pytest.raises(StoreUnavailableError, match="does not exist") as refused:
        _ask(Place(postgresql.url("none_such"), tmp_path), engines.readers, "SELECT 1")
    assert PASSWORD not in str(refused.value)


def test_a_file_is_made_only_where_it_may_be(tmp_path: Path) -> None:
    """A probe makes a file where it may, and tells where there is none, without the path."""
    address = parse("sqlite", tmp_path)
    with pytest.raises(StoreUnavailableError, match="unable to open") as refused:
        engines.probe(address, may_make=False)
    assert str(tmp_path) not in str(refused.value)
    engines.probe(address, may_make=True)
    engines.probe(address, may_make=False)
    assert [path.name for path in tmp_path.iterdir()] == ["sluicegate.db"]
    engines.probe(parse("postgresql://h/d", tmp_path), may_make=False)


class Opened:
    """A connection that knows whether it was closed."""

    is_closed = False

    def close(self) -> None:
        """Close it."""
        self.is_closed = True


def test_who_is_cancelled_while_a_connection_is_opened_closes_it() -> None:
    """The driver's thread opens it all the same, and nobody else would know of it."""
    opened = Opened()

    async def story() -> None:
        has_begun, may_end = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            has_begun.set()
            await may_end.wait()

        def connect() -> Opened:
            await_only(wait())
            return opened

        opening = asyncio.ensure_future(engines._opened(connect))
        await has_begun.wait()
        opening.cancel()
        await asyncio.sleep(0)
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await opening

    asyncio.run(story())
    assert opened.is_closed


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_cancelled_opening_leaves_nothing_behind(place: Place) -> None:
    """Whenever it is cancelled: while the file is opened, or while the connection is set up."""

    async def cancelled_after(turns: int) -> None:
        engine = engines.readers(parse(place.url, place.directory))

        async def ask() -> None:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))

        asking = asyncio.ensure_future(ask())
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        await engine.dispose()

    for turns in range(10):
        asyncio.run(cancelled_after(turns))
    # What is left open complains when it is collected, and so fails this test.
    gc.collect()
