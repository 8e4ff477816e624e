"""Keeping the bodies that workers hand over: what nobody may keep is taken out before any of it is written anywhere.

Rule 1. Nothing waits for it, workers least of all: what comes while too much waits already is dropped, and so is what
        the database does not take. What was dropped is counted in the log.
Rule 2. Redaction runs in a thread: a long body takes a while, and workers' questions must not wait.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from pydantic import BaseModel, SecretStr
from structlog.typing import FilteringBoundLogger

from sluicegate.config.schema import Settings
from sluicegate.config.schema.bodies import BodySettings
from sluicegate.control.resolution.trouble import FAILURES, Trouble
from sluicegate.control.steps import STEP_PAUSE, kept_since, repeated
from sluicegate.control.usage_log.pruning import MOST_ROWS
from sluicegate.domain.redaction import Redactor
from sluicegate.domain.request_bodies import RequestBodies
from sluicegate.store.database import Database
from sluicegate.wire.link import Bodies

LARGEST_WAITING: Final = 32 * 1024 * 1024
"""Bytes of bodies that may wait."""
LARGEST_BATCH: Final = 200
"""Requests of one transaction."""
PAUSE: Final = 60.0
"""Seconds between two rounds of removal."""
STEP: Final = 500
"""Requests that one transaction removes."""


class BodyKeeper:
    """Takes bodies of all workers of a node, keeps them, and removes what is old."""

    def __init__(
        self,
        database: Database,
        *,
        settings: Callable[[], Settings],
        now: Callable[[], int],
        log: FilteringBoundLogger,
    ) -> None:
        """`settings` gives those in force, `now` Unix milliseconds."""
        self._database = database
        self._settings = settings
        self._now = now
        self._log = log
        self._waiting: list[Bodies] = []
        self._bytes = 0
        self._dropped = 0
        self._due = asyncio.Event()
        self._made_for: Settings | None = None
        self._redactor = Redactor()
        self._keeping = Trouble("bodies cannot be kept in the database", log)
        self._removing = Trouble("old bodies cannot be removed from the database", log)

    def __repr__(self) -> str:
        """Tell how much waits, and what is wrong, if anything."""
        return f"<BodyKeeper waiting={len(self._waiting)} bytes={self._bytes} {self._keeping}>"

    def take(self, bodies: Bodies) -> None:
        """Keep these, soon."""
        size = len(bodies.request) + len(bodies.answer)
        if self._bytes + size > LARGEST_WAITING:
            self._dropped += 1
            return
        self._waiting.append(bodies)
        self._bytes += size
        self._due.set()

    async def run(self) -> None:
        """Keep and remove for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_on())
            tasks.create_task(self._remove_on())

    async def _keep_on(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            while self._waiting:
                await self.keep()

    async def _remove_on(self, *, pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(PAUSE)) -> None:
        while True:
            await self.remove()
            await pause()

    async def keep(self) -> None:
        """Write what waits, as much as one transaction takes."""
        batch = self._waiting[:LARGEST_BATCH]
        redactor = self._redactor_now()
        rows = await asyncio.to_thread(lambda: [row_of(bodies, redactor) for bodies in batch])
        try:
            async with self._database.writing() as session:
                await session.request_bodies.add(rows)
        except FAILURES as error:
            self._dropped += len(batch)
            self._keeping.began(error)
        else:
            self._keeping.ended()
        # Only now: what is being written takes memory too.
        del self._waiting[: len(batch)]
        self._bytes -= sum(len(bodies.request) + len(bodies.answer) for bodies in batch)

    async def remove(self, *, between: float = STEP_PAUSE) -> None:
        """Remove what is beyond its time or too much, with so many seconds between two steps; tell what was dropped."""
        settings = self._settings().request_log.bodies
        before = kept_since(self._now(), settings.retention_seconds)
        most = min(settings.rows, MOST_ROWS)
        if self._dropped:
            self._log.warning("bodies were dropped", count=self._dropped)
            self._dropped = 0
        try:
            await repeated(lambda: self._prune(before, most), between, full=STEP)
        except FAILURES as error:
            self._removing.began(error)
        else:
            self._removing.ended()

    async def _prune(self, before: int, most: int) -> int:
        async with self._database.writing() as session:
            return await session.request_bodies.prune(before, most, STEP)

    def _redactor_now(self) -> Redactor:
        """What redacts by the settings in force; made once for each."""
        settings = self._settings()
        if self._made_for is not settings:
            self._made_for = settings
            self._redactor = redactor_of(settings)
        return self._redactor


def redactor_of(settings: Settings) -> Redactor:
    """What takes out what these settings want, and every secret that is in them."""
    bodies: BodySettings = settings.request_log.bodies
    return Redactor(kinds=bodies.redact, fields=bodies.redact_fields, secrets=frozenset(_secrets(settings)))


def row_of(bodies: Bodies, redactor: Redactor) -> RequestBodies:
    """What is kept of these."""
    return RequestBodies(
        bodies.request_id,
        bodies.at,
        bodies.organization_id,
        bodies.project_id,
        _clean(bodies.request, redactor, is_cut=bodies.is_request_cut),
        _clean(bodies.answer, redactor, is_cut=bodies.is_answer_cut),
        bodies.is_request_cut,
        bodies.is_answer_cut,
    )


def _clean(body: bytes, redactor: Redactor, *, is_cut: bool) -> str:
    # PostgreSQL keeps no NUL, and no database half a surrogate pair.
    text = body.decode("utf-8", "replace").replace("\0", "\ufffd")
    clean = redactor.redacted(text, is_cut=is_cut)
    return clean.encode("utf-8", "replace").decode()


def _secrets(value: Any) -> Iterator[str]:
    """Every secret in settings."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, dict):
        for each in value.values():
            yield from _secrets(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _secrets(each)
