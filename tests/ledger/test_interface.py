"""What a ledger does: every adapter can stand for every other one."""

import inspect

import pytest

from sluicegate.ledger.interface import Ledger, LedgerUnavailableError
from sluicegate.ledger.memory import MemoryLedger
from sluicegate.ledger.redis import RedisLedger
from sluicegate.ledger.sql import SQLLedger

OPERATIONS = ("apply", "look", "held", "close")


@pytest.mark.parametrize("adapter", [MemoryLedger, SQLLedger, RedisLedger])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_adapters_are_called_alike(adapter: type[Ledger], operation: str) -> None:
    """Same parameters, same result, and awaited."""
    asked, offered = getattr(Ledger, operation), getattr(adapter, operation)
    assert inspect.signature(offered, eval_str=True) == inspect.signature(asked, eval_str=True)
    assert inspect.iscoroutinefunction(offered)


def test_unavailability_says_why() -> None:
    """What could not be reached is told to whoever reads the log."""
    assert str(LedgerUnavailableError("the database is away")) == "the database is away"
