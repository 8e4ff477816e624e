"""Which segment files there are, and whether their writers live."""

import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from sluicegate.domain.segments import parsed_segment_name, segment_name
from sluicegate.events.locks import is_locked
from sluicegate.events.underway import is_settled

Found = Mapping[str, tuple[int, ...]]
"""Incarnations in order of their names, each with its segments' numbers, ascending."""


def found_segments(directory: Path) -> Found:
    """List the segments of a directory. Raises OSError where it cannot be listed."""
    found: dict[str, list[int]] = {}
    for name in os.listdir(directory):
        parsed = parsed_segment_name(name)
        if parsed:
            found.setdefault(parsed[0], []).append(parsed[1])
    return {incarnation: tuple(sorted(found[incarnation])) for incarnation in sorted(found)}


def segment_path(directory: Path, incarnation: str, number: int) -> Path:
    """Tell where a segment is."""
    return directory / segment_name(incarnation, number)


def segment_size(directory: Path, incarnation: str, number: int) -> int:
    """Return a segment's size in bytes, 0 where it is gone."""
    try:
        return segment_path(directory, incarnation, number).stat().st_size
    except FileNotFoundError:
        return 0


def whole_lines(chunk: bytes) -> list[bytes]:
    """The lines of a piece of a segment that have their ends, with these.

    A buffer looks for them with `memchr`: a fifth of what `split` takes, which looks at each byte by itself.
    """
    lines = BytesIO(chunk).readlines()
    if lines and not lines[-1].endswith(b"\n"):
        del lines[-1]
    return lines


def is_abandoned(directory: Path, incarnation: str, last: int) -> bool:
    """Whether an incarnation whose last segment is `last` will never have another line.

    A writer keeps its segment locked until the next one is locked and has its name. So a lock that can be had, with no
    next segment to be seen afterwards, means that the writer is gone. What such a writer had under way is then told in
    one more segment (`events/underway.py`).
    """
    if is_locked(segment_path(directory, incarnation, last)) is not False:
        return False
    if segment_path(directory, incarnation, last + 1).exists() or not is_settled(directory, incarnation, last):
        return False
    # Somebody else may have settled it between those two.
    return not segment_path(directory, incarnation, last + 1).exists()
