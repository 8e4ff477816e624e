"""Keeping the request log and the sums within their bounds: what is beyond goes in short transactions.

Where several nodes share a database each does it; there is only so much to do.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from sluicegate.config.schema import RequestLogSettings
from sluicegate.control.resolution.trouble import FAILURES, Trouble
from sluicegate.control.steps import STEP_PAUSE, kept_since, repeated
from sluicegate.domain.usage_rows import GRAINS, Grain
from sluicegate.store.database import Database

PAUSE: Final = 60.0
"""Seconds between two rounds."""
STEP: Final = 2_000
"""Rows of one transaction, or a block of them: some 50 ms, for which nobody else can write."""
MOST_ROWS: Final = 2**40
"""More than any disk holds, and few enough for a database to count with."""


class Bounds(Struct, frozen=True):
    """What is older may go, in Unix milliseconds: requests, and sums by how long a time they are of; and most rows."""

    requests: int
    hour: int
    day: int
    most_rows: int


def bounds(now: int, settings: RequestLogSettings) -> Bounds:
    """The bounds at `now`, Unix milliseconds."""
    return Bounds(
        requests=kept_since(now, settings.retention_seconds),
        hour=kept_since(now, settings.hourly_retention_seconds),
        day=kept_since(now, settings.daily_retention_seconds),
        most_rows=min(settings.rows, MOST_ROWS),
    )


class Pruning:
    """Looks after one database's usage."""

    def __init__(
        self,
        database: Database,
        *,
        settings: Callable[[], RequestLogSettings],
        now: Callable[[], int],
        log: FilteringBoundLogger,
    ) -> None:
        """`settings` gives those in force, `now` Unix milliseconds."""
        self._database = database
        self._settings = settings
        self._now = now
        self._trouble = Trouble("old requests cannot be removed from the database", log)

    def __repr__(self) -> str:
        """Tell what is wrong, if anything."""
        return f"<Pruning {self._trouble}>"

    async def run(
        self, *, pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(PAUSE), between: float = STEP_PAUSE
    ) -> None:
        """Go round for ever."""
        while True:
            await self.look(between=between)
            await pause()

    async def look(self, *, between: float = STEP_PAUSE) -> None:
        """One round, with so many seconds between two steps. What fails is logged, once as long as it fails."""
        due = bounds(self._now(), self._settings())
        try:
            await self._fold()
            await repeated(lambda: self._prune_requests(due), between, full=STEP)
            for grain, _ in GRAINS:
                before = due.hour if grain == "hour" else due.day
                await repeated(partial(self._prune_sums, grain, before), between, full=STEP)
        except FAILURES as error:
            self._trouble.began(error)
        else:
            self._trouble.ended()

    async def _prune_requests(self, due: Bounds) -> int:
        async with self._database.writing() as session:
            return await session.request_log.prune(due.requests, due.most_rows, STEP)

    async def _fold(self) -> None:
        """Add up what some node put by that is gone or has nothing more to record."""
        async with self._database.writing() as session:
            await session.rollups.fold()

    async def _prune_sums(self, grain: Grain, before: int) -> int:
        async with self._database.writing() as session:
            return await session.rollups.prune(grain, before, STEP)
