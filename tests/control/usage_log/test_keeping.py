"""The usage log of a node, as a control process runs it."""

import asyncio
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from sluicegate.config.schema import RequestLogSettings
from sluicegate.control.consumers import Consumers
from sluicegate.control.usage_log.keeping import UsageLog
from sluicegate.store.database import Database
from tests.control.api import copied
from tests.control.usage_log.journals import AT, expected, recorded, write


async def made(
    database: Database, data_dir: Path, consumers: Consumers, log: FilteringBoundLogger, *, enabled: bool
) -> UsageLog:
    """One that is not running."""
    return UsageLog(
        database,
        data_dir,
        consumers,
        node="n",
        settings=lambda: RequestLogSettings(enabled=enabled),
        clock=lambda: 0.0,
        now=lambda: AT,
        log=log,
    )


def test_it_records_while_it_runs(template: Path, tmp_path: Path, log: FilteringBoundLogger) -> None:
    """And is one of the node's consumers."""
    data_dir = copied(template, tmp_path / "data")
    write(data_dir, range(6))
    consumers = Consumers()

    async def story() -> None:
        database = await Database.open("sqlite", data_dir)
        try:
            usage_log = await made(database, data_dir, consumers, log, enabled=True)
            assert repr(consumers) == "<Consumers ['request-log']>"
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(usage_log.run())
                while (await consumers.standings())[0].events_total < 6:
                    assert not running.done()
                running.cancel()
            assert repr(usage_log) == "<UsageLog <Consumer request-log events=6 well> <Pruning well>>"
        finally:
            await database.close()

    asyncio.run(story())
    assert recorded(data_dir) == expected(6)


def test_it_records_nothing_where_it_is_not_enabled(template: Path, tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Nor are events kept for it; what is in the database still grows old."""
    data_dir = copied(template, tmp_path / "data")
    consumers = Consumers()

    async def story() -> None:
        database = await Database.open("sqlite", data_dir)
        try:
            usage_log = await made(database, data_dir, consumers, log, enabled=False)
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(usage_log.run())
                await asyncio.sleep(0)
                running.cancel()
        finally:
            await database.close()

    asyncio.run(story())
    assert consumers.checkpoints() == ()
