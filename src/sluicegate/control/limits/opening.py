"""The ledger that the configuration names, opened; and where it is kept how far the journal is settled there."""

from importlib import import_module
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from sluicegate.config.schema import Settings
from sluicegate.control.database_checkpoint import DatabaseStore
from sluicegate.control.limits.settlement import NAME
from sluicegate.control.limits.teller import PATIENCE
from sluicegate.events.checkpoint_store import CheckpointStore, FileStore
from sluicegate.ledger.interface import CheckedLedger, Ledger, LedgerUnavailableError
from sluicegate.ledger.sql import SQLLedger
from sluicegate.store.database import Database


def ledger_of(settings: Settings, directory: Path) -> Ledger:
    """Redis where it is configured, else the database, which must have been upgraded and may lie in `directory`.

    It connects when it is used. Raises RedisAddressError, LedgerUnavailableError where there is no such file.
    """
    if settings.redis is not None:
        # Only now: the library takes 20 MB, which a node without Redis need not have.
        redis = import_module("sluicegate.ledger.redis")
        ledger: Ledger = redis.RedisLedger(settings.redis.address.get_secret_value(), timeout=PATIENCE)
        return ledger
    return SQLLedger.open(settings.database_url, directory, timeout=PATIENCE)


def checkpoints_of(
    settings: Settings, database: Database, data_dir: Path, *, node: str, log: FilteringBoundLogger
) -> CheckpointStore:
    """In the database where the ledger is there, so that both are of one moment; else in a file of this node."""
    file = data_dir / "checkpoints" / f"{NAME}.json"
    if settings.redis is None:
        return DatabaseStore(database, node=node, consumer=NAME, file=file, log=log)
    return FileStore(file, log=log)


async def check(ledger: Ledger, *, log: FilteringBoundLogger) -> None:
    """Log what is to be said of where the ledger is. One that is away is no reason not to start.

    Raises UnsuitableServerError where no ledger can be kept there.
    """
    if not isinstance(ledger, CheckedLedger):
        return
    try:
        warnings = await ledger.check()
    except LedgerUnavailableError as error:
        log.error("the ledger does not answer, starting without it", reason=str(error))
        return
    for warning in warnings:
        log.warning("the ledger may forget", reason=warning)
