"""What all journals of this node still have to be charged for: a trail for every incarnation."""

import threading
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from sluicegate.control.limits.trail import IsAbandoned, Spent, Trail
from sluicegate.events import segments
from sluicegate.events.checkpoint import Checkpoint, Progress
from sluicegate.events.segments import found_segments
from sluicegate.events.tail import Damage


class Reading(Struct, frozen=True):
    """What one look found, by incarnation.

    `checkpoint` is where to begin again once it is settled; `found` are the incarnations that have segments, `over`
    those of them whose last charge was told, with this reading or before.
    """

    spent: Mapping[str, tuple[Spent, ...]]
    checkpoint: Checkpoint
    found: frozenset[str]
    over: frozenset[str]
    has_more: bool
    damages: tuple[Damage, ...]


class Unsettled:
    """Reads one journal's directory. Every method but the constructor raises OSError."""

    __slots__ = ("_directory", "_is_abandoned", "_start", "_trails", "_turn")

    def __init__(
        self, directory: Path, start: Checkpoint, *, is_abandoned: IsAbandoned = segments.is_abandoned
    ) -> None:
        """Begin at `start`. Nothing is touched yet; the directory need not exist."""
        self._directory = directory
        self._start = start
        self._is_abandoned = is_abandoned
        self._trails: dict[str, Trail] = {}
        # A reading in a thread goes on when whoever waits for it is cancelled, and must not lose its files meanwhile.
        self._turn = threading.Lock()

    def __repr__(self) -> str:
        """Tell where the segments are, and how many incarnations are not over."""
        return f"<Unsettled {self._directory} open={sum(not trail.is_over for trail in self._trails.values())}>"

    def traces(self) -> tuple[int, ...]:
        """What changes with the journal, and costs next to nothing to look at."""
        sizes = [trail.size() for trail in self._trails.values() if not trail.is_over]
        try:
            return (self._directory.stat().st_mtime_ns, *sizes)
        except FileNotFoundError:
            return (0,)

    def read(self, limit: int) -> Reading:
        """Read about `limit` lines, a fair share of each incarnation that is not over."""
        with self._turn:
            return self._read(limit)

    def _read(self, limit: int) -> Reading:
        found = self._found()
        for gone in self._trails.keys() - found.keys():
            self._trails.pop(gone).close()
        for new in found.keys() - self._trails.keys():
            start = self._start.incarnations.get(new, Progress(found[new][0], 0))
            self._trails[new] = Trail(self._directory, new, start, is_abandoned=self._is_abandoned)
        hungry = [incarnation for incarnation in found if not self._trails[incarnation].is_over]
        share = limit // max(1, len(hungry))
        spent: dict[str, tuple[Spent, ...]] = {}
        has_more = False
        damages: list[Damage] = []
        for incarnation in hungry:
            trail = self._trails[incarnation]
            told, may_go_on = trail.read(found[incarnation], max(1, share))
            has_more = has_more or may_go_on
            if told:
                spent[incarnation] = tuple(told)
            damages += trail.damages
            trail.damages.clear()
        return Reading(
            spent=spent,
            checkpoint=Checkpoint({incarnation: self._trails[incarnation].restart for incarnation in found}),
            found=frozenset(found),
            over=frozenset(incarnation for incarnation in found if self._trails[incarnation].is_over),
            has_more=has_more,
            damages=tuple(damages),
        )

    def close(self) -> None:
        """Close all files."""
        with self._turn:
            for trail in self._trails.values():
                trail.close()

    def _found(self) -> Mapping[str, tuple[int, ...]]:
        """The segments of each incarnation; a directory that no worker has made yet holds none."""
        try:
            return found_segments(self._directory)
        except FileNotFoundError:
            return {}
