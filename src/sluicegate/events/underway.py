"""What a dead worker had sent and not recorded: put behind its last line, as lines of one more segment.

Rules
1. Only for a writer that is gone for good; its table is deleted once the segment has its name.
2. An exchange whose own line is in the journal is not told again. So this may be begun anew at any time: after a crash
   between the name and the deletion, everything is found told.
3. Damage is told as damage: as a line that is no event.
"""

import fcntl
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from sluicegate.domain.events import Exchange
from sluicegate.domain.segments import segment_name, unfinished_name
from sluicegate.domain.underway import lost_event, read_entry, table_name, taken_places

_DAMAGED = b"an entry of the table of exchanges under way that cannot be read\n"


class _Line(Struct, frozen=True):
    """Of whatever kind it is."""

    request_id: str


_read_line = msgspec.json.Decoder(_Line).decode


def is_settled(directory: Path, incarnation: str, last: int) -> bool:
    """Whether a dead writer, whose last segment is `last`, had nothing under way that its segments do not tell.

    Where it had, they do afterwards, in one more segment; so ask again. False also while somebody else is about it, and
    where the disk refuses. Raises nothing.
    """
    path = directory / table_name(incarnation)
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino != os.fstat(file).st_ino:
            return False
        return not _tell(directory, incarnation, last, path)
    except OSError:
        # Somebody else has just done it, or the disk is full: whoever asks again learns which.
        return False
    finally:
        os.close(file)


def _tell(directory: Path, incarnation: str, last: int, path: Path) -> bool:
    """Write what is to be told; return whether there was anything. Raises OSError."""
    lost, damaged = _lost(path.read_bytes())
    if lost:
        start = min(lost.values(), key=lambda each: each[0])[0]
        for request_id in _told_since(directory, incarnation, start, last):
            lost.pop(request_id, None)
    encode = msgspec.json.Encoder().encode
    lines = [encode(event) + b"\n" for _, event in lost.values() if event.charges]
    lines += [_DAMAGED] * damaged
    if lines:
        _write(directory, incarnation, last + 1, b"".join(lines))
    path.unlink()
    return bool(lines)


def _lost(table: bytes) -> tuple[dict[str, tuple[tuple[int, int], Exchange]], int]:
    """The events by request, each with the position behind which it may be told already; and how many are damaged."""
    lost: dict[str, tuple[tuple[int, int], Exchange]] = {}
    damaged = 0
    for entry in taken_places(table):
        try:
            sent, owner = read_entry(entry)
            event = lost_event(sent, owner)
            # A second note of an exchange is made before the first is cleared.
            if sent.request_id not in lost or _rank(lost[sent.request_id][1]) < _rank(event):
                lost[sent.request_id] = (sent.segment, sent.offset), event
        except (ValueError, IndexError, OverflowError):
            damaged += 1
    return lost, damaged


def _rank(event: Exchange) -> tuple[int, int]:
    """Which of two notes is the later one: of another attempt, or of one for which more was set aside meanwhile."""
    return event.attempts, sum(charge.amount for charge in event.charges)


def _told_since(directory: Path, incarnation: str, start: tuple[int, int], last: int) -> set[str]:
    """The requests that have a line behind `start`, a segment's number and an offset."""
    told: set[str] = set()
    first, offset = start
    for number in range(first, last + 1):
        try:
            with (directory / segment_name(incarnation, number)).open("rb") as segment:
                segment.seek(offset)
                for line in segment:
                    try:
                        told.add(_read_line(line).request_id)
                    except ValueError:
                        continue
        except FileNotFoundError:
            pass
        offset = 0
    return told


def _write(directory: Path, incarnation: str, number: int, data: bytes) -> None:
    hidden = directory / unfinished_name(incarnation, number)
    file = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as segment:
        segment.write(data)
        segment.flush()
        # The table goes next: a machine that dies must not have lost both.
        os.fsync(segment.fileno())
    hidden.rename(directory / segment_name(incarnation, number))
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
