"""Everything in a control process that reads the journal: who reads it, how far each has come, and what may go then."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from sluicegate.config.compile import Compiled
from sluicegate.control.clocks import Clocks
from sluicegate.control.consumers import Consumers, Following
from sluicegate.control.dispatched import Dispatched, Dispatchers
from sluicegate.control.metrics.counting import metrics_consumer
from sluicegate.control.metrics.sources import SinkCounts
from sluicegate.control.metrics.tally import Tally
from sluicegate.control.retention import Retention
from sluicegate.control.sinks import Sinks
from sluicegate.control.usage_log.keeping import UsageLog
from sluicegate.store.database import Database


class Readers:
    """Metrics, the request log, sinks, and those that others run; and the deletion of what none of them needs."""

    def __init__(
        self,
        data_dir: Path,
        database: Database,
        others: Sequence[Following],
        *,
        node: str,
        current: Callable[[], Compiled],
        clocks: Clocks,
        chance: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        """`others` read, too, and are run elsewhere; `node` is this node's name, `current` the configuration in force,
        `chance` a number in [0, 1). Nothing runs yet. Raises OSError."""
        self.directory = data_dir / "events"
        self.consumers = Consumers()
        for other in others:
            self.consumers.add(other)
        self.tally = Tally()
        self._counting = metrics_consumer(self.tally, data_dir, clock=clocks.monotonic, log=log)
        self.consumers.add(self._counting)
        self._usage_log = UsageLog(
            database,
            data_dir,
            self.consumers,
            node=node,
            settings=lambda: current().settings.request_log,
            clock=clocks.monotonic,
            now=clocks.unix_milliseconds,
            log=log,
        )
        self._sinks = Sinks(
            data_dir,
            self.consumers,
            current=current,
            clock=clocks.monotonic,
            now=clocks.unix,
            chance=chance,
            log=log,
        )
        self._dispatchers = Dispatchers(data_dir, sinks=lambda: current().settings.sinks, now=clocks.unix)
        self._retention = Retention(
            data_dir,
            settings=lambda: current().settings.events,
            now=clocks.now,
            log=log,
            checkpoints=self.consumers.checkpoints,
        )

    def __repr__(self) -> str:
        """Tell who reads."""
        return f"<Readers {self.consumers!r} {self._retention!r}>"

    def change(self) -> None:
        """Another configuration is in force."""
        self._sinks.change()

    def sink_counts(self) -> tuple[SinkCounts, ...]:
        """What became of each sink's events."""
        return self._sinks.counts()

    async def dispatched(self) -> tuple[Dispatched, ...]:
        """How sinks stand that are left to dispatchers."""
        return await self._dispatchers.standings()

    async def run(self) -> None:
        """Read, and delete what is old, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._retention.run())
            tasks.create_task(self._counting.run())
            tasks.create_task(self._usage_log.run())
            tasks.create_task(self._sinks.run())
