"""The model keeps the contract."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sluicegate.ledger.memory import MemoryLedger
from tests.ledger.contract import LedgerContract
from tests.ledger.ground import Clock, Ground


@pytest.fixture
def ground() -> Ground:
    """One ledger, however often it is opened."""
    clock = Clock()
    ledger = MemoryLedger(clock)

    @asynccontextmanager
    async def opened() -> AsyncIterator[MemoryLedger]:
        yield ledger
        await ledger.close()

    return Ground(clock, opened)


class TestMemoryLedger(LedgerContract):
    """The contract, and more runs of it than others can afford."""

    runs = 120

    def test_it_tells_how_much_is_in_it(self, ground: Ground) -> None:
        """Its repr counts accounts."""
        assert repr(MemoryLedger(ground.clock)) == "<MemoryLedger of 0 accounts>"
