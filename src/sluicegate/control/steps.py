"""Removing much in short transactions, so that whoever waits to write gets in."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

STEP_PAUSE: Final = 0.05
"""Seconds between two steps."""


async def repeated(step: Callable[[], Awaitable[int]], between: float, *, full: int = 1) -> int:
    """Repeat a step until it finds less than a `full` one does, with so many seconds between two.

    Return how much all of them found.
    """
    total = 0
    while True:
        found = await step()
        total += found
        if found < full:
            return total
        await asyncio.sleep(between)


def kept_since(now: int, seconds: float) -> int:
    """Of what is kept for so many seconds, when the oldest began: Unix milliseconds, like `now`, and never below 0."""
    return now - int(min(seconds * 1000, now))
