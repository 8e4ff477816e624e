"""Batches of the ledger on SQLite, each in one go in a thread of its own.

The driver for event loops changes threads for every step of a statement, which takes several times as long as the batch
itself, and a node under load has dozens of them in a second.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from sluicegate.domain.leases import Account, Operation, Outcome
from sluicegate.ledger.interface import LedgerUnavailableError
from sluicegate.ledger.rows import account_of, applied, changes, lease_of

_READ: Final = """
SELECT a.account, a.slots, a.seen_at, l.holder,
       l.granted, l.settled, l.returned, l.position, l.expires_at, l.is_closed
FROM ledger_accounts a LEFT JOIN ledger_leases l ON l.account = a.account
WHERE a.account IN (SELECT value FROM json_each(?))
"""
_WRITE_ACCOUNTS: Final = """
INSERT INTO ledger_accounts (account, slots, seen_at) VALUES (:account, :slots, :seen_at)
ON CONFLICT (account) DO UPDATE SET slots = excluded.slots, seen_at = excluded.seen_at
"""
_WRITE_LEASES: Final = """
INSERT INTO ledger_leases (account, holder, granted, settled, returned, position, expires_at, is_closed)
VALUES (:account, :holder, :granted, :settled, :returned, :position, :expires_at, :is_closed)
ON CONFLICT (account, holder) DO UPDATE SET
    granted = excluded.granted, settled = excluded.settled, returned = excluded.returned,
    position = excluded.position, expires_at = excluded.expires_at, is_closed = excluded.is_closed
"""
_FORGET: Final = "DELETE FROM ledger_leases WHERE account = :of_account AND holder = :of_holder"
_NOW: Final = "SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"
"""As in `store/clock.py`."""


class Batches:
    """One connection, opened when it is needed."""

    def __init__(self, path: Path, clock: Callable[[], int] | None, timeout: float) -> None:
        """`clock` tells Unix milliseconds; None: the database's own one does. `timeout` is seconds for a batch."""
        self._path = path
        self._clock = clock
        self._timeout = timeout
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")

    def __repr__(self) -> str:
        """Tell where."""
        return f"<Batches in {self._path}>"

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Apply a batch in one transaction; the outcomes are in the operations' order.

        Raises LedgerUnavailableError, WindowError, TimeoutError: then nothing was applied, unless time was up in the
        commit itself.
        """
        is_given_up = threading.Event()
        try:
            async with asyncio.timeout(self._timeout):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._thread, self._apply, operations, is_given_up.is_set)
        finally:
            is_given_up.set()

    async def close(self) -> None:
        """Let go of the connection."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _apply(self, operations: Sequence[Operation], is_given_up: Callable[[], bool]) -> list[Outcome]:
        try:
            connection = self._connected()
            # A writer from the first statement on: nobody changes what is read.
            connection.execute("BEGIN IMMEDIATE")
            outcomes = self._changed(connection, operations)
            if is_given_up():
                # The lock came too late.
                raise LedgerUnavailableError("nobody waits for this batch any more")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._disconnect()
            raise LedgerUnavailableError(f"the database does not answer: {error}") from error
        except BaseException:  # whatever it is: the transaction must not stay open, and it is raised again
            self._disconnect()
            raise
        return outcomes

    def _changed(self, connection: sqlite3.Connection, operations: Sequence[Operation]) -> list[Outcome]:
        names = sorted({operation.account for operation in operations})
        before = {name: Account() for name in names}
        for name, slots, seen_at, holder, *figures in connection.execute(_READ, (msgspec.json.encode(names).decode(),)):
            if holder is None or not before[name].leases:
                before[name] = account_of(slots, seen_at)
            if holder is not None:
                before[name].leases[holder] = lease_of(*figures)
        moment = connection.execute(_NOW).fetchone()[0] if self._clock is None else self._clock()
        after, outcomes = applied(before, operations, moment)
        rows = changes(before, after)
        connection.executemany(_WRITE_ACCOUNTS, rows.accounts)
        connection.executemany(_WRITE_LEASES, rows.leases)
        connection.executemany(_FORGET, rows.forgotten)
        return outcomes

    def _connected(self) -> sqlite3.Connection:
        """Raises sqlite3.Error."""
        if self._connection is None:
            # It is not made anew where somebody has removed it. What waits for the lock cannot be interrupted.
            self._connection = sqlite3.connect(
                f"file:{quote(str(self._path))}?mode=rw", uri=True, isolation_level=None, timeout=self._timeout * 0.9
            )
            self._connection.execute("PRAGMA synchronous=NORMAL")
        return self._connection

    def _disconnect(self) -> None:
        """Close the connection, which undoes what is not committed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
