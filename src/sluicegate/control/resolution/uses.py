"""Counting how often each token was used, and when last: read from the journal, added to the database in batches.

An exchange is counted when it has ended and its line was read, one or two seconds later; once, as the checkpoint is
stored in the same transaction.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Raw, Struct
from structlog.typing import FilteringBoundLogger

from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.checkpoint_store import CheckpointStore
from sluicegate.events.consumer import LEISURELY, Consumer
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
    organization_id: str = ""
    is_degraded: bool = False


_LINES: Lines[Used] = msgspec.json.Decoder(Used | Withheld)

NAME: Final = "token-uses"
LARGEST_BATCH: Final = 20_000
"""A busy second's exchanges, some 10 MB of memory: each token is written once for all of its uses in a batch."""


class Uses:
    """What becomes of batches of events. What is counted here is for information: `max_requests` is for the ledger."""

    def __init__(
        self,
        *,
        add: Callable[[Sequence[Use], Checkpoint], Awaitable[Sequence[bytes]]],
        announce: Callable[[Sequence[bytes]], None],
        observe: Callable[[Sequence[Used]], None] = lambda _events: None,
    ) -> None:
        """`add` stores uses with the checkpoint behind them, and returns the digests of tokens that are spent by them;
        these are announced.

        `observe` is shown every exchange: the tokens of the key file are counted by it.
        """
        self._add = add
        self._announce = announce
        self._observe = observe

    def __repr__(self) -> str:
        """Tell what it is."""
        return "<Uses>"

    async def handle(self, batch: Batch[Used]) -> None:
        """Count a batch. Raises what `add` raises, and then nothing of it is counted."""
        uses = summed(batch.events)
        if uses:
            spent = await self._add(uses, batch.checkpoint)
            if spent:
                self._announce(spent)
        self._observe(batch.events)


def counter(
    uses: Uses,
    reader: SegmentReader,
    checkpoints: CheckpointStore,
    *,
    clock: Callable[[], float],
    log: FilteringBoundLogger,
) -> Consumer[Used]:
    """The consumer that counts, with its checkpoint where `Uses` stores it; `clock` gives monotonic seconds."""
    return Consumer(
        NAME,
        reader,
        _LINES,
        uses.handle,
        checkpoints,
        clock=clock,
        log=log,
        largest_batch=LARGEST_BATCH,
        interval=LEISURELY,
    )


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
