"""Where a worker's events go: appended to its own segment file, one write per turn of the loop.

Rules
1. A line is handed to the kernel whole, before the turn's answers leave; nothing waits for the disk (no fsync), so a
   dead process loses nothing that a client was told, and a dead machine may lose the last seconds.
2. Until the disk takes them again, lines are held in memory, in order and up to a bound; beyond it the newest are
   dropped and counted. A torn line is cut off before anything else is written behind it.
3. The current segment is locked (flock) from before it has its name until its successor is locked and named: whoever
   can lock an incarnation's last segment knows that its writer is gone. (The kernel drops the lock of a dead process.
   A writer must therefore not fork.)
4. What was sent and has no line yet is noted in a table beside the segments (`gateway/underway.py`), and cleared there
   only when the line is written: one that is never written is told from the table.
"""

import fcntl
import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from sluicegate.domain.events import Line
from sluicegate.domain.segments import incarnation_name, segment_name, unfinished_name
from sluicegate.domain.underway import table_name
from sluicegate.gateway.underway import NO_PLACE, Table

SEGMENT_BYTES = 64 * 1024 * 1024
"""Some 100,000 exchanges: rare enough to rotate, small enough to delete soon."""

HELD_BYTES = 16 * 1024 * 1024
"""Some 25,000 exchanges: minutes of a busy worker while somebody makes room on the disk."""

_RETRY_BYTES = 256 * 1024
"""Held lines are retried in pieces of this size, so that a turn pays for one failed write and not for all of them."""

Facts = tuple[str | int | bool | Sequence[int] | None, ...]
"""The fields of a `domain.underway.Sent` behind `offset`, in their order."""

JournalState = Literal["writing", "overlong", "holding", "dropping", "closed"]
"""All is well; well, but no new segment can be made; lines are kept in memory; lines are being lost; no more lines."""


class _Identity(Struct):
    request_id: str


_identity = msgspec.json.Decoder(_Identity).decode


