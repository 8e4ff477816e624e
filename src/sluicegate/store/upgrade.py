"""Getting a database to this program's version, or back to the one before, one program at a time.

A migration happens whole or not at all: it is one transaction, on SQLite as on PostgreSQL.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, Literal

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.store import engines
from sluicegate.store.address import Address, SQLiteAddress, parse
from sluicegate.store.database import unavailable
from sluicegate.store.errors import BrokenReferencesError, OldestVersionError, StoreUnavailableError
from sluicegate.store.version import NEWEST, VERSIONS, version_of

Direction = Literal["upgrade", "downgrade"]

_LOCK: Final = 0x736C756D
"""The number of PostgreSQL's lock that migrating programs queue up for."""


@dataclass(frozen=True, slots=True)
class State:
    """What a database is like. `found` is None where there are no tables yet."""

    found: str | None
    newest: str = NEWEST

    @property
    def is_current(self) -> bool:
        """Whether this program can use it as it is."""
        return self.found == self.newest


async def upgrade(url: str, directory: Path) -> State:
    """Bring the database to this program's version, making it where there is none; return what was found.

    Raises DatabaseUrlError, NewerDatabaseError, StoreUnavailableError.
    """
    async with _migrating(parse(url, directory)) as connection:
        found = await version_of(connection)
        if found != NEWEST:
            await connection.run_sync(_runner(), "upgrade", NEWEST)
            await _check_references(connection)
    return State(found)


async def downgrade(url: str, directory: Path) -> State:
    """Undo the last migration, for the version of the program before this one; return what was found.

    Raises OldestVersionError, DatabaseUrlError, NewerDatabaseError, StoreUnavailableError.
    """
    async with _migrating(parse(url, directory)) as connection:
        found = await version_of(connection)
        if found is None or found == VERSIONS[0]:
            raise OldestVersionError("there is no version of the database before this one")
        await connection.run_sync(_runner(), "downgrade", VERSIONS[VERSIONS.index(found) - 1])
        await _check_references(connection)
    return State(found)


async def state(url: str, directory: Path) -> State:
    """What the database is like; changes nothing.

    Raises DatabaseUrlError, NewerDatabaseError, StoreUnavailableError.
    """
    address = parse(url, directory)
    if isinstance(address, SQLiteAddress) and not address.path.exists():
        return State(None)
    engine = engines.readers(address)
    try:
        with unavailable():
            async with engine.connect() as connection:
                return State(await version_of(connection))
    finally:
        await engine.dispose()


@asynccontextmanager
async def _migrating(address: Address) -> AsyncIterator[AsyncConnection]:
    """A transaction that no other program migrates beside."""
    engine = engines.migrator(address)
    try:
        async with _alone(address):
            engines.probe(address, may_make=True)
            with unavailable():
                async with engine.begin() as connection:
                    if not isinstance(address, SQLiteAddress):
                        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                    yield connection
    finally:
        await engine.dispose()


@asynccontextmanager
async def _alone(address: Address) -> AsyncIterator[None]:
    """Hold the lock file beside a SQLite database, which would else be an error of the second that begins."""
    if not isinstance(address, SQLiteAddress):
        yield
        return
    try:
        address.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Nobody else may read it, nor the files that SQLite makes beside it, which take its mode.
        os.close(os.open(address.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        file = os.open(f"{address.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailableError(f"the database's directory cannot be used: {error.strerror}") from None
    try:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


async def _check_references(connection: AsyncConnection) -> None:
    """Undo a migration of SQLite that leaves rows whose owner is gone: foreign keys were not in force during it."""
    if connection.dialect.name == "sqlite":
        lost = (await connection.execute(text("PRAGMA foreign_key_check"))).all()
        if lost:
            raise BrokenReferencesError(
                f"{len(lost)} rows, of {', '.join(sorted({str(row[0]) for row in lost}))}, belong to nothing"
            )


def _runner() -> Callable[[Connection, Direction, str], None]:
    """What runs migrations. Loaded now: it takes a tenth of a second, and nearly every start finds nothing to do."""
    run: Callable[[Connection, Direction, str], None] = import_module("sluicegate.store.running").run
    return run
