"""Keeping the journal within its bounds while the node runs, and saying loudly what was lost by it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from sluicegate.config.schema import Events
from sluicegate.domain.segments import segment_name
from sluicegate.events.checkpoint import Checkpoint, kept_checkpoints
from sluicegate.events.disposal import Disposal
from sluicegate.events.retention import Bounds, Doomed, Stored

PAUSE = 10.0
"""Seconds between two looks: a busy worker writes some 10 MB a second, so a tenth of the usual bound at most is beyond
it, and a look takes a millisecond."""


class Retention:
    """Looks at the data directory's events from time to time."""

    def __init__(
        self,
        data_dir: Path,
        *,
        settings: Callable[[], Events],
        now: Callable[[], datetime],
        log: FilteringBoundLogger,
        checkpoints: Callable[[], Collection[Checkpoint]] = tuple,
    ) -> None:
        """`settings` gives those in force; consumers' checkpoints are in `checkpoints/` beside `events/`.

        `checkpoints` gives those of this process's own consumers, some of which are kept elsewhere.
        """
        self._current = checkpoints
        self._checkpoints = data_dir / "checkpoints"
        self._disposal = Disposal(data_dir / "events")
        self._settings = settings
        self._now = now
        self._log = log
        self._trouble = ""

    def __repr__(self) -> str:
        """Tell where, and what is wrong, if anything."""
        return f"<Retention {self._disposal!r} {self._trouble or 'well'}>"

    async def run(self, *, pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(PAUSE)) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await pause()

    async def look(self) -> None:
        """Delete what is beyond the bounds, and log it; of a trouble that stays, only its beginning."""
        settings = self._settings()
        bounds = Bounds(settings.retention_bytes, settings.retention_seconds)
        try:
            # In a thread: the disk may be slow, and the workers' questions must not wait for it.
            deleted = await asyncio.to_thread(self._dispose, bounds, self._current())
        except OSError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                self._log.error("old events cannot be deleted", reason=self._trouble)
            return
        self._trouble = ""
        self._tell(deleted, bounds)

    def _dispose(self, bounds: Bounds, current: Collection[Checkpoint]) -> Doomed:
        checkpoints = (*kept_checkpoints(self._checkpoints), *current)
        return self._disposal.dispose(checkpoints, bounds, now=self._now().timestamp())

    def _tell(self, deleted: Doomed, bounds: Bounds) -> None:
        if deleted.passed:
            self._log.info("old events deleted", bytes=_size(deleted.passed), segments=_names(deleted.passed))
        if deleted.unread:
            self._log.error(
                "events deleted that a consumer had not read: it is further behind than events.retention_bytes",
                retention_bytes=bounds.largest_bytes,
                bytes=_size(deleted.unread),
                segments=_names(deleted.unread),
            )


def _size(segments: tuple[Stored, ...]) -> int:
    return sum(segment.size for segment in segments)


def _names(segments: tuple[Stored, ...]) -> list[str]:
    return [segment_name(segment.incarnation, segment.number) for segment in segments]
