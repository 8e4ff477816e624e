"""The lines of one incarnation, in order, from where a consumer left off.

Rules
1. Only whole lines count. What follows the last newline waits while its writer may still finish or cut it off; once it
   cannot, it is damage.
2. A pending line is withheld until the exchange with its `request_id` comes. When the writer is gone and every line is
   read, what is still withheld is reported as it was guessed, in the order it was written.
3. Damage is passed over and told, never silently lost.
"""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from sluicegate.domain.events import Exchange, Line, Pending
from sluicegate.domain.segments import segment_name
from sluicegate.events.checkpoint import Progress, Waiting
from sluicegate.events.segments import segment_path

_CHUNK_BYTES = 256 * 1024
"""Read at once: some 300 lines. A longer line is read in one piece all the same."""

_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_pending_decoder = msgspec.json.Decoder(Pending)


class Damage(Struct, frozen=True):
    """Bytes of a segment that hold no event: `length` of them from byte `offset`; 0 where the whole file is missing."""

    segment: str
    offset: int
    length: int
    reason: str


class Tail:
    """One incarnation's lines from `progress` on. Reads files only inside `read`; close it when done."""

    __slots__ = (
        "_at",
        "_chunk",
        "_directory",
        "_file",
        "_has_ended",
        "_incarnation",
        "_is_abandoned",
        "_number",
        "_numbers",
        "_offset",
        "_waiting",
        "damages",
    )

    def __init__(
        self,
        directory: Path,
        incarnation: str,
        numbers: tuple[int, ...],
        progress: Progress | None,
        *,
        is_abandoned: Callable[[Path, str, int], bool],
    ) -> None:
        """`numbers` are the segments that exist, at least one; without `progress`, begin with the oldest."""
        self._directory = directory
        self._incarnation = incarnation
        self._numbers = numbers
        self._file: int | None = None
        self._chunk = b""
        self._at = 0
        self._has_ended = False
        self._is_abandoned = is_abandoned
        self.damages: list[Damage] = []
        progress = progress or Progress(numbers[0], 0)
        self._number = progress.number
        self._offset = progress.offset
        self._waiting = {each.request_id: (each.number, each.offset) for each in progress.waiting}

    def __repr__(self) -> str:
        """Tell the position and how much is withheld."""
        return (
            f"<Tail {segment_name(self._incarnation, self._number)} offset={self._offset} waiting={len(self._waiting)}>"
        )

    @property
    def progress(self) -> Progress:
        """How far this was read; everything reported so far lies before it."""
        waiting = (Waiting(request_id, *place) for request_id, place in self._waiting.items())
        return Progress(self._number, self._offset, tuple(waiting))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def read(self, events: list[Exchange], limit: int) -> bool:
        """Add up to `limit` events; return whether there may be more at once. Raises OSError."""
        for _ in range(limit):
            event = self._next_event()
            if event is None:
                return False
            events.append(event)
        return True

    def _next_event(self) -> Exchange | None:
        """Return the next event to report, or None where there is none now."""
        while (line := self._next_line()) is not None:
            start = self._offset - len(line) - 1
            try:
                event = _decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                self._tell(start, len(line), f"not an event: {error}")
                continue
            self._waiting.pop(event.request_id, None)
            if type(event) is Exchange:
                return event
            self._waiting[event.request_id] = (self._number, start)
        return self._next_unresolved() if self._has_ended else None

    def _next_line(self) -> bytes | None:
        """Return the next whole line without its newline, or None at the end of what there is."""
        while True:
            end = self._chunk.find(b"\n", self._at)
            if end >= 0:
                line = self._chunk[self._at : end]
                self._at = end + 1
                self._offset += len(line) + 1
                return line
            if self._fill():
                continue
            if not self._is_final():
                return None
            # Between the last look at the file and its becoming final, its writer may have added to it or cut it.
            if self._fill():
                continue
            self._pass_torn_line()
            if not self._enter_next():
                return None

    def _fill(self) -> bool:
        """Read on from where the current line begins; return whether a whole line is there.

        What was read before of an unfinished line is read again: its writer may have cut it off meanwhile.
        """
        self._chunk, self._at = b"", 0
        if self._file is None:
            try:
                path = segment_path(self._directory, self._incarnation, self._number)
                self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
        size = _CHUNK_BYTES
        while True:
            self._chunk = os.pread(self._file, size, self._offset)
            if b"\n" in self._chunk:
                return True
            if len(self._chunk) < size:
                return False
            size *= 2

    def _is_final(self) -> bool:
        """Whether nothing more can be written to the current segment."""
        if self._numbers[-1] > self._number:
            return True
        self._has_ended = self._has_ended or self._is_abandoned(self._directory, self._incarnation, self._number)
        return self._has_ended

    def _pass_torn_line(self) -> None:
        """Pass over what a segment's writer could not finish."""
        if self._chunk:
            self._tell(self._offset, len(self._chunk), "a line without its end")
            self._offset += len(self._chunk)
            self._chunk = b""

    def _enter_next(self) -> bool:
        """Go to the next segment there is; return whether there is one."""
        later = [number for number in self._numbers if number > self._number]
        if not later:
            return False
        expected = self._number if self._file is None else self._number + 1
        self.close()
        self._number, self._offset = expected, 0
        if later[0] > expected:
            self._tell(0, 0, f"missing, with all segments before {later[0]}")
            self._number = later[0]
        return True

    def _next_unresolved(self) -> Exchange | None:
        """Return the guess of the oldest pending line whose exchange will never come."""
        while self._waiting:
            request_id = next(iter(self._waiting))
            number, offset = self._waiting.pop(request_id)
            try:
                with segment_path(self._directory, self._incarnation, number).open("rb") as segment:
                    segment.seek(offset)
                    return _pending_decoder.decode(segment.readline()).exchange
            except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
                self._tell(offset, 0, f"the pending line of {request_id} cannot be read again: {error}", number=number)
        return None

    def _tell(self, offset: int, length: int, reason: str, *, number: int | None = None) -> None:
        """Note damage in the current segment, or in another one."""
        self.damages.append(Damage(segment_name(self._incarnation, number or self._number), offset, length, reason))
