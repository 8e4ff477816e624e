"""Writing exchanges into the database, each exactly once.

The rows of a batch, what they add up to, and the checkpoint behind them are one transaction. Where there are many, what
they add up to is put by as it is, and added to the sums of hours and days every `FOLD` seconds.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from structlog.typing import FilteringBoundLogger

from sluicegate.control.database_checkpoint import TransactionalStore
from sluicegate.domain.request_blocks import Block, blocks_of
from sluicegate.domain.usage_rows import Logged
from sluicegate.domain.usage_sums import alike, packed
from sluicegate.events.consumer import LEISURELY, Consumer
from sluicegate.events.reader import Batch, SegmentReader
from sluicegate.events.tail import Lines, Withheld
from sluicegate.store.address import SQLiteAddress
from sluicegate.store.database import Database

NAME: Final = "request-log"
BREATH: Final = 0.12
"""Seconds after a transaction in which others get in, on SQLite: who waits there looks every 0.1 s whether it is its
turn, and the ledger, which may be in the same file, must not wait long."""

FOLD: Final = 10.0
"""Seconds between two additions where there is much: so an hour's sum is written so often, and not with each batch."""
FEW: Final = 1_000
"""Events of a batch whose sums are added at once."""
LARGEST_BATCH: Final = 10_000
"""Events of a transaction: two large blocks, some 40 MB of memory."""

LINES: Lines[Logged] = msgspec.json.Decoder(Logged | Withheld)


class Recording:
    """What the consumer of one node does with its batches."""

    def __init__(self, checkpoints: TransactionalStore, *, clock: Callable[[], float], breath: float = 0.0) -> None:
        """`checkpoints` keeps the node's. `clock` gives monotonic seconds, `breath` are those to wait after a
        transaction. Nothing is read yet.
        """
        self._checkpoints = checkpoints
        self._clock = clock
        self._breath = breath
        self._folded_at = clock()

    def __repr__(self) -> str:
        """Tell where its checkpoint is."""
        return f"<Recording {self._checkpoints!r}>"

    async def handle(self, batch: Batch[Logged]) -> None:
        """Record it. Raises StoreUnavailableError, OvertakenError; then it must be loaded again what counts."""
        # In a thread: it takes some 10 us for each event, and the workers' questions must not wait for it.
        blocks, sums = await asyncio.to_thread(_prepared, batch.events)
        now = self._clock()
        is_to_fold = len(batch.events) <= FEW or now - self._folded_at >= FOLD
        async with self._checkpoints.behind(batch.checkpoint) as session:
            await session.request_log.add(blocks)
            await session.rollups.put_by(sums)
            if is_to_fold:
                await session.rollups.fold()
        if is_to_fold:
            self._folded_at = now
        await asyncio.sleep(self._breath)


def recorder(
    database: Database,
    data_dir: Path,
    *,
    node: str,
    clock: Callable[[], float],
    log: FilteringBoundLogger,
) -> Consumer[Logged]:
    """The consumer that writes a node's journal into the database. `clock` gives monotonic seconds. Raises OSError."""
    breath = BREATH if isinstance(database.address, SQLiteAddress) else 0.0
    checkpoints = TransactionalStore(database, node=node, consumer=NAME, log=log)
    recording = Recording(checkpoints, clock=clock, breath=breath)
    reader = SegmentReader(data_dir / "events")
    return Consumer(
        NAME,
        reader,
        LINES,
        recording.handle,
        checkpoints,
        clock=clock,
        log=log,
        largest_batch=LARGEST_BATCH,
        interval=LEISURELY,
    )


def _prepared(events: Sequence[Logged]) -> tuple[list[Block], bytes]:
    """What is to be written."""
    return blocks_of(events), packed(alike(events))
