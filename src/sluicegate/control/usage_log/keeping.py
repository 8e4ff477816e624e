"""Keeping the usage log of one node: what records it and what prunes it, run together."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from sluicegate.config.schema import RequestLogSettings
from sluicegate.control.consumers import Consumers
from sluicegate.control.usage_log.pruning import Pruning
from sluicegate.control.usage_log.recording import recorder
from sluicegate.store.database import Database


class UsageLog:
    """Where `enabled` is not set when it begins, it only prunes what was recorded before."""

    def __init__(
        self,
        database: Database,
        data_dir: Path,
        consumers: Consumers,
        *,
        node: str,
        settings: Callable[[], RequestLogSettings],
        clock: Callable[[], float],
        now: Callable[[], int],
        log: FilteringBoundLogger,
    ) -> None:
        """`settings` gives those in force; `clock` monotonic seconds, `now` Unix milliseconds. Raises OSError."""
        self._pruning = Pruning(database, settings=settings, now=now, log=log)
        self._recorder = None
        if settings().enabled:
            self._recorder = recorder(database, data_dir, node=node, clock=clock, log=log)
            consumers.add(self._recorder)

    def __repr__(self) -> str:
        """Tell how its parts fare."""
        return f"<UsageLog {self._recorder!r} {self._pruning!r}>"

    async def run(self) -> None:
        """Record and prune for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pruning.run())
            if self._recorder is not None:
                tasks.create_task(self._recorder.run())
