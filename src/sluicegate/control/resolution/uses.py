"""Counting how often each token was used, and when last: read from the journal, added to the database in batches.

An exchange is counted when it has ended and its line was read, about a second later. A control process that dies
between the transaction and its checkpoint counts one batch twice: a token may stop early by that, never late.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache

from structlog.typing import FilteringBoundLogger

from sluicegate.control.resolution.trouble import FAILURES, Trouble
from sluicegate.domain.events import Exchange
from sluicegate.events.checkpoint import Checkpoint, CheckpointDamagedError, CheckpointFile
from sluicegate.events.reader import Batch, SegmentReader

Use = tuple[str, int, int]
"""A token's id, its last use in Unix milliseconds, and how many requests."""

LARGEST_BATCH = 5_000
PAUSE = 0.5
"""Seconds between two looks: `max_requests` may be overrun by what is served in this time and one transaction."""


class Uses:
    """One consumer of the journal."""

    def __init__(
        self,
        reader: SegmentReader,
        checkpoint: CheckpointFile,
        *,
        add: Callable[[Sequence[Use]], Awaitable[Sequence[bytes]]],
        announce: Callable[[Sequence[bytes]], None],
        log: FilteringBoundLogger,
        observe: Callable[[Sequence[Exchange]], None] = lambda _events: None,
    ) -> None:
        """`add` stores uses and returns the digests of tokens that are spent by them; these are announced.

        `observe` is shown every exchange: the tokens of the key file are counted by it.
        """
        self._observe = observe
        self._reader = reader
        self._file = checkpoint
        self._checkpoint: Checkpoint | None = None
        self._add = add
        self._announce = announce
        self._log = log
        self._trouble = Trouble("the uses of tokens cannot be counted", log)

    def __repr__(self) -> str:
        """Tell from where, and what is wrong, if anything."""
        return f"<Uses {self._reader!r} {self._trouble}>"

    async def run(self, *, pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(PAUSE)) -> None:
        """Count for ever."""
        while True:
            await self.count()
            await pause()

    async def count(self) -> None:
        """Count everything there is. What fails is logged, and tried again from the same place."""
        try:
            while await self._count_batch() == LARGEST_BATCH:
                pass
        except FAILURES as error:
            self._trouble.began(error)
        else:
            self._trouble.ended()

    async def _count_batch(self) -> int:
        # In threads: the disk may be slow, and the workers' questions must not wait for it.
        checkpoint = self._checkpoint
        if checkpoint is None:
            checkpoint = self._checkpoint = await asyncio.to_thread(self._load)
        batch: Batch = await asyncio.to_thread(self._reader.read, checkpoint, LARGEST_BATCH)
        uses = summed(batch.events)
        if uses:
            spent = await self._add(uses)
            if spent:
                self._announce(spent)
        self._observe(batch.events)
        # From here on they are counted, whether or not that can be written down.
        self._checkpoint = batch.checkpoint
        if batch.checkpoint != checkpoint:
            await asyncio.to_thread(self._file.store, batch.checkpoint)
        return len(batch.events)

    def _load(self) -> Checkpoint:
        try:
            return self._file.load()
        except CheckpointDamagedError as error:
            self._log.error("uses of tokens are counted from the oldest event on", reason=str(error))
            return Checkpoint()


def summed(events: Iterable[Exchange]) -> list[Use]:
    """The uses of each token; requests of nobody are none. A use is over when its exchange has ended."""
    uses: dict[str, tuple[int, int]] = {}
    for event in events:
        if event.token:
            last, requests = uses.get(event.token, (0, 0))
            uses[event.token] = (max(last, _ended_at(event)), requests + 1)
    return [(token_id, last, requests) for token_id, (last, requests) in uses.items()]


def _ended_at(event: Exchange) -> int:
    """Unix milliseconds. An event's time is `2026-11-21T10:00:00.123Z`."""
    timestamp = event.timestamp
    return _unix_of_second(timestamp[:19]) + int(timestamp[20:23]) + int(event.duration_ms)


@lru_cache(maxsize=16)
def _unix_of_second(second: str) -> int:
    """Unix milliseconds of a second; events come in the order of theirs."""
    return int(datetime.fromisoformat(f"{second}+00:00").timestamp() * 1000)
