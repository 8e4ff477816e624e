"""Following the change log of the database: what other nodes changed is announced here, and how far that is true.

A look that began at some moment sees every change committed before it, since the log's order is the order of commits.
So once all it saw is announced, this node's workers may be told: the feed is true as of that moment.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from sluicegate.control.resolution.trouble import FAILURES, Trouble
from sluicegate.domain.tenants import Change

LARGEST_BATCH = 1_000
LOOK_SECONDS = 0.5
"""How long one look may take; a lease must survive it and the pause before it."""
KEPT_MILLISECONDS = 3_600_000
LONGEST_GAP = 600_000
"""Milliseconds without a look after which changes may have been pruned unseen: well below KEPT_MILLISECONDS, as other
nodes prune by their own clocks."""
PRUNE_MILLISECONDS = 300_000


class ChangeLog(Protocol):
    """The change log of the database. Each raises one of FAILURES."""

    async def last(self) -> int:
        """The sequence of the newest change, 0 without any."""
        ...

    async def since(self, sequence: int, limit: int) -> Sequence[Change]:
        """Up to `limit` changes after that one, in order."""
        ...

    async def prune(self, before: int) -> None:
        """Delete the changes older than `before`, in Unix milliseconds."""
        ...

    def version(self) -> int | None:
        """What differs from the last one if anybody committed in between; None where only a look can tell."""
        ...

    def close(self) -> None:
        """Let go of what `version` holds open: the next one is not comparable."""
        ...


class ChangeFeed:
    """One node's place in the change log."""

    def __init__(
        self,
        changes: ChangeLog,
        *,
        announce: Callable[[Sequence[bytes] | None], None],
        true_as_of: Callable[[float], None],
        clock: Callable[[], float],
        now: Callable[[], int],
        log: FilteringBoundLogger,
    ) -> None:
        """`clock` is monotonic seconds, `now` Unix milliseconds; `true_as_of` takes a moment of `clock`."""
        self._changes = changes
        self._announce = announce
        self._true_as_of = true_as_of
        self._clock = clock
        self._now = now
        self._trouble = Trouble("the change log cannot be read", log)
        self._is_late = False
        """Whether the last look took too long."""
        self._sequence: int | None = None
        self._version: int | None = None
        self._looked_at = 0
        self._pruned_at = now()

    def __repr__(self) -> str:
        """Tell the place, and what is wrong, if anything."""
        return f"<ChangeFeed sequence={self._sequence} {self._trouble}>"

    async def run(self, *, pause: Callable[[], Awaitable[None]]) -> None:
        """Look for ever, with a pause between two looks."""
        try:
            while True:
                await self.look()
                await pause()
        finally:
            self._version = None
            self._changes.close()

    async def look(self) -> None:
        """Announce what is new, and tell how far that is true. A database that fails is logged, and tried again."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                as_of = await self._catch_up()
        except FAILURES as error:
            # One look that takes too long may be this process's own fault, which is busy when it begins.
            if self._is_late or not isinstance(error, TimeoutError):
                self._trouble.began(error)
            self._is_late = True
            return
        self._is_late = False
        self._trouble.ended()
        self._true_as_of(as_of)
        await self._prune()

    async def _catch_up(self) -> float:
        began = self._now()
        sequence = self._sequence
        as_of = self._clock()
        # Asked before the look: what is committed during the look makes the next version another one.
        version = self._changes.version()
        is_known = sequence is not None and version is not None and version == self._version
        if is_known and 0 <= began - self._looked_at < LONGEST_GAP:
            self._looked_at = began
            return as_of
        self._version = None
        if sequence is None or not 0 <= began - self._looked_at < LONGEST_GAP:
            as_of = self._clock()
            sequence = await self._changes.last()
            # What was answered before this place was known may have changed before it, too.
            self._announce(None)
        while True:
            as_of = self._clock()
            changes = await self._changes.since(sequence, LARGEST_BATCH)
            if changes:
                self._tell(changes)
                sequence = changes[-1].sequence
            self._sequence = sequence
            if len(changes) < LARGEST_BATCH:
                self._looked_at = began
                self._version = version
                return as_of

    def _tell(self, changes: Sequence[Change]) -> None:
        digests = [change.digest for change in changes if change.digest is not None]
        self._announce(digests if len(digests) == len(changes) else None)

    async def _prune(self) -> None:
        now = self._now()
        if 0 <= now - self._pruned_at < PRUNE_MILLISECONDS:
            return
        self._pruned_at = now
        try:
            await self._changes.prune(now - KEPT_MILLISECONDS)
        except FAILURES as error:
            self._trouble.began(error)
