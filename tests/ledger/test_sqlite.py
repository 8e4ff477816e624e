"""Batches on SQLite; what they do is in the contract that `test_sql` holds the ledger to."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sluicegate.domain.leases import Ask
from sluicegate.domain.limits import WindowError
from sluicegate.ledger.interface import LedgerUnavailableError
from sluicegate.ledger.sqlite import Batches
from sluicegate.store.upgrade import upgrade

ACCOUNT = "tok_x|tokens|lifetime"


def ask(holder: str, account: str = ACCOUNT) -> Ask:
    """For one unit."""
    return Ask(account, holder, 100, 0, 1, 1, 0, 2**61)


def story(
    tmp_path: Path,
    tell: Callable[[Batches], Awaitable[None]],
    *,
    timeout: float = 5.0,
    clock: Callable[[], int] = lambda: 1_000,
) -> None:
    """Something that happens to an upgraded database."""

    async def main() -> None:
        await upgrade("sqlite:///file.db", tmp_path)
        batches = Batches(tmp_path / "file.db", clock, timeout)
        try:
            await tell(batches)
        finally:
            await batches.close()

    asyncio.run(main())


def test_what_is_no_account_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither the rest of its batch nor a transaction that would keep others from writing."""

    async def tell(batches: Batches) -> None:
        with pytest.raises(WindowError):
            await batches.apply([ask("n/1"), ask("n/1", "nonsense")])
        assert [outcome.leased for outcome in await batches.apply([ask("n/2")])] == [1]
        assert repr(batches) == f"<Batches in {tmp_path}/file.db>"

    story(tmp_path, tell)


def test_file_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    """An empty ledger would sell everything once more."""

    async def tell(batches: Batches) -> None:
        (tmp_path / "file.db").rename(tmp_path / "moved.db")
        with pytest.raises(LedgerUnavailableError, match="does not answer"):
            await batches.apply([ask("n/1")])
        assert not (tmp_path / "file.db").exists()
        (tmp_path / "moved.db").rename(tmp_path / "file.db")
        assert [outcome.leased for outcome in await batches.apply([ask("n/1")])] == [1]

    story(tmp_path, tell)


def test_lock_of_another_is_waited_for_and_not_for_ever(tmp_path: Path) -> None:
    """Nothing is applied by the batch that gives up."""

    async def tell(batches: Batches) -> None:
        await batches.apply([ask("n/1")])
        impatient = Batches(tmp_path / "file.db", lambda: 1_000, 0.2)
        other = sqlite3.connect(tmp_path / "file.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises((LedgerUnavailableError, TimeoutError)):
            await impatient.apply([ask("n/2")])
        other.close()
        await impatient.close()
        assert [outcome.leased for outcome in await batches.apply([ask("n/3")])] == [2]

    story(tmp_path, tell, timeout=60.0)


def test_batch_whose_time_is_up_is_undone(tmp_path: Path) -> None:
    """Though its thread goes on: whoever gave it up may count on it that nothing was applied."""
    may_go_on = threading.Event()

    def clock() -> int:
        may_go_on.wait(60)
        return 1_000

    async def tell(batches: Batches) -> None:
        with pytest.raises(TimeoutError):
            await batches.apply([ask("n/1")])
        may_go_on.set()
        patient = Batches(tmp_path / "file.db", lambda: 1_000, 60.0)
        assert [outcome.leased for outcome in await patient.apply([ask("n/2")])] == [1]
        await patient.close()

    story(tmp_path, tell, timeout=0.5, clock=clock)
