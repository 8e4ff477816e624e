"""Taking out of the database what is of no use any more, and writing into it when managers' keys were used.

Rule 1. A step is one short transaction, and others get their turn between two of them.
Rule 2. While the database is away there is nothing to do: that is logged once, and tried again a minute later.

The change log is not in here: `resolution/changes.py`, which reads it, also prunes it.
"""

import asyncio
from collections.abc import Awaitable, Callable

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from sluicegate.control.resolution.trouble import FAILURES, Trouble
from sluicegate.control.steps import STEP_PAUSE, kept_since, repeated
from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.key_uses import KeyUses
from sluicegate.control.tenants.tenancy import Tenancy

PAUSE = 60.0
"""Seconds between two rounds."""
STEP = 500
"""Rows of one transaction: some milliseconds on a slow disk."""
ANSWERS_KEPT = 86_400_000
"""Milliseconds for which an answer is given again to who repeats a request with its idempotency key."""

_ACTOR = Actor("system", "upkeep", "root")


class Bounds(Struct, frozen=True):
    """What is older may go, in Unix milliseconds: answers by when they were given, tokens by when they ended."""

    answers: int
    tokens: int


def bounds(now: int, retention_seconds: float) -> Bounds:
    """The bounds at `now`, Unix milliseconds, where tokens that ended are kept for `retention_seconds`."""
    return Bounds(answers=now - ANSWERS_KEPT, tokens=kept_since(now, retention_seconds))


class Upkeep:
    """Looks after one database."""

    def __init__(
        self,
        tenancy: Tenancy,
        key_uses: KeyUses,
        *,
        retention: Callable[[], float],
        log: FilteringBoundLogger,
        warn: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`retention` gives the seconds for which tokens that ended are kept; `warn` looks for those about to end."""
        self._tenancy = tenancy
        self._key_uses = key_uses
        self._retention = retention
        self._warn = warn
        self._log = log
        self._trouble = Trouble("the database cannot be tidied", log)

    def __repr__(self) -> str:
        """Tell what is wrong, if anything."""
        return f"<Upkeep {self._trouble}>"

    async def run(
        self, *, pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(PAUSE), between: float = STEP_PAUSE
    ) -> None:
        """Go round for ever; at the end, write down once more which keys were used."""
        try:
            while True:
                await self.look(between=between)
                await pause()
        finally:
            await self._attempted(self._key_uses.store(self._tenancy.database))

    async def look(self, *, between: float = STEP_PAUSE) -> None:
        """One round, with so many seconds between two steps. What fails is logged, once as long as it fails."""
        await self._attempted(self._round(between))

    async def _attempted(self, work: Awaitable[None]) -> None:
        try:
            await work
        except FAILURES as error:
            self._trouble.began(error)
        else:
            self._trouble.ended()

    async def _round(self, between: float) -> None:
        due = bounds(self._tenancy.now(), self._retention())
        await self._key_uses.store(self._tenancy.database)
        await repeated(lambda: self._prune_answers(due.answers), between)
        purged = await repeated(lambda: self._purge_tokens(due.tokens), between)
        if purged:
            self._log.info("tokens that ended long ago removed", tokens=purged)
        if self._warn is not None:
            await self._warn()

    async def _prune_answers(self, before: int) -> int:
        async with self._tenancy.database.writing() as session:
            return await session.idempotency.prune(before, STEP)

    async def _purge_tokens(self, before: int) -> int:
        async with self._tenancy.changing(_ACTOR) as change:
            purged = await change.session.tokens.purge(before, STEP)
            if purged:
                await change.audit(
                    "token.purge",
                    target_kind="token",
                    target_id="",
                    organization_id=None,
                    before=None,
                    after={"purged": purged},
                )
        return purged