class Journal:
    """One incarnation's segments. Every method returns at once; none but the constructor raises OSError."""

    __slots__ = (
        "_appended",
        "_directory",
        "_dropped",
        "_encoder",
        "_ending",
        "_failure",
        "_file",
        "_held",
        "_held_bytes",
        "_held_limit",
        "_incarnation",
        "_is_torn",
        "_lines",
        "_number",
        "_on_error",
        "_schedule",
        "_segment_bytes",
        "_size",
        "_state",
        "_table",
        "_tried_at",
        "_truncate",
        "_write",
    )

    def __init__(
        self,
        directory: Path,
        worker_index: int,
        boot_id: str,
        *,
        schedule: Callable[[Callable[[], None]], object],
        on_error: Callable[[JournalState, str], None],
        segment_bytes: int = SEGMENT_BYTES,
        held_bytes: int = HELD_BYTES,
        write: Callable[[int, bytes], int] = os.write,
        truncate: Callable[[int, int], None] = os.ftruncate,
    ) -> None:
        """Make the directory (mode 0700) and the first segment (0600).

        `schedule` runs a callback later in this turn of the loop (`loop.call_soon`). `on_error` learns of every change
        of state, with the reason in words, and of every line that cannot be encoded. A segment exceeds `segment_bytes`
        only by the lines of one turn. Raises OSError where no segment can be made, FileExistsError where `boot_id` was
        used before, ValueError where it makes no file name.
        """
        self._directory = directory
        self._incarnation = incarnation_name(worker_index, boot_id)
        self._schedule = schedule
        self._on_error = on_error
        self._segment_bytes = segment_bytes
        self._held_limit = held_bytes
        self._write = write
        self._truncate = truncate
        self._encoder = msgspec.json.Encoder()
        self._lines: list[Line] = []
        self._table: Table | None = None
        self._tried_at = 0
        self._ending: dict[str, int] = {}
        """Requests that have a line now, which is not written yet, and their places in the table."""
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._appended = 0
        self._dropped = 0
        self._failure = ""
        self._is_torn = False
        self._state: JournalState = "writing"
        self._number = 1
        self._size = 0
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = self._make_segment(1)

    def __repr__(self) -> str:
        """Tell the state, the segment and what became of all lines."""
        return (
            f"<Journal {segment_name(self._incarnation, self._number)} {self._state} size={self._size}"
            f" written={self.written} waiting={len(self._lines)} held={self.held} dropped={self._dropped}>"
        )

    @property
    def incarnation(self) -> str:
        """The name of this run of this worker, as in its segments' names."""
        return self._incarnation

    @property
    def state(self) -> JournalState:
        """What happens to lines at present."""
        return self._state

    @property
    def written(self) -> int:
        """Lines handed to the kernel so far."""
        return self._appended - self._dropped - self.held

    @property
    def held(self) -> int:
        """Lines the disk has refused so far; `flush` tries them again."""
        return sum(piece.count(b"\n") for piece in self._held)

    @property
    def dropped(self) -> int:
        """Lines lost: beyond the bound of what is held, not encodable, or after the end."""
        return self._dropped

    def append(self, line: Line) -> None:
        """Take a line; it is written before this turn of the loop is over."""
        lines = self._lines
        if not lines:
            self._schedule(self.flush)
        lines.append(line)

    def note(self, facts: Facts, owner: bytes) -> int:
        """Note an exchange that is about to be sent; return its place in the table, NO_PLACE where there is none.

        `owner` is an encoded `domain.underway.Owner`.
        """
        # While the disk refuses, not even pages that are ours are surely to be had (copy on write).
        if self._state != "writing":
            return NO_PLACE
        try:
            table = self._table
            if table is None:
                table = self._make_table()
            entry = self._encoder.encode((self._number, self._size, *facts))
        except (OSError, TypeError, ValueError, OverflowError):
            return NO_PLACE
        return table.put(b"%b\n%b\n" % (entry, owner))

    def _make_table(self) -> Table:
        """Once for each segment: where it fails, notes do without. Raises OSError."""
        if self._tried_at == self._number:
            raise OSError("there was no table to be had")
        self._tried_at = self._number
        self._table = table = Table(self._directory / table_name(self._incarnation))
        return table

    def clear(self, place: int) -> None:
        """A note is not needed any more: another one of the same exchange was made."""
        if self._table is not None and self._state != "closed":
            self._table.clear(place)

    def tell(self, line: Line, place: int) -> None:
        """Take the line of an exchange that was noted: the note is cleared when it is written."""
        self._ending[line.request_id] = place
        self.append(line)

    def flush(self) -> None:
        """Write what was appended, and what is held, with one write where the disk takes it. Call it at any time."""
        lines = self._lines
        if not lines and not self._held:
            return
        self._lines = []
        self._appended += len(lines)
        if self._state == "closed":
            self._dropped += len(lines)
            self._on_error("closed", f"{len(lines)} lines came after the journal's end")
            return
        try:
            data = self._encoder.encode_lines(lines)
        except (TypeError, ValueError, OverflowError):
            data = self._encode_each(lines)
        dropped = self._dropped
        self._failure = ""
        if self._held:
            self._write_held()
        rest = data if self._held else self._write_lines(data)
        if rest:
            self._hold(rest)
        if self._ending and not self._held:
            self._clear_notes()
        if self._failure or self._state != "writing":
            self._judge(is_dropping=self._dropped > dropped)

    def close(self) -> None:
        """Write what can be written and release the segment: a reader knows then that no line will follow."""
        self.flush()
        if self._state == "closed":
            return
        lost = self.held
        self._held.clear()
        self._held_bytes = 0
        self._dropped += lost
        self._state = "closed"
        if lost:
            self._on_error("closed", f"{lost} lines were never written: {self._failure}")
        self._close_table()
        os.close(self._file)

    def _clear_notes(self) -> None:
        """Everything is written that was not dropped."""
        assert self._table is not None, "what ends was noted"
        for place in self._ending.values():
            self._table.clear(place)
        self._ending.clear()

    def _close_table(self) -> None:
        if self._table is not None:
            try:
                self._table.close()
            except OSError as error:
                self._on_error("closed", f"the table of exchanges under way cannot be deleted: {error}")

    def _encode_each(self, lines: list[Line]) -> bytes:
        """Encode what can be encoded: one bad line must not take its neighbours with it."""
        good: list[bytes] = []
        for line in lines:
            try:
                good.append(self._encoder.encode(line) + b"\n")
            except (TypeError, ValueError, OverflowError) as error:
                self._dropped += 1
                self._ending.pop(line.request_id, None)
                self._on_error(self._state, f"the event of {line.request_id!r} cannot be encoded: {error}")
        return b"".join(good)

    def _write_lines(self, data: bytes) -> bytes:
        """Write whole lines to a segment with room for them; return those that were not written."""
        if self._is_torn or (self._size and self._size + len(data) > self._segment_bytes):
            try:
                self._rotate()
            except OSError as error:
                self._failure = f"cannot start segment {self._number + 1}: {error}"
                if self._is_torn:
                    return data
        done = 0
        try:
            while done < len(data):
                done += self._write(self._file, data[done:] if done else data)
        except OSError as error:
            self._failure = f"cannot write to {segment_name(self._incarnation, self._number)}: {error}"
            whole = data.rfind(b"\n", 0, done) + 1
            self._size += whole
            self._cut_torn_line()
            return data[whole:]
        self._size += done
        return b""

    def _cut_torn_line(self) -> None:
        """Make the segment end with its last whole line. Where that fails, nothing more is written to it."""
        try:
            size = os.fstat(self._file).st_size
            if size > self._size:
                self._truncate(self._file, self._size)
            # A file that shrank was touched by someone else: what we know of its end is wrong.
            self._is_torn = size < self._size
        except OSError:
            self._is_torn = True

    def _rotate(self) -> None:
        """Go on in the next segment. Raises OSError, and then nothing has changed."""
        file = self._make_segment(self._number + 1)
        os.close(self._file)
        self._file = file
        self._number += 1
        self._size = 0
        self._is_torn = False

    def _make_segment(self, number: int) -> int:
        """Return the descriptor of a new, empty segment that was locked before anyone could see it. Raises OSError."""
        path = self._directory / segment_name(self._incarnation, number)
        hidden = self._directory / unfinished_name(self._incarnation, number)
        if path.exists():
            raise FileExistsError(f"{path} exists: an id of a start was used twice")
        file = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            hidden.rename(path)
        except OSError:
            os.close(file)
            raise
        return file

    def _hold(self, data: bytes) -> None:
        """Keep lines for later as far as the bound allows; drop the rest."""
        room = max(0, self._held_limit - self._held_bytes)
        kept = data if len(data) <= room else data[: data.rfind(b"\n", 0, room) + 1]
        if kept:
            self._held.append(kept)
            self._held_bytes += len(kept)
        self._dropped += data.count(b"\n", len(kept))
        if self._ending:
            for line in data[len(kept) :].splitlines():
                self._ending.pop(_identity(line).request_id, None)

    def _write_held(self) -> None:
        """Write what is held, oldest first, until the disk refuses."""
        held = self._held
        while held:
            pieces = [held.popleft()]
            size = len(pieces[0])
            while held and size + len(held[0]) <= _RETRY_BYTES:
                size += len(held[0])
                pieces.append(held.popleft())
            rest = self._write_lines(b"".join(pieces))
            self._held_bytes -= size - len(rest)
            if rest:
                held.appendleft(rest)
                return

    def _judge(self, *, is_dropping: bool) -> None:
        """Set the state after a flush that met trouble or ended it, and tell of a change."""
        state: JournalState
        if self._held:
            state = "dropping" if is_dropping or self._state == "dropping" else "holding"
        else:
            state = "dropping" if is_dropping else "overlong" if self._failure else "writing"
        if state != self._state:
            self._state = state
            self._on_error(state, self._failure or "all lines are written")
