"""Counting how often each token was used, and when last: read from the journal, added to the database in batches.

An exchange is counted when it has ended and its line was read, one or two seconds later. A control process that dies
between the transaction and its checkpoint counts one batch twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache

import msgspec
from msgspec import Raw, Struct
from structlog.typing import FilteringBoundLogger

from sluicegate.control.resolution.trouble import FAILURES, Trouble
from sluicegate.events.checkpoint import Checkpoint, CheckpointDamagedError, CheckpointFile
from sluicegate.events.reader import Batch, SegmentReader
from sluicegate.events.tail import Lines, Withheld

Use = tuple[str, int, int]
"""A token's id, its last use in Unix milliseconds, and how many requests."""


class Spent(Struct, frozen=True, gc=False):
    """What matters here of `domain.events.Metadata`."""

    total_tokens: int = 0


class Used(Struct, frozen=True, gc=False, tag_field="kind", tag="exchange"):
    """What matters here of `domain.events.Exchange`; it holds nothing that could hold it."""

    request_id: str
    timestamp: str
    token: str
    duration_ms: float
    metadata: Spent
    charges: Raw = Raw()
    """Whether there are any is all that matters."""
    limit: str | None = None


_LINES: Lines[Used] = msgspec.json.Decoder(Used | Withheld)

LARGEST_BATCH = 5_000
PAUSE = 1.0
"""Seconds between two looks, each of which may be a transaction.

What is counted here is for information: `max_requests` is for the ledger to hold."""


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
        observe: Callable[[Sequence[Used]], None] = lambda _events: None,
    ) -> None:
        """`add` stores uses and returns the digests of tokens that are spent by them; these are announced.

        `observe` is shown every exchange: the tokens of the key file are counted by it.
        """
        self._observe = observe
        self._reader = reader
        self._file = checkpoint
        self._checkpoint: Checkpoint | None = None
        self._seen: tuple[int, ...] | None = None
        self._is_at_rest = False
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
        seen = None if self._checkpoint is None else self._reader.appearance(self._checkpoint)
        is_same = seen is not None and seen == self._seen
        if is_same and self._is_at_rest:
            return
        # What looks the same at two looks is read once more: something may have been added just after the first.
        self._seen, self._is_at_rest = seen, False
        try:
            while await self._count_batch() == LARGEST_BATCH:
                pass
        except FAILURES as error:
            self._trouble.began(error)
        else:
            self._trouble.ended()
            self._is_at_rest = is_same

    async def _count_batch(self) -> int:
        # In threads: the disk may be slow, and the workers' questions must not wait for it.
        checkpoint = self._checkpoint
        if checkpoint is None:
            checkpoint = self._checkpoint = await asyncio.to_thread(self._load)
        batch: Batch[Used] = await asyncio.to_thread(self._reader.read_as, _LINES, checkpoint, LARGEST_BATCH)
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


def summed(events: Iterable[Used]) -> list[Use]:
    """The uses of each token; requests of nobody are none. A use is over when its exchange has ended.

    What a limit refused is a use too, but no request of those that are counted.
    """
    uses: dict[str, list[float]] = {}
    timestamp, began = "", 0
    for event in events:
        use = uses.get(event.token)
        if use is None:
            use = uses[event.token] = [0, 0]
        if event.timestamp != timestamp:
            # Under load many events have the same.
            timestamp = event.timestamp
            began = _began_at(timestamp)
        ended = began + event.duration_ms
        if ended > use[0]:
            use[0] = ended
        # Where a limit is named and there are charges, it was shadow mode, or a stream was ended.
        if event.limit is None or event.charges:
            use[1] += 1
    uses.pop("", None)
    return [(token_id, int(last), int(requests)) for token_id, (last, requests) in uses.items()]


def _began_at(timestamp: str) -> int:
    """Unix milliseconds of `2026-11-21T10:00:00.123Z`."""
    return _unix_of_second(timestamp[:19]) + int(timestamp[20:23])


@lru_cache(maxsize=16)
def _unix_of_second(second: str) -> int:
    """Unix milliseconds of a second; events come in the order of theirs."""
    return int(datetime.fromisoformat(f"{second}+00:00").timestamp() * 1000)
