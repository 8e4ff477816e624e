"""A database, and the transactions in which everything happens."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sluicegate.store import engines
from sluicegate.store.accounts import Accounts
from sluicegate.store.address import Address, SQLiteAddress, parse
from sluicegate.store.admin_keys import AdminKeys
from sluicegate.store.audit import Audit
from sluicegate.store.changes import Changes
from sluicegate.store.credentials import Credentials
from sluicegate.store.errors import StoreUnavailableError
from sluicegate.store.idempotency import Idempotency
from sluicegate.store.limits import Limits
from sluicegate.store.organizations import Organizations
from sluicegate.store.price_overrides import PriceOverrides
from sluicegate.store.projects import Projects
from sluicegate.store.tokens import Tokens
from sluicegate.store.usage.consumer_checkpoints import ConsumerCheckpoints
from sluicegate.store.usage.request_bodies import KeptBodies
from sluicegate.store.usage.request_log import RequestLog
from sluicegate.store.usage.rollups import Rollups
from sluicegate.store.users import Users
from sluicegate.store.version import check

_WRITER_LOCK = 0x736C7563
"""The number of the lock that makes writers queue up on PostgreSQL, as they do on SQLite."""

_TROUBLE = ("08", "25006", "40", "53", "55P03", "57", "58", "XX")
"""PostgreSQL's codes, or their beginnings: no connection, only a standby, deadlock, no resources, locked, shut down,
its system, broken (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""


class Session:
    """One transaction: repositories that see and change the same state."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.changes = Changes(connection)
        self.organizations = Organizations(connection, self.changes)
        self.projects = Projects(connection, self.changes)
        self.users = Users(connection, self.changes)
        self.tokens = Tokens(connection, self.changes)
        self.credentials = Credentials(connection)
        self.limits = Limits(connection)
        self.price_overrides = PriceOverrides(connection)
        self.admin_keys = AdminKeys(connection)
        self.accounts = Accounts(connection)
        self.audit = Audit(connection)
        self.idempotency = Idempotency(connection)
        self.request_log = RequestLog(connection)
        self.request_bodies = KeptBodies(connection)
        self.rollups = Rollups(connection)
        self.consumer_checkpoints = ConsumerCheckpoints(connection)

    def __repr__(self) -> str:
        """Tell what it is."""
        return "<Session>"


class Database:
    """An open database of this program's version."""

    def __init__(self, address: Address, readers: AsyncEngine, writers: AsyncEngine) -> None:
        self.address = address
        self._readers = readers
        self._writers = writers

    def __repr__(self) -> str:
        """Tell where it is."""
        return f"<Database {self.address}>"

    @classmethod
    async def open(cls, url: str, directory: Path) -> "Database":
        """Open the database of this address (see `store.address.parse`), which must have been upgraded.

        Raises DatabaseUrlError, OutdatedDatabaseError, NewerDatabaseError, StoreUnavailableError.
        """
        address = parse(url, directory)
        engines.probe(address, may_make=False)
        database = cls(address, engines.readers(address), engines.writers(address))
        try:
            with unavailable():
                async with database._readers.connect() as connection:
                    await check(connection)
        except BaseException:  # whatever it is, a cancellation too: nobody else could close it, and it is raised again
            await database.close()
            raise
        return database

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        """A transaction that sees one state of the database and changes nothing. Raises StoreUnavailableError."""
        with unavailable():
            async with self._readers.begin() as connection:
                yield Session(connection)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Session]:
        """A transaction that is committed at its end and undone by an exception; one at a time for the whole database.

        Raises StoreUnavailableError: then nothing is changed, unless the connection was lost in the commit itself.
        """
        with unavailable():
            async with self._writers.begin() as connection:
                if not isinstance(self.address, SQLiteAddress):
                    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _WRITER_LOCK})
                yield Session(connection)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._readers.dispose()
        await self._writers.dispose()


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn what drivers say of a database that does not answer into StoreUnavailableError, without its address."""
    try:
        yield
    except (OperationalError, InterfaceError, InternalError, PoolTimeoutError) as error:
        raise StoreUnavailableError(_reason(error)) from error
    except DBAPIError as error:
        if not (error.connection_invalidated or _is_trouble(error)):
            raise
        raise StoreUnavailableError(_reason(error)) from error
    except (ConnectionError, TimeoutError) as error:
        raise StoreUnavailableError(_reason(error)) from error
    except Exception as error:  # only the driver's own: all else is raised again
        if not _is_of_driver(error):
            raise
        raise StoreUnavailableError(_reason(error)) from error


def _is_of_driver(error: Exception) -> bool:
    """Whether SQLAlchemy let it through as it was: of a connection that is lost before it has set it up.

    By its name, as only who has a server loads the driver.
    """
    return type(error).__module__.startswith("asyncpg.")


def _is_trouble(error: DBAPIError) -> bool:
    """Whether it is about the database's state, not about what was asked of it."""
    # SQLite says exactly this of a file that is no database, or a damaged one.
    return type(error) is DatabaseError or str(getattr(error.orig, "sqlstate", None)).startswith(_TROUBLE)


def _reason(error: Exception) -> str:
    """In the driver's words, without the statement and its values."""
    return f"the database does not answer: {getattr(error, 'orig', None) or str(error) or type(error).__name__}"
