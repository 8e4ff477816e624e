"""Events into a file, one JSON object a line."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from sluicegate.config.schema import SinkSettings
from sluicegate.events.sinks.base import ALL_KINDS, Event, Surroundings, TransientError
from sluicegate.events.sinks.rotated_file import RotatedFile, Rotation

MOST_EVENTS = 10_000
"""More in one write would only be more to write again where the disk is full."""

_encode = msgspec.json.Encoder().encode


class FileSink:
    """One file. What the disk refuses is transient: a full one has room again some day."""

    kinds = ALL_KINDS
    most_events = MOST_EVENTS

    def __init__(self, file: RotatedFile) -> None:
        """Nothing is opened before the first event."""
        self._file = file
        self._turn = asyncio.Lock()
        self._tidying: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        """Tell which file."""
        return f"<FileSink {self._file!r}>"

    async def deliver(self, batch: Sequence[Event]) -> None:
        """Add these events, all or none, in their order."""
        lines = [_encode(event) for event in batch]
        async with self._turn:
            # In a thread, and to its end also where nobody waits for it any more: its caller may go, half a batch not.
            writing = asyncio.ensure_future(asyncio.to_thread(self._file.write, lines))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await _ended(writing)
                raise
            except OSError as error:
                raise TransientError(f"cannot write: {error.strerror or type(error).__name__}") from error
            if self._file.is_untidy and (self._tidying is None or self._tidying.done()):
                self._file.is_untidy = False
                self._tidying = asyncio.ensure_future(asyncio.to_thread(self._tidy))

    def _tidy(self) -> None:
        """See to what was set aside. No event waits for it."""
        try:
            self._file.tidy()
        except OSError:
            # No event is at risk, and a disk that is full says so with the next one.
            self._file.is_untidy = True

    async def close(self) -> None:
        """Close the file, once all is done."""
        if self._tidying is not None:
            await self._tidying
        async with self._turn:
            self._file.close()


async def _ended(writing: asyncio.Future[None]) -> None:
    """Wait for it however often this is cancelled: a file that is closed meanwhile leaves its number to another one."""
    while not writing.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait((writing,))
    # What became of it is of no interest any more: it comes again.
    writing.exception()


def make(settings: SinkSettings, surroundings: Surroundings) -> FileSink:
    """The sink of these settings."""
    rotation = Rotation(
        largest_bytes=settings.largest_bytes,
        period_seconds=settings.period_seconds,
        keep=settings.keep,
        is_compressed=settings.gzip,
        is_synced=settings.fsync,
    )
    return FileSink(RotatedFile(Path(settings.text("path")), rotation, now=surroundings.now))
