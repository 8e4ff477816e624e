"""Keeping the bodies that workers hand over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.config.schema import Settings
from sluicegate.control.bodies import LARGEST_BATCH, LARGEST_WAITING, BodyKeeper, redactor_of, row_of
from sluicegate.domain.redaction import REDACTED
from sluicegate.domain.request_bodies import RequestBodies
from sluicegate.store.database import Database, Session
from sluicegate.wire.link import Bodies
from tests.control.api import copied

NOW = 1_000_000_000


def bodies(number: int = 1, request: bytes = b"{}", **more: Any) -> Bodies:
    """What a worker hands over."""
    fields = {"answer": b"hi", "at": NOW, "is_request_cut": False, "is_answer_cut": False, **more}
    return Bodies(f"req_{number}", organization_id="org_1", project_id="prj_1", request=request, **fields)


def settings(**fields: Any) -> Settings:
    """Settings that keep bodies."""
    return Settings.model_validate({"request_log": {"enabled": True, "bodies": {"enabled": True, **fields}}})


class Telling(Database):
    """Tells when something was written."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.wrote: asyncio.Queue[None] = asyncio.Queue()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Session]:
        async with super().writing() as session:
            yield session
        self.wrote.put_nowait(None)


def run(
    template: Path,
    data_dir: Path,
    log: FilteringBoundLogger,
    story: Callable[[BodyKeeper, "Telling"], Awaitable[None]],
    **fields: Any,
) -> None:
    """Tell a story with a keeper and its open database."""

    async def told() -> None:
        opened = await Database.open("sqlite", copied(template, data_dir))
        database = Telling(opened.address, opened._readers, opened._writers)
        wanted = settings(**fields)
        keeper = BodyKeeper(database, settings=lambda: wanted, now=lambda: NOW, log=log)
        try:
            await story(keeper, database)
        finally:
            await database.close()

    asyncio.run(told())


async def kept(database: Database, number: int) -> RequestBodies | None:
    """What is there of a request."""
    async with database.reading() as session:
        return await session.request_bodies.get(f"req_{number}")


def test_secrets_of_the_file_are_taken_out() -> None:
    """Wherever they stand in it, and whatever they look like; kinds and fields as they are set."""
    document = {
        "management_token": "plain-word-one",
        "tokens": [{"name": "a", "token": "plain-word-two"}],
        "providers": {"openai": {"dialect": "openai", "base_url": "http://a.test", "api_key": "plain-word-three"}},
        "request_log": {"bodies": {"redact": ["card"], "redact_fields": ["pin"]}},
    }
    redactor = redactor_of(Settings.model_validate(document))
    clean = redactor.redacted('{"a": "plain-word-one plain-word-two plain-word-three a@b.com", "PIN": 1}')
    assert clean == f'{{"a": "{REDACTED} {REDACTED} {REDACTED} a@b.com", "PIN": "{REDACTED}"}}'


def test_a_row_is_storable() -> None:
    """Whatever the bytes are; what was cut loses its last word."""
    redactor = redactor_of(settings())
    row = row_of(bodies(request=b"\xff\0 a@b.com", answer=b'{"a":"\\ud800"} tail', is_answer_cut=True), redactor)
    assert row[:4] == ("req_1", NOW, "org_1", "prj_1")
    assert row[4:] == (f"\ufffd\ufffd {REDACTED}", '{"a":"\\ud800"} ', False, True)


def test_bodies_are_kept_without_secrets(template: Path, tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Soon after they came, all of them."""

    async def story(keeper: BodyKeeper, database: Telling) -> None:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(keeper.run())
            for number in range(LARGEST_BATCH + 1):
                keeper.take(bodies(number, b'{"mail": "jane@mail.com"}'))
            while await kept(database, LARGEST_BATCH) is None:
                await database.wrote.get()
            row = await kept(database, 0)
            assert row is not None
            assert (row.request, row.answer) == (f'{{"mail": "{REDACTED}"}}', "hi")
            keeper.take(bodies(1000))
            while await kept(database, 1000) is None:
                await database.wrote.get()
            assert repr(keeper) == "<BodyKeeper waiting=0 bytes=0 well>"
            running.cancel()

    run(template, tmp_path / "data", log, story)


def test_too_much_is_dropped(template: Path, tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture) -> None:
    """And told, once in a while; what waits is bounded."""

    async def story(keeper: BodyKeeper, database: Database) -> None:
        large = b"a " * (LARGEST_WAITING // 4)
        keeper.take(bodies(1, large))
        keeper.take(bodies(2, large))
        keeper.take(bodies(3, b""))
        assert repr(keeper).startswith("<BodyKeeper waiting=2 ")
        await keeper.remove(between=0)
        await keeper.remove(between=0)
        assert [entry["count"] for entry in captured.entries if entry["event"] == "bodies were dropped"] == [1]
        del database

    run(template, tmp_path / "data", log, story)


def test_a_database_that_fails_costs_a_batch(
    template: Path, tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture
) -> None:
    """It is logged once, and the next is kept."""

    class Failing(Database):
        is_failing = True

        def writing(self) -> Any:
            if self.is_failing:
                raise OperationalError("no", None, OSError("disk full"))
            return super().writing()

    async def story(keeper: BodyKeeper, database: Database) -> None:
        failing = Failing(database.address, database._readers, database._writers)
        keeper = BodyKeeper(failing, settings=settings, now=lambda: NOW, log=log)
        keeper.take(bodies(1))
        await keeper.keep()
        await keeper.remove(between=0)
        failing.is_failing = False
        keeper.take(bodies(2))
        await keeper.keep()
        await keeper.remove(between=0)
        assert [await kept(database, number) is not None for number in (1, 2)] == [False, True]
        told = [entry["event"] for entry in captured.entries if entry["log_level"] == "error"]
        assert told == [
            "bodies cannot be kept in the database",
            "old bodies cannot be removed from the database",
        ]

    run(template, tmp_path / "data", log, story)


def test_old_ones_go(template: Path, tmp_path: Path, log: FilteringBoundLogger) -> None:
    """By their age, and by their number."""

    async def story(keeper: BodyKeeper, database: Database) -> None:
        for number, age in enumerate((70_000, 50_000, 40_000, 0)):
            keeper.take(bodies(number, at=NOW - age))
        await keeper.keep()
        await keeper.remove(between=0)
        assert [await kept(database, number) is not None for number in range(4)] == [False, False, True, True]

    run(template, tmp_path / "data", log, story, retention_seconds=60.0, rows=2)
