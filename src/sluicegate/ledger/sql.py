"""The ledger in the installation's own database, SQLite or PostgreSQL.

Rule 1. A batch is one transaction: its accounts are read, changed by `domain/leases.py`, and written.
Rule 2. Whoever changes an account has locked it before reading: on SQLite the whole database, as every writer does; on
        PostgreSQL the accounts' rows, all in the order of their names, so that no two batches wait for each other.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import asdict
from sqlalchemy import ARRAY, String, bindparam, cast, delete, event, func, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sluicegate.domain.leases import Account, Balance, Held, Lease, Operation, Outcome, apply, balance
from sluicegate.ledger.interface import LedgerUnavailableError
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
_slots = msgspec.json.Decoder(dict[int, int])


class SQLLedger:
    """Accounts and leases as rows of two tables."""

    def __init__(self, address: Address, clock: Callable[[], int] | None, timeout: float) -> None:
        """See `open`."""
        self._address = address
        self._clock = clock
        self._timeout = timeout
        self._readers = engines.readers(address)
        self._writers = engines.writers(address)
        self._upsert = sqlite.insert if isinstance(address, SQLiteAddress) else postgresql.insert
        if isinstance(address, SQLiteAddress):
            # What waits for the lock cannot be interrupted: the driver waits in a thread.
            patience = f"PRAGMA busy_timeout={int(timeout * 900)}"
            event.listen(self._writers.sync_engine, "connect", lambda connection, _: connection.execute(patience))

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
        outcomes: list[Outcome] = []
        async with self._transaction(self._writers) as connection:
            await self._lock(connection, names)
            before = await _read(connection, names)
            moment = await self._now(connection)
            after = dict(before)
            for operation in operations:
                account, outcome = apply(operation.account, after[operation.account], operation, moment)
                after[operation.account] = account
                outcomes.append(outcome)
            await self._write(connection, before, after)
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

    async def _lock(self, connection: AsyncConnection, names: Sequence[str]) -> None:
        """Keep others from these accounts until the transaction ends; make those that there are not yet."""
        if not isinstance(self._address, SQLiteAddress):
            await connection.execute(_LOCK, {"names": names})

    async def _write(
        self, connection: AsyncConnection, before: Mapping[str, Account], after: Mapping[str, Account]
    ) -> None:
        """Write what differs."""
        accounts: list[dict[str, Any]] = []
        leases: list[dict[str, Any]] = []
        forgotten: list[dict[str, Any]] = []
        for name, account in after.items():
            old = before[name]
            slots = msgspec.json.encode(account.slots).decode()
            accounts.append({"account": name, "slots": slots, "seen_at": account.seen_at})
            leases += (
                {"account": name, "holder": holder, **asdict(lease)}
                for holder, lease in account.leases.items()
                if old.leases.get(holder) != lease
            )
            forgotten += (
                {"of_account": name, "of_holder": holder} for holder in old.leases if holder not in account.leases
            )
        into_accounts = self._upsert(ledger_accounts)
        changed = {column: into_accounts.excluded[column] for column in ("slots", "seen_at")}
        await connection.execute(
            into_accounts.on_conflict_do_update(index_elements=["account"], set_=changed), accounts
        )
        if leases:
            into_leases = self._upsert(ledger_leases)
            changed = {column: into_leases.excluded[column] for column in _LEASE}
            both = ["account", "holder"]
            await connection.execute(into_leases.on_conflict_do_update(index_elements=both, set_=changed), leases)
        if forgotten:
            await connection.execute(_FORGET, forgotten)


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
    slots: dict[str, tuple[dict[int, int], int]] = {}
    leases: defaultdict[str, dict[str, Lease]] = defaultdict(dict)
    for start in range(0, len(names), _ROWS):
        some = {"names": padded(names[start : start + _ROWS])}
        for row in await connection.execute(_READ, some):
            slots[row.account] = (_slots.decode(row.slots), row.seen_at)
            if row.holder is not None:
                leases[row.account][row.holder] = _lease(row)
    accounts: dict[str, Account] = {}
    for name in names:
        used, seen_at = slots.get(name, ({}, 0))
        accounts[name] = Account(slots=used, leases=leases[name], seen_at=seen_at)
    return accounts


_READ = (
    select(ledger_accounts, ledger_leases.c.holder, *(ledger_leases.c[name] for name in _LEASE))
    .outerjoin(ledger_leases, ledger_leases.c.account == ledger_accounts.c.account)
    .where(ledger_accounts.c.account.in_(bindparam("names", expanding=True)))
)


def _lease(row: Any) -> Lease:
    return Lease(**{name: getattr(row, name) for name in _LEASE})


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the store and its drivers say of a database that does not answer into LedgerUnavailableError."""
    try:
        with unavailable():
            yield
    except StoreUnavailableError as error:
        raise LedgerUnavailableError(str(error)) from error
