"""Which segments are to be deleted, so that a journal does not grow for ever. Decides only; `disposal` deletes.

Rule 1. What may still be written to stays: an incarnation's last segment, as long as its writer lives.
Rule 2. An incarnation loses its oldest segment first, so that there is never a gap between two that are left.
Rule 3. Beyond a bound of age goes what every checkpoint has passed, however much room there is.
Rule 4. Beyond the bound of size goes the oldest that every checkpoint has passed; where there is none, the oldest that
        one is still before: a consumer that stands still must not fill the disk. That is a loss, and told apart.
Rule 5. An incarnation that is over and left nothing but empty segments goes at once: restarts leave such.
Rule 6. A checkpoint has passed a segment when it lies in a later one, or, of the last one, at its end. Whoever comes
        back to a segment that is gone, and finds a later one, cannot know that it had read all of it.
"""

from collections import deque
from collections.abc import Collection, Iterable

from msgspec import Struct

from sluicegate.events.checkpoint import Checkpoint


class Stored(Struct, frozen=True):
    """One segment as it lies on the disk: bytes, when it was last written to (Unix seconds), and whether for good.

    `is_last`: there is no later one of its incarnation yet.
    """

    incarnation: str
    number: int
    size: int
    written: float
    is_closed: bool
    is_last: bool


class Bounds(Struct, frozen=True):
    """How much is kept: bytes of all segments together, and seconds since a segment was last written to, if any."""

    largest_bytes: int
    longest_seconds: float | None = None


class Doomed(Struct, frozen=True):
    """Segments to be deleted, in this order: those that nobody needs, and those that a consumer loses."""

    passed: tuple[Stored, ...] = ()
    unread: tuple[Stored, ...] = ()


def doomed(stored: Iterable[Stored], checkpoints: Collection[Checkpoint], bounds: Bounds, *, now: float) -> Doomed:
    """Choose. `now` is Unix seconds. Without checkpoints there are no consumers, and nothing is needed."""
    kept = _by_incarnation(stored)
    passed = [*_taken_empty(kept), *_taken_old(kept, checkpoints, bounds, now)]
    unread: list[Stored] = []
    size = sum(segment.size for segments in kept.values() for segment in segments)
    while size > bounds.largest_bytes:
        heads = [segments[0] for segments in kept.values() if segments and segments[0].is_closed]
        if not heads:
            break
        unneeded = [segment for segment in heads if not is_needed(segment, checkpoints)]
        oldest = min(unneeded or heads, key=_age_order)
        kept[oldest.incarnation].popleft()
        (passed if unneeded else unread).append(oldest)
        size -= oldest.size
    return Doomed(tuple(passed), tuple(unread))


def is_needed(segment: Stored, checkpoints: Collection[Checkpoint]) -> bool:
    """Whether any checkpoint has not passed it, or waits for the rest of something that began in it."""
    return any(_is_to_be_read(segment, checkpoint) for checkpoint in checkpoints)


def _is_to_be_read(segment: Stored, checkpoint: Checkpoint) -> bool:
    progress = checkpoint.incarnations.get(segment.incarnation)
    if progress is None or progress.number < segment.number:
        return segment.size > 0
    if any(waiting.number == segment.number for waiting in progress.waiting):
        return True
    return progress.number == segment.number and (not segment.is_last or progress.offset < segment.size)


def _by_incarnation(stored: Iterable[Stored]) -> dict[str, deque[Stored]]:
    kept: dict[str, deque[Stored]] = {}
    for segment in sorted(stored, key=lambda each: (each.incarnation, each.number)):
        kept.setdefault(segment.incarnation, deque()).append(segment)
    return kept


def _taken_empty(kept: dict[str, deque[Stored]]) -> list[Stored]:
    taken: list[Stored] = []
    for segments in kept.values():
        if all(segment.is_closed and not segment.size for segment in segments):
            taken += segments
            segments.clear()
    return taken


def _taken_old(
    kept: dict[str, deque[Stored]], checkpoints: Collection[Checkpoint], bounds: Bounds, now: float
) -> list[Stored]:
    if bounds.longest_seconds is None:
        return []
    latest = now - bounds.longest_seconds
    taken: list[Stored] = []
    for segments in kept.values():
        while segments and segments[0].is_closed and segments[0].written <= latest:
            if is_needed(segments[0], checkpoints):
                break
            taken.append(segments.popleft())
    return taken


def _age_order(segment: Stored) -> tuple[float, str, int]:
    return segment.written, segment.incarnation, segment.number
