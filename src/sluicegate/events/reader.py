"""All incarnations' events together."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic

from msgspec import Struct

from sluicegate.domain.events import Exchange
from sluicegate.events import segments
from sluicegate.events.checkpoint import Checkpoint, Progress
from sluicegate.events.segments import found_segments, segment_path, segment_size
from sluicegate.events.tail import EXCHANGES, Damage, EventT, Lines, Tail


class Batch(Struct, Generic[EventT], frozen=True):
    """What one call of `read` or `read_as` found. Fewer events than asked for means that there are no more at present.

    `checkpoint` is where to read on once these events have had their effect. It may differ from the one given even
    where there are no events.
    """

    events: tuple[EventT, ...]
    checkpoint: Checkpoint
    damages: tuple[Damage, ...] = ()


class SegmentReader:
    """Reads a journal's directory for any number of consumers; it keeps nothing between two calls."""

    __slots__ = ("_directory", "_is_abandoned")

    def __init__(
        self, directory: Path, *, is_abandoned: Callable[[Path, str, int], bool] = segments.is_abandoned
    ) -> None:
        """Make the directory (mode 0700) where no worker has yet. Raises OSError."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._is_abandoned = is_abandoned

    def __repr__(self) -> str:
        """Tell where the segments are."""
        return f"<SegmentReader {self._directory}>"

    def read(self, checkpoint: Checkpoint, max_events: int) -> Batch[Exchange]:
        """What `read_as` returns, with everything there is to know of each event. Raises OSError."""
        return self.read_as(EXCHANGES, checkpoint, max_events)

    def read_as(self, lines: Lines[EventT], checkpoint: Checkpoint, max_events: int) -> Batch[EventT]:
        """Return up to `max_events` events after `checkpoint`, in the order each incarnation wrote them.

        Each incarnation gets its share of `max_events`, which must not be less than their number, or the first starve
        the others. An incarnation of which no segment is left is dropped from the checkpoint. Raises OSError where the
        segments cannot be read.
        """
        found = found_segments(self._directory)
        tails = {
            incarnation: Tail(
                self._directory,
                incarnation,
                numbers,
                checkpoint.incarnations.get(incarnation),
                lines,
                is_abandoned=self._is_abandoned,
            )
            for incarnation, numbers in found.items()
        }
        events: list[EventT] = []
        try:
            hungry = list(tails.values())
            while hungry and len(events) < max_events:
                hungry = _served(hungry, events, max_events)
        finally:
            for tail in tails.values():
                tail.close()
        progress = {incarnation: tail.progress for incarnation, tail in tails.items()}
        damages = tuple(damage for tail in tails.values() for damage in tail.damages)
        return Batch(tuple(events), Checkpoint(progress), damages)

    def appearance(self, checkpoint: Checkpoint) -> tuple[int, ...] | None:
        """What the files look like beyond `checkpoint`: a few `stat`s, cheap enough for an event loop.

        Where it was the same at two looks some 0.1 s apart (file systems count time in steps), nothing was written
        since the first. None where only reading can tell: a pending line waits for its writer to die.
        """
        try:
            seen = [self._directory.stat().st_mtime_ns]
            for incarnation, progress in checkpoint.incarnations.items():
                if progress.waiting:
                    return None
                status = os.stat(segment_path(self._directory, incarnation, progress.number))
                seen += [status.st_ino, status.st_size, status.st_mtime_ns]
        except OSError:
            return None
        return tuple(seen)

    def end(self) -> Checkpoint:
        """Return a checkpoint behind every line there is now, for who wants only what is new. Raises OSError."""
        return Checkpoint(
            {
                incarnation: Progress(numbers[-1], self._end_of_lines(incarnation, numbers[-1]))
                for incarnation, numbers in found_segments(self._directory).items()
            }
        )

    def unread_bytes(self, checkpoint: Checkpoint) -> int:
        """Tell how far behind a consumer is. Raises OSError where the segments cannot be listed."""
        unread = 0
        for incarnation, numbers in found_segments(self._directory).items():
            progress = checkpoint.incarnations.get(incarnation, Progress(0, 0))
            for number in numbers:
                if number >= progress.number:
                    size = segment_size(self._directory, incarnation, number)
                    unread += max(0, size - progress.offset) if number == progress.number else size
        return unread

    def _end_of_lines(self, incarnation: str, number: int) -> int:
        """Return the offset behind a segment's last newline."""
        size = 65_536
        try:
            file = os.open(segment_path(self._directory, incarnation, number), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return 0
        try:
            end = os.fstat(file).st_size
            while True:
                start = max(0, end - size)
                newline = os.pread(file, end - start, start).rfind(b"\n")
                if newline >= 0 or start == 0:
                    return start + newline + 1
                size *= 2
        finally:
            os.close(file)


def _served(tails: list[Tail[EventT]], events: list[EventT], max_events: int) -> list[Tail[EventT]]:
    """Read a fair share of what is still wanted from each; return those that may have more."""
    hungry: list[Tail[EventT]] = []
    for index, tail in enumerate(tails):
        share = -(-(max_events - len(events)) // (len(tails) - index))
        if tail.read(events, share):
            hungry.append(tail)
    return hungry
