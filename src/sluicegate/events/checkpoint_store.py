"""Where a consumer's checkpoint is kept between two runs: a port, and files behind it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from sluicegate.events.checkpoint import Checkpoint, CheckpointDamagedError, CheckpointFile


class CheckpointStore(Protocol):
    """Keeps one consumer's checkpoint. Both methods may raise whatever its technology raises."""

    @property
    def is_transactional(self) -> bool:
        """Whether the consumer's `handle` keeps it already, in one transaction with what the events did."""
        ...

    async def load(self) -> Checkpoint:
        """What was stored last; where the consumer begins if nothing ever was."""
        ...

    async def store(self, checkpoint: Checkpoint) -> None:
        """Keep it for good. Where `handle` has kept it already, there is nothing left to do."""
        ...


class FileStore:
    """Keeps it in a file, which retention looks at: `checkpoints/NAME.json` in the data directory."""

    __slots__ = ("_beginning", "_file", "_log", "_path")

    is_transactional = False

    def __init__(
        self, path: Path, *, log: FilteringBoundLogger, beginning: Callable[[], Checkpoint] | None = None
    ) -> None:
        """Nothing is touched yet. `beginning` is where a consumer without a file begins: with the oldest event unless
        set; `SegmentReader.end` lets it have only what is new from then on.
        """
        self._path = path
        self._file = CheckpointFile(path)
        self._log = log
        self._beginning = beginning

    def __repr__(self) -> str:
        """Tell where the file is."""
        return f"<FileStore {self._path}>"

    async def load(self) -> Checkpoint:
        """As promised; a damaged file is told and counts as none. Raises OSError."""
        return await asyncio.to_thread(self._load)

    async def store(self, checkpoint: Checkpoint) -> None:
        """As promised. Raises OSError, and then the old checkpoint still stands."""
        await asyncio.to_thread(self._file.store, checkpoint)

    def _load(self) -> Checkpoint:
        if self._path.exists():
            try:
                return self._file.load()
            except CheckpointDamagedError as error:
                self._log.error("a consumer begins again with the oldest event", reason=str(error))
                return Checkpoint()
        if self._beginning is None:
            return Checkpoint()
        checkpoint = self._beginning()
        # At once: a process that dies before its first batch must not begin later than it did.
        self._file.store(checkpoint)
        return checkpoint
