"""The counters and how far the journal was read, in one file: either both are of before a batch, or both of after it.

So each event is counted once, whatever process dies when. The file is a checkpoint too, for whoever reads no more of it
(`events/checkpoint.py`).
"""

import asyncio
from pathlib import Path

import msgspec
from msgspec import field
from structlog.typing import FilteringBoundLogger

from sluicegate.control.metrics.tally import KeptTally, Tally
from sluicegate.events.checkpoint import Checkpoint, CheckpointFile


class Kept(Checkpoint, frozen=True):
    """What is in the file."""

    tally: KeptTally = field(default_factory=KeptTally)


_decoder = msgspec.json.Decoder(Kept)


class KeptCounters:
    """The `CheckpointStore` of the consumer that counts: it keeps what was counted with the checkpoint."""

    __slots__ = ("_file", "_log", "_path", "_tally")

    is_transactional = False

    def __init__(self, path: Path, tally: Tally, *, log: FilteringBoundLogger) -> None:
        """The file is at `path`; nothing is touched yet."""
        self._path = path
        self._file = CheckpointFile(path)
        self._tally = tally
        self._log = log

    def __repr__(self) -> str:
        """Tell where the file is, and what it is of."""
        return f"<KeptCounters {self._path} {self._tally!r}>"

    async def load(self) -> Checkpoint:
        """Have the tally go on from what was kept; return how far the journal was read for it.

        A damaged file is told: then all events are counted that are left, and the counters are lower than they were,
        which Prometheus takes for the restart that it is. Raises OSError, and then nothing was counted.
        """
        try:
            kept = await asyncio.to_thread(self._kept)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._log.error("metrics begin again with the oldest event", reason=f"{self._path}: {error}")
            return Checkpoint()
        self._tally.restore(kept.tally)
        return Checkpoint(kept.incarnations)

    async def store(self, checkpoint: Checkpoint) -> None:
        """Replace what is kept (mode 0600). Raises OSError, and then the old file still stands."""
        await asyncio.to_thread(self._file.store, Kept(checkpoint.incarnations, self._tally.kept()))

    def _kept(self) -> Kept:
        if self._path.exists():
            return _decoder.decode(self._path.read_bytes())
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = Kept()
        # At once, so that no event is deleted before it was counted.
        self._file.store(kept)
        return kept
