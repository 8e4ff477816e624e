"""Connections to a database, set up as this program needs them."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only, greenlet_spawn

from sluicegate.store.address import Address, PostgreSQLAddress, SQLiteAddress
from sluicegate.store.errors import StoreUnavailableError

READERS = 4
"""Connections that read at the same time."""

BUSY_MILLISECONDS = 10_000
"""How long to wait for the one who writes."""

_CONNECT_SECONDS = 5.0
_STATEMENT_SECONDS = 60.0
"""No statement of ours takes as long: whoever is behind a network that swallows everything must find out."""

_PRAGMAS = (
    # First: to switch to WAL mode is to write.
    f"busy_timeout={BUSY_MILLISECONDS}",
    # A reader never waits for the writer, nor the writer for readers.
    "journal_mode=WAL",
    # In WAL mode a power cut can lose the last commits, but never corrupts; a crash of the program loses nothing.
    "synchronous=NORMAL",
    "foreign_keys=ON",
    # Negative: KiB. Inner pages of the indexes of a million tokens fit.
    "cache_size=-16384",
    "temp_store=MEMORY",
)

# A node that stops with a transaction open would hold up all others; the server ends it then.
_SERVER_SETTINGS = {
    "application_name": "sluicegate",
    "idle_in_transaction_session_timeout": "120000",
    "lock_timeout": str(BUSY_MILLISECONDS),
    "jit": "off",
}


def readers(address: Address) -> AsyncEngine:
    """Connections whose transactions see one state of the database, and change nothing."""
    if isinstance(address, SQLiteAddress):
        return _sqlite(address, "BEGIN", "query_only=ON", size=READERS)
    return _postgresql(address, READERS, isolation_level="REPEATABLE READ", postgresql_readonly=True)


def writers(address: Address) -> AsyncEngine:
    """Connections that change things: on SQLite just one, so that writers of this process queue up for it in order."""
    if isinstance(address, SQLiteAddress):
        return _sqlite(address, "BEGIN IMMEDIATE", size=1)
    return _postgresql(address, 2)


def migrator(address: Address) -> AsyncEngine:
    """A connection that changes tables.

    SQLite's changes of a table replace it, and with foreign keys in force that would delete what refers to its rows.
    """
    if isinstance(address, SQLiteAddress):
        return _sqlite(address, "BEGIN IMMEDIATE", "foreign_keys=OFF", size=1)
    return _postgresql(address, 1, lock_timeout="0")


def probe(address: Address, *, may_make: bool) -> None:
    """Open a SQLite file once, and close it. Raises StoreUnavailableError where that cannot be done.

    The driver opens files in a thread of its own, and a thread whose connection failed outlives the loop that asked.
    """
    if isinstance(address, SQLiteAddress):
        mode = "rwc" if may_make else "rw"
        try:
            sqlite3.connect(f"file:{quote(str(address.path))}?mode={mode}", uri=True).close()
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"the database's file cannot be opened: {error}") from error


def _sqlite(address: SQLiteAddress, begin: str, *pragmas: str, size: int) -> AsyncEngine:
    url = URL.create("sqlite+aiosqlite", database=str(address.path))
    engine = create_async_engine(
        url, pool_size=size, max_overflow=0, pool_timeout=BUSY_MILLISECONDS / 1000, hide_parameters=True
    )

    def prepare(connection: Any, _record: object) -> None:
        # The driver would begin transactions on its own and at other places than we ask it to.
        connection.isolation_level = None
        try:
            cursor = connection.cursor()
            for pragma in (*_PRAGMAS, *pragmas):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()
        except BaseException:  # a cancellation too, and it is raised again: nobody else would close it
            connection.close()
            raise

    event.listen(engine.sync_engine, "do_connect", _connected)
    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _connected(dialect: Any, _record: object, arguments: Any, settings: Any) -> Any:
    """A connection of SQLAlchemy's driver, which is opened to the end whoever is cancelled meanwhile."""
    return await_only(_opened(partial(dialect.connect, *arguments, **settings)))


async def _opened(connect: Callable[[], Any]) -> Any:
    """Open a connection; whoever is cancelled meanwhile waits for it, and closes it.

    The driver opens files in a thread of its own. Cancelled, it would leave an open connection to nobody, and the
    thread to a loop that may be closed already.
    """
    opening = asyncio.ensure_future(greenlet_spawn(connect))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        with suppress(sqlite3.Error):
            await greenlet_spawn((await opening).close)
        raise


def _postgresql(
    address: PostgreSQLAddress, size: int, *, lock_timeout: str | None = None, **execution: Any
) -> AsyncEngine:
    settings = _SERVER_SETTINGS if lock_timeout is None else _SERVER_SETTINGS | {"lock_timeout": lock_timeout}
    connect = partial(
        _connect,
        address.url,
        timeout=_CONNECT_SECONDS,
        command_timeout=_STATEMENT_SECONDS if lock_timeout is None else None,
        server_settings=settings,
    )
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=size,
        max_overflow=0,
        pool_timeout=BUSY_MILLISECONDS / 1000,
        pool_pre_ping=True,
        # Errors get into logs, and there are digests and ciphertexts among the values.
        hide_parameters=True,
        execution_options=execution,
    )


async def _connect(url: str, **options: Any) -> Any:
    """asyncpg reads the address by itself, so that all of libpq's parameters work, `sslmode` and several hosts too.

    Raises StoreUnavailableError, with neither the address nor the password in it.
    """
    # Only where there is a server: the driver takes 3 MB.
    driver = import_module("asyncpg")
    try:
        return await driver.connect(url, **options)
    except OSError as error:
        # What asyncio says names the host and port.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror or type(error).__name__
        raise StoreUnavailableError(f"the database cannot be connected to: {reason}") from None
    except (driver.PostgresError, driver.InterfaceError, ValueError) as error:
        raise StoreUnavailableError(f"the database cannot be connected to: {error}") from error
