"""The ledger in a database keeps the contract, and does not hold up others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from sluicegate.domain.leases import Ask, Operation, Reset
from sluicegate.ledger.interface import LedgerUnavailableError
from sluicegate.ledger.sql import SQLLedger
from sluicegate.store import engines
from sluicegate.store.address import parse
from tests.ledger.contract import LedgerContract
from tests.ledger.ground import Clock, Ground
from tests.store.place import Place
from tests.store.postgresql import Server


@asynccontextmanager
async def opened(place: Place, clock: Clock | None = None, *, patience: float = 60.0) -> AsyncIterator[SQLLedger]:
    """The ledger in this database, until the end of the block."""
    ledger = SQLLedger.open(place.url, place.directory, clock=clock, timeout=patience)
    try:
        yield ledger
    finally:
        await ledger.close()


@pytest.fixture
def ground(place: Place) -> Ground:
    """A ledger in an upgraded database."""
    clock = Clock()
    return Ground(clock, lambda: opened(place, clock))


def an_ask(account: str, holder: str = "n/1", *, maximum: int = 1000, needed: int = 1) -> Ask:
    """One that comes in time, whatever the time is."""
    return Ask(account, holder, maximum, 0, needed, needed, 0, 2**61)


class TestSQLLedger(LedgerContract):
    """The contract, with SQLite and with PostgreSQL."""

    def test_the_databases_own_clock_tells_the_time(self, place: Place) -> None:
        """Without a clock of its own it asks the database."""

        async def use() -> None:
            async with opened(place) as ledger:
                (outcome,) = await ledger.apply([Reset("tok_x|tokens|5h")])
                assert outcome.now > 1_700_000_000_000

        asyncio.run(use())

    def test_crossing_batches_do_not_block_each_other(self, place: Place) -> None:
        """Many batches on the same accounts, in opposite orders and some of them new: each unit is granted once."""

        async def use() -> None:
            async with opened(place) as one, opened(place) as other:
                names = [f"tok_{number}|requests|lifetime" for number in range(12)]

                async def ask(ledger: SQLLedger, holder: str, order: list[str]) -> int:
                    asks: list[Operation] = [an_ask(name, holder, maximum=5) for name in order]
                    return sum(outcome.granted for outcome in await ledger.apply(asks))

                asks = [
                    ask(ledger, f"{number}/{turn}", names[number:] if turn else names[::-1])
                    for number in range(6)
                    for turn, ledger in enumerate((one, other))
                ]
                granted = await asyncio.gather(*asks)
                assert sum(granted) == 5 * len(names)
                assert all(balance.leased == 5 for balance in await other.look(names))

        asyncio.run(use())

    def test_more_accounts_than_one_statement_reads(self, place: Place) -> None:
        """A batch may have more accounts than one statement reads."""

        async def use() -> None:
            async with opened(place) as ledger:
                names = [f"tok_{number}|tokens|day" for number in range(1100)]
                await ledger.apply([an_ask(name) for name in names])
                outcomes = await ledger.apply([an_ask(name, "n/2", needed=2) for name in names])
                assert {outcome.leased for outcome in outcomes} == {3}

        asyncio.run(use())

    def test_a_lock_that_is_not_given_back_is_unavailability(self, place: Place) -> None:
        """Where another holds what a batch needs for too long, it gives up with nothing applied, and works again."""

        async def use() -> None:
            name = "tok_x|tokens|5h"
            async with opened(place) as ledger, opened(place, patience=0.2) as hasty:
                await ledger.apply([an_ask(name)])
                engine = engines.writers(parse(place.url, place.directory))
                try:
                    async with engine.begin() as connection:
                        await connection.execute(text("UPDATE ledger_accounts SET seen_at = seen_at"))
                        with pytest.raises(LedgerUnavailableError):
                            await hasty.apply([an_ask(name, "n/2")])
                finally:
                    await engine.dispose()
                is_back = False
                while not is_back:
                    # It has as little time as before, which may be too little again on a machine with much to do.
                    with suppress(LedgerUnavailableError):
                        is_back = bool(await hasty.look([name]))
                assert [outcome.leased for outcome in await ledger.apply([an_ask(name, "n/3")])] == [2]

        asyncio.run(asyncio.wait_for(use(), 60))

    def test_tells_where_it_is(self, place: Place) -> None:
        """Its repr has the address, without the password."""

        async def use() -> None:
            async with opened(place) as ledger:
                assert repr(ledger).startswith("<SQLLedger in ")
                assert "hunter2" not in repr(ledger)

        asyncio.run(use())


def test_a_missing_file_is_unavailability(tmp_path: Path) -> None:
    """A SQLite file that is not there is told at once."""
    with pytest.raises(LedgerUnavailableError, match="cannot be opened"):
        SQLLedger.open("sqlite", tmp_path)


def test_a_stopped_server_is_unavailability(postgresql: Server, migrated_name: str, tmp_path: Path) -> None:
    """A server that is gone is told as such, without its password; when it is back, so is the ledger."""
    name = postgresql.create(migrated_name)
    place = Place(postgresql.url(name), tmp_path)

    async def use() -> None:
        async with opened(place) as ledger:
            await ledger.apply([an_ask("tok_x|tokens|5h")])
            postgresql.stop()
            try:
                with pytest.raises(LedgerUnavailableError) as told:
                    await ledger.apply([an_ask("tok_x|tokens|5h", "n/2")])
                with pytest.raises(LedgerUnavailableError):
                    await ledger.look(["tok_x|tokens|5h"])
            finally:
                postgresql.start()
            assert "hunter2" not in str(told.value)
            assert [outcome.leased for outcome in await ledger.apply([an_ask("tok_x|tokens|5h", "n/3")])] == [2]

    asyncio.run(use())
    postgresql.drop(name)


def test_rows_of_other_accounts_are_not_waited_for(postgresql: Server, migrated_name: str, tmp_path: Path) -> None:
    """On PostgreSQL a batch waits neither for management's writers nor for batches on other accounts."""
    name = postgresql.create(migrated_name)
    place = Place(postgresql.url(name), tmp_path)

    async def use() -> None:
        async with place.open() as database, opened(place, patience=20.0) as ledger:
            await ledger.apply([an_ask("tok_a|tokens|5h"), an_ask("tok_b|tokens|5h")])
            engine = engines.writers(parse(place.url, place.directory))
            async with database.writing(), engine.begin() as connection:
                await connection.execute(text("SELECT 1 FROM ledger_accounts WHERE account LIKE 'tok_a%' FOR UPDATE"))
                assert [outcome.leased for outcome in await ledger.apply([an_ask("tok_b|tokens|5h", "n/2")])] == [2]
            await engine.dispose()

    asyncio.run(use())
    postgresql.drop(name)
