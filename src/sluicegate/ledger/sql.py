"""The ledger in the installation's own database, SQLite or PostgreSQL.

Rule 1. A batch is one transaction: its accounts are read, changed by `domain/leases.py`, and written.
        On SQLite `sqlite` does so, in one go.
Rule 2. Whoever changes an account has locked it before reading: on SQLite the whole database, as every writer does; on
        PostgreSQL the accounts' rows, all in the order of their names, so that no two batches wait for each other.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ARRAY, Executable, String, Table, bindparam, cast, delete, func, literal_column, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sluicegate.domain.leases import Account, Balance, Held, Lease, Operation, Outcome, balance
from sluicegate.ledger.interface import LedgerUnavailableError
from sluicegate.ledger.rows import Changes, account_of, applied, changes, lease_of
from sluicegate.ledger.sqlite import Batches
from sluicegate.store import engines
from sluicegate.store.address import Address, SQLiteAddress, parse
from sluicegate.store.clock import now
from sluicegate.store.database import unavailable
from sluicegate.store.errors import StoreUnavailableError
from sluicegate.store.schema import ledger_accounts, ledger_leases
from sluicegate.store.values import padded

_ROWS = 500
"""Accounts that one statement reads."""

_LEASE = Lease.__struct_fields__


class SQLLedger:
    """Accounts and leases as rows of two tables."""

    def __init__(self, address: Address, clock: Callable[[], int] | None, timeout: float) -> None:
        """See `open`."""
        self._address = address
        self._clock = clock
        self._timeout = timeout
        self._readers = engines.readers(address)
        self._writers = engines.writers(address)
        self._batches = Batches(address.path, clock, timeout) if isinstance(address, SQLiteAddress) else None

    def __repr__(self) -> str:
        """Tell where it is."""
        return f"<SQLLedger in {self._address}>"

    @classmethod
    def open(
        cls, url: str, directory: Path, *, clock: Callable[[], int] | None = None, timeout: float = 5.0
    ) -> "SQLLedger":
        """The ledger in the database of this address, which must have been upgraded; it connects when it is used.

        `clock` tells Unix milliseconds; None: the database's own one does. What takes longer than `timeout` seconds is
        given up. Raises DatabaseUrlError, and LedgerUnavailableError where there is no such file.
        """
        address = parse(url, directory)
        with _translated():
            engines.probe(address, may_make=False)
        return cls(address, clock, timeout)

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Apply a batch in one transaction; the outcomes are in the operations' order.

        Raises LedgerUnavailableError: then nothing was applied, unless the connection was lost in the commit itself.
        """
        names = sorted({operation.account for operation in operations})
        if not names:
            return []
        if self._batches is not None:
            with _translated():
                return await self._batches.apply(operations)
        async with self._transaction(self._writers) as connection:
            # Keep others from these accounts until the transaction ends; make those that there are not yet.
            await connection.execute(_LOCK, {"names": names})
            before = await _read(connection, names)
            after, outcomes = applied(before, operations, await self._now(connection))
            await _write(connection, changes(before, after))
        return outcomes

    async def look(self, accounts: Sequence[str]) -> list[Balance]:
        """Each account's balance as of now; an unknown one is empty. Raises LedgerUnavailableError."""
        async with self._transaction(self._readers) as connection:
            found = await _read(connection, sorted(set(accounts)))
            moment = await self._now(connection)
        return [balance(name, found[name], moment) for name in accounts]

    async def held(self, node: str) -> list[Held]:
        """All leases of a node's holders. Raises LedgerUnavailableError."""
        columns, beginning = ledger_leases.c, f"{node}/"
        # Not LIKE: on SQLite it takes N for n.
        is_of_node = func.substr(columns.holder, 1, len(beginning)) == beginning
        statement = select(ledger_leases).where(is_of_node).order_by(columns.account, columns.holder)
        async with self._transaction(self._readers) as connection:
            return [Held(row.account, row.holder, _lease(row)) for row in await connection.execute(statement)]

    async def close(self) -> None:
        """Let go of all connections."""
        await self._readers.dispose()
        await self._writers.dispose()
        if self._batches is not None:
            await self._batches.close()

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        with _translated():
            async with asyncio.timeout(self._timeout), engine.begin() as connection:
                yield connection

    async def _now(self, connection: AsyncConnection) -> int:
        """Asked for after the locks were had: whoever had them before saw an earlier time."""
        if self._clock is not None:
            return self._clock()
        return int((await connection.execute(select(now(connection)))).scalar_one())


async def _write(connection: AsyncConnection, rows: Changes) -> None:
    await connection.execute(_WRITE_ACCOUNTS, rows.accounts)
    if rows.leases:
        await connection.execute(_WRITE_LEASES, rows.leases)
    if rows.forgotten:
        await connection.execute(_FORGET, rows.forgotten)


def _upsert(table: Table, key: list[str], columns: Iterable[str]) -> Executable:
    """A statement that writes rows, new or not."""
    into = postgresql.insert(table)
    return into.on_conflict_do_update(index_elements=key, set_={name: into.excluded[name] for name in columns})


_WRITE_ACCOUNTS = _upsert(ledger_accounts, ["account"], ["slots", "seen_at"])
_WRITE_LEASES = _upsert(ledger_leases, ["account", "holder"], _LEASE)

# What conflicts is locked though nothing is updated (https://www.postgresql.org/docs/current/sql-insert.html). One
# statement for what is there and what is not: locks are taken in the order of the names all through.
_NAMES = select(func.unnest(cast(bindparam("names"), ARRAY(String))).label("name")).subquery()
_LOCK = (
    postgresql.insert(ledger_accounts)
    .from_select(
        ["account", "slots", "seen_at"],
        select(_NAMES.c.name, literal_column("'{}'"), literal_column("0")).order_by(_NAMES.c.name),
    )
    .on_conflict_do_update(
        index_elements=["account"], set_={"seen_at": ledger_accounts.c.seen_at}, where=literal_column("false")
    )
)

_FORGET = delete(ledger_leases).where(
    ledger_leases.c.account == bindparam("of_account"), ledger_leases.c.holder == bindparam("of_holder")
)


async def _read(connection: AsyncConnection, names: list[str]) -> dict[str, Account]:
    """These accounts; those that there are not are empty."""
    accounts = {name: Account() for name in names}
    for start in range(0, len(names), _ROWS):
        some = {"names": padded(names[start : start + _ROWS])}
        for row in await connection.execute(_READ, some):
            if row.holder is None or not accounts[row.account].leases:
                accounts[row.account] = account_of(row.slots, row.seen_at)
            if row.holder is not None:
                accounts[row.account].leases[row.holder] = _lease(row)
    return accounts


_READ = (
    select(ledger_accounts, ledger_leases.c.holder, *(ledger_leases.c[name] for name in _LEASE))
    .outerjoin(ledger_leases, ledger_leases.c.account == ledger_accounts.c.account)
    .where(ledger_accounts.c.account.in_(bindparam("names", expanding=True)))
)


def _lease(row: Any) -> Lease:
    return lease_of(row.granted, row.settled, row.returned, row.position, row.expires_at, row.is_closed)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the store and its drivers say of a database that does not answer into LedgerUnavailableError."""
    try:
        with unavailable():
            yield
    except StoreUnavailableError as error:
        raise LedgerUnavailableError(str(error)) from error
