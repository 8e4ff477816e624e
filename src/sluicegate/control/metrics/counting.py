"""The consumer of the journal that counts for the metrics."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from sluicegate.control.metrics.kept import KeptCounters
from sluicegate.control.metrics.measured import LINES, Measured
from sluicegate.control.metrics.tally import Tally
from sluicegate.events.consumer import LEISURELY, Consumer
from sluicegate.events.reader import Batch, SegmentReader

NAME: Final = "metrics"
SLICE: Final = 250
"""Events that are counted at once: some two milliseconds, for which nobody else is served."""


def metrics_consumer(
    tally: Tally, data_dir: Path, *, clock: Callable[[], float], log: FilteringBoundLogger
) -> Consumer[Measured]:
    """The consumer, to be run. `clock` gives monotonic seconds. Raises OSError."""

    async def count(batch: Batch[Measured]) -> None:
        for start in range(0, len(batch.events), SLICE):
            tally.add(batch.events[start : start + SLICE])
            await asyncio.sleep(0)

    kept = KeptCounters(data_dir / "checkpoints" / f"{NAME}.json", tally, log=log)
    reader = SegmentReader(data_dir / "events")
    return Consumer(NAME, reader, LINES, count, kept, clock=clock, log=log, interval=LEISURELY)
