"""Reading a journal for one purpose, for ever: batch after batch, with a checkpoint behind each.

Rules
1. A batch has had its effect when `handle` returns; then its checkpoint is stored. So each event has its effect at
   least once, and exactly once where the checkpoint is stored together with the effect.
2. Whatever `handle` raises, the same events are read again after a pause that grows. A consumer never ends by itself:
   one that fails must not end those beside it.
3. Where it is, a failure has the checkpoint asked for anew: whether a transaction counts whose connection was lost in
   the commit, the database alone knows.
4. Where nothing was written since the last look, a look is a few `stat`s.
5. One that is optional gives way: where it is further behind than it may be, its oldest events are set aside, unread
   segments being deleted otherwise. Until it has caught up half of that.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.checkpoint_store import CheckpointStore
from sluicegate.events.reader import Batch, SegmentReader
from sluicegate.events.tail import Damage, EventT, Lines

LARGEST_BATCH: Final = 5_000
"""Some 10 ms of reading; more does not make a transaction cheaper for each of its rows."""
PAUSE: Final = 1.0
"""Seconds between two looks."""
LEISURELY: Final = 2.0
"""The same where nobody waits for it: each look that finds something costs the control process milliseconds."""
LONGEST_PAUSE: Final = 30.0
"""Seconds between two looks of a consumer that keeps failing."""
_MOST_DOUBLINGS: Final = 10
_LONGEST_REASON: Final = 300
"""Characters: a database repeats the statement, and what was to be stored."""
PATIENCE: Final = 5.0
"""Seconds after which a batch that is being handled is checked on: a tenth of the time in which a busy node writes what
an optional consumer may be behind."""


class Standing(Struct, frozen=True):
    """How a consumer fares. Totals are since its process began.

    `lag_seconds`: at most so old is the oldest event that it has not handled; None before it has caught up once.
    `last_error`: the type of the last failure, whose words might hold secrets; None once it works again.
    """

    name: str
    backlog_bytes: int
    lag_seconds: float | None
    events_total: int
    errors_total: int
    damages_total: int
    set_aside_total: int
    last_error: str | None
    is_optional: bool


class Yielding(Struct, Generic[EventT], frozen=True):
    """What an optional consumer does that is more than `most_bytes` behind: its batches go to `set_aside`.

    `set_aside` returns when the events are kept elsewhere, in a file of dead letters.
    """

    most_bytes: Callable[[], int]
    set_aside: Callable[[Batch[EventT]], Awaitable[None]]
    patience: float = PATIENCE


class Consumer(Generic[EventT]):
    """One consumer of one journal."""

    def __init__(
        self,
        name: str,
        reader: SegmentReader,
        lines: Lines[EventT],
        handle: Callable[[Batch[EventT]], Awaitable[None]],
        checkpoints: CheckpointStore,
        *,
        clock: Callable[[], float],
        log: FilteringBoundLogger,
        largest_batch: int = LARGEST_BATCH,
        interval: float = PAUSE,
        pause: Callable[[float], Awaitable[Any]] = asyncio.sleep,
        yielding: Yielding[EventT] | None = None,
    ) -> None:
        """`lines` reads as much of each event as `handle` needs, which is called with one event at least.

        `clock` gives monotonic seconds, `pause` waits for so many; `interval` are those between two looks. Nothing is
        read yet.
        """
        self.name = name
        self._reader = reader
        self._lines = lines
        self._handle = handle
        self._checkpoints = checkpoints
        self._clock = clock
        self._log = log.bind(consumer=name)
        self._largest_batch = largest_batch
        self._interval = interval
        self._pause = pause
        self._yielding = yielding
        self._checkpoint: Checkpoint | None = None
        self._stored: Checkpoint | None = None
        self._seen: tuple[int, ...] | None = None
        self._is_at_rest = False
        self._is_giving_way = False
        self._caught_up_at: float | None = None
        self._failures = 0
        self._last_error: str | None = None
        self._events_total = self._errors_total = self._damages_total = self._set_aside_total = 0

    def __repr__(self) -> str:
        """Tell how it fares."""
        return f"<Consumer {self.name} events={self._events_total} {self._last_error or 'well'}>"

    @property
    def checkpoint(self) -> Checkpoint:
        """How far it has come for good; before it knows that, as if it had read nothing."""
        return self._stored or Checkpoint()

    def standing(self) -> Standing:
        """How it fares. Looks at the disk. Raises OSError where the segments cannot be listed."""
        backlog = self._reader.unread_bytes(self._checkpoint or self.checkpoint)
        lag = None if self._caught_up_at is None else self._clock() - self._caught_up_at if backlog else 0.0
        return Standing(
            name=self.name,
            backlog_bytes=backlog,
            lag_seconds=lag,
            events_total=self._events_total,
            errors_total=self._errors_total,
            damages_total=self._damages_total,
            set_aside_total=self._set_aside_total,
            last_error=self._last_error,
            is_optional=self._yielding is not None,
        )

    async def run(self) -> None:
        """Consume for ever."""
        while True:
            await self.look()
            grown = self._interval * 2 ** min(self._failures, _MOST_DOUBLINGS)
            await self._pause(max(self._interval, min(grown, LONGEST_PAUSE)))

    async def look(self) -> bool:
        """Consume everything there is; return whether it went well. What failed is logged, once as long as it fails."""
        seen = None if self._checkpoint is None else self._reader.appearance(self._checkpoint)
        is_same = seen is not None and seen == self._seen
        began = self._clock()
        if is_same and self._is_at_rest:
            self._caught_up_at = began
            return True
        # What looks the same at two looks is read once more: something may have been added just after the first.
        self._seen, self._is_at_rest = seen, False
        error = await _error_of(self._read_on())
        if error is not None:
            self._failed(error)
            return False
        self._worked()
        self._is_at_rest, self._caught_up_at = is_same, began
        return True

    def _failed(self, error: BaseException) -> None:
        self._errors_total += 1
        self._failures += 1
        if self._last_error is None:
            reason = str(error)[:_LONGEST_REASON]
            self._log.error("events cannot be consumed", error=type(error).__name__, reason=reason)
        self._last_error = type(error).__name__
        if self._checkpoints.is_transactional:
            self._checkpoint = None

    def _worked(self) -> None:
        if self._last_error is not None:
            self._log.info("over: events cannot be consumed")
        self._failures, self._last_error = 0, None

    async def _read_on(self) -> None:
        if self._checkpoint is None:
            self._checkpoint = self._stored = await self._checkpoints.load()
        elif self._checkpoint != self._stored:
            await self._store(self._checkpoint)
        while await self._consume(self._checkpoint) == self._largest_batch:
            pass

    async def _consume(self, checkpoint: Checkpoint) -> int:
        """One batch after `checkpoint`; return how many events it had."""
        # In a thread: the disk may be slow, and the workers' questions must not wait for it.
        batch: Batch[EventT] = await asyncio.to_thread(
            self._reader.read_as, self._lines, checkpoint, self._largest_batch
        )
        if batch.events:
            await self._take_effect(batch)
        self._tell(batch.damages)
        # From here on they have had their effect, whether or not that can be written down.
        self._checkpoint = batch.checkpoint
        if batch.checkpoint != self._stored:
            await self._store(batch.checkpoint)
        return len(batch.events)

    def _tell(self, damages: Sequence[Damage]) -> None:
        """Log what is missing here, once a batch: of thousands of places one is enough to look at the file."""
        if damages:
            self._damages_total += len(damages)
            first = damages[0]
            self._log.error(
                "a part of the journal cannot be read, and is passed over",
                places=len(damages),
                segment=first.segment,
                offset=first.offset,
                reason=first.reason,
            )

    async def _store(self, checkpoint: Checkpoint) -> None:
        await self._checkpoints.store(checkpoint)
        self._stored = checkpoint

    async def _take_effect(self, batch: Batch[EventT]) -> None:
        yielding = self._yielding
        if yielding is None:
            await self._handle(batch)
        elif await self._is_to_give_way(yielding) or not await self._is_handled(batch, yielding):
            await yielding.set_aside(batch)
            self._set_aside_total += len(batch.events)
            return
        self._events_total += len(batch.events)

    async def _is_handled(self, batch: Batch[EventT], yielding: Yielding[EventT]) -> bool:
        """Handle it, unless that takes so long that others need the room; whether it was. Raises what that raised."""
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(_error_of(self._handle(batch)))
            while not (await asyncio.wait((work,), timeout=yielding.patience))[0]:
                if await self._is_to_give_way(yielding):
                    work.cancel()
                    break
        if work.cancelled():
            return False
        error = work.result()
        if error is not None:
            raise error
        return True

    async def _is_to_give_way(self, yielding: Yielding[EventT]) -> bool:
        """Whether it is too far behind, or was and has not caught up half of it."""
        behind = await asyncio.to_thread(self._reader.unread_bytes, self._checkpoint or self.checkpoint)
        most = yielding.most_bytes()
        was_giving_way = self._is_giving_way
        self._is_giving_way = behind > (most // 2 if was_giving_way else most)
        if self._is_giving_way and not was_giving_way:
            self._log.error("a consumer gives way: its oldest events are set aside", bytes=behind, most=most)
        elif was_giving_way and not self._is_giving_way:
            self._log.warning("a consumer has given way", set_aside_total=self._set_aside_total)
        return self._is_giving_way


async def _error_of(work: Awaitable[None]) -> BaseException | None:
    """What it raised, if anything; who cancels this cancels it."""
    (outcome,) = await asyncio.gather(work, return_exceptions=True)
    return outcome
