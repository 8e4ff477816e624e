"""One control process from what it begins with to its exit status: what it stands on is opened, and closed again."""

import asyncio
import gc
import time
from datetime import UTC, datetime

from structlog.typing import FilteringBoundLogger

from sluicegate.config.problem import ConfigurationError
from sluicegate.config.redis_address import RedisAddressError
from sluicegate.control.beginning import Begun
from sluicegate.control.clocks import Clocks
from sluicegate.control.counting_process import CountingProcess
from sluicegate.control.counting_queue import CountingQueue
from sluicegate.control.limits.identity import NodeIdError
from sluicegate.control.limits.opening import check
from sluicegate.control.logs import Logs
from sluicegate.control.secrets.key_ring import SealError
from sluicegate.control.service import Service
from sluicegate.control.storage import opened
from sluicegate.ledger.interface import LedgerUnavailableError, UnsuitableServerError
from sluicegate.store.errors import StoreError
from sluicegate.store.version import NEWEST

_REASONS = (
    StoreError,
    SealError,
    ConfigurationError,
    NodeIdError,
    LedgerUnavailableError,
    RedisAddressError,
    UnsuitableServerError,
)
"""What may keep it from starting, and is told in one line."""


def run(begun: Begun, *, log: FilteringBoundLogger, logs: Logs) -> int:
    """Run until told to end; the exit status. What keeps it from starting is told in one line, without a traceback."""
    try:
        asyncio.run(_run(begun, log, logs))
    except _REASONS as error:
        log.error("control cannot start", reason=str(error))
        return 2
    return 0


async def _run(begun: Begun, log: FilteringBoundLogger, logs: Logs) -> None:
    choice = begun.choice
    if choice.refused is not None:
        log.error("configuration refused, the last good one is used", problems=str(choice.refused))
    clocks = Clocks(time.monotonic, lambda: datetime.now(UTC))
    counting = CountingProcess()
    try:
        async with opened(choice.started, now=clocks.unix) as storage:
            if storage.upgraded_from is not None:
                log.warning("the database was upgraded", version=NEWEST, before=storage.upgraded_from)
            await check(storage.ledger, log=log)
            counts = CountingQueue(counting.count, log=log)
            await Service(begun, storage, counts=counts, clocks=clocks, log=log, logs=logs, loaded=_freeze).run()
    finally:
        await counting.close()


def _freeze() -> None:
    """What exists now lives as long as the process: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
