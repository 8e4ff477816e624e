"""The ledger that the configuration names."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.config.schema import Redis, Settings
from sluicegate.control.database_checkpoint import DatabaseStore
from sluicegate.control.limits.opening import check, checkpoints_of, ledger_of
from sluicegate.control.limits.teller import PATIENCE
from sluicegate.events.checkpoint_store import FileStore
from sluicegate.ledger.interface import Ledger, LedgerUnavailableError
from sluicegate.ledger.redis import RedisLedger
from sluicegate.ledger.sql import SQLLedger
from sluicegate.store.database import Database
from tests.control.api import copied
from tests.control.ledger import KnownLedger


class CheckedLedger(RedisLedger):
    """A server that says of itself what the test wants."""

    def __init__(self, said: list[str] | None) -> None:
        super().__init__("redis://127.0.0.1:1/0")
        self.said = said

    async def check(self) -> list[str]:
        """What is to be said, or nothing at all."""
        if self.said is None:
            raise LedgerUnavailableError("away")
        return self.said


def kind_of(ledger: Ledger) -> type:
    """What it is; it is closed again."""
    asyncio.run(ledger.close())
    return type(ledger)


def test_database_unless_told_otherwise(template: Path, tmp_path: Path) -> None:
    """Where there is none, that is said."""
    assert kind_of(ledger_of(Settings(), copied(template, tmp_path / "database"))) is SQLLedger
    with pytest.raises(LedgerUnavailableError):
        ledger_of(Settings(), tmp_path / "missing")


def test_redis_where_it_is_configured(tmp_path: Path) -> None:
    """Nothing is connected before it is used."""
    settings = Settings(redis=Redis(address=SecretStr("redis://127.0.0.1:1/0")))
    assert kind_of(ledger_of(settings, tmp_path)) is RedisLedger


def test_a_ledger_may_take_what_it_is_waited_for(template: Path, tmp_path: Path) -> None:
    """Wherever it is: given up before, a disk that is busy for two seconds would be an absence."""
    settings = (Settings(), Settings(redis=Redis(address=SecretStr("redis://127.0.0.1:1/0"))))
    directory = copied(template, tmp_path / "database")
    for ledger in [ledger_of(each, directory) for each in settings]:
        asyncio.run(ledger.close())
        assert isinstance(ledger, SQLLedger | RedisLedger)
        assert ledger._timeout == PATIENCE


@pytest.mark.parametrize(
    ("settings", "kind"),
    [(Settings(), DatabaseStore), (Settings(redis=Redis(address=SecretStr("redis://127.0.0.1:1/0"))), FileStore)],
)
def test_how_far_it_is_settled_is_kept_where_the_ledger_is(
    settings: Settings, kind: type, template: Path, tmp_path: Path, log: FilteringBoundLogger
) -> None:
    """So a database that is put back has the journal settled again from there; Redis is not in its backups."""

    async def story() -> None:
        database = await Database.open("sqlite", copied(template, tmp_path / "database"))
        try:
            assert type(checkpoints_of(settings, database, tmp_path, node="n", log=log)) is kind
        finally:
            await database.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("said", "events"),
    [
        ([], []),
        (["no disk"], [("warning", "the ledger may forget")]),
        (None, [("error", "the ledger does not answer, starting without it")]),
    ],
)
def test_what_is_to_be_said_of_it_is_logged(
    said: list[str] | None, events: list[tuple[str, str]], log: FilteringBoundLogger, captured: LogCapture
) -> None:
    """At the start, once; of the database there is nothing to say."""
    asyncio.run(check(CheckedLedger(said), log=log))
    asyncio.run(check(KnownLedger(), log=log))
    assert [(entry["log_level"], entry["event"]) for entry in captured.entries] == events
