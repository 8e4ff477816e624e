"""What a ledger of each kind stands on in tests: a clock that can be set, and a way to open it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from sluicegate.ledger.interface import Ledger

NOON = 1_709_208_000_000
"""29 February 2024, 12:00 UTC."""


@dataclass(slots=True)
class Clock:
    """Unix milliseconds, as a test sets them."""

    now: int = NOON

    def __call__(self) -> int:
        """Tell the time."""
        return self.now


@dataclass(frozen=True, slots=True)
class Ground:
    """`open` opens a ledger whose time this clock tells. What was in it when it was closed is in it still."""

    clock: Clock
    open: Callable[[], AbstractAsyncContextManager[Ledger]]
