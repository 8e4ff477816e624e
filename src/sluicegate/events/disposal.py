"""Deleting the segments that are no longer kept."""

from collections.abc import Callable, Collection
from pathlib import Path

from sluicegate.domain.segments import unfinished_name
from sluicegate.events import segments
from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.retention import Bounds, Doomed, Stored, doomed
from sluicegate.events.segments import found_segments, segment_path


class Disposal:
    """Deletes from one journal's directory. It remembers which writers are gone: they do not come back."""

    __slots__ = ("_directory", "_gone", "_is_abandoned")

    def __init__(
        self, directory: Path, *, is_abandoned: Callable[[Path, str, int], bool] = segments.is_abandoned
    ) -> None:
        """Nothing is touched yet; the directory need not exist."""
        self._directory = directory
        self._is_abandoned = is_abandoned
        self._gone: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        """Tell where the segments are."""
        return f"<Disposal {self._directory}>"

    def dispose(self, checkpoints: Collection[Checkpoint], bounds: Bounds, *, now: float) -> Doomed:
        """Delete what is beyond the bounds and return it; `now` is Unix seconds. Raises OSError."""
        stored = self._stored()
        chosen = doomed(stored, checkpoints, bounds, now=now)
        last = {segment.incarnation: segment.number for segment in stored}
        for segment in (*chosen.passed, *chosen.unread):
            path = segment_path(self._directory, segment.incarnation, segment.number)
            path.unlink(missing_ok=True)
            if segment.number == last[segment.incarnation]:
                # Its writer may have died just before the next segment had its name.
                path.with_name(unfinished_name(segment.incarnation, segment.number + 1)).unlink(missing_ok=True)
        return chosen

    def _stored(self) -> list[Stored]:
        """All segments, by incarnation and number. A directory that no worker has made yet holds none."""
        try:
            found = found_segments(self._directory)
        except FileNotFoundError:
            return []
        self._gone = frozenset(
            incarnation
            for incarnation, numbers in found.items()
            if incarnation in self._gone or self._is_abandoned(self._directory, incarnation, numbers[-1])
        )
        stored: list[Stored] = []
        for incarnation, numbers in found.items():
            for number in numbers:
                # Looked at after its writer was: the size of what is closed is final.
                status = segment_path(self._directory, incarnation, number).stat()
                is_last = number == numbers[-1]
                is_closed = not is_last or incarnation in self._gone
                stored.append(Stored(incarnation, number, status.st_size, status.st_mtime, is_closed, is_last))
        return stored
