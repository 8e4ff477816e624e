"""The lines of one incarnation, in order, from where a consumer left off.

Rules
1. Only whole lines count. What follows the last newline waits while its writer may still finish or cut it off; once it
   cannot, it is damage.
2. A pending line is withheld until the exchange with its `request_id` comes. When the writer is gone and every line is
   read, what is still withheld is reported as it was guessed, in the order it was written.
3. Damage is passed over and told, never silently lost.
4. A notice is reported to whose `lines` know notices, and passed over for everybody else.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, Literal, Protocol, TypeVar

import msgspec
from msgspec import Raw, Struct

from sluicegate.domain.events import Exchange, Notice
from sluicegate.domain.segments import segment_name
from sluicegate.events.checkpoint import Progress, Waiting
from sluicegate.events.segments import segment_path, whole_lines

_CHUNK_BYTES = 256 * 1024
"""Read at once: some 300 lines. A longer line is read in one piece all the same."""


class Event(Protocol):
    """As much of `domain.events.Exchange` as a consumer wants: a struct with its tag.

    The fewer fields it has, the less it costs to read: what it does not name is passed over.
    """

    @property
    def request_id(self) -> str:
        """By which a pending line and its exchange belong together."""
        ...


EventT = TypeVar("EventT", bound=Event)


class Withheld(Struct, frozen=True, tag_field="kind", tag="pending"):
    """What is needed of `domain.events.Pending` as long as its exchange may come."""

    request_id: str


class _Guess(Struct, frozen=True, tag_field="kind", tag="pending"):
    """What is needed of `domain.events.Pending` when its exchange will not come."""

    exchange: Raw


Lines = msgspec.json.Decoder[EventT | Withheld]
"""What reads a line, for one type of events: `Decoder(Exchange | Withheld)`."""

EXCHANGES: Lines[Exchange] = msgspec.json.Decoder(Exchange | Withheld)
"""Reads everything of an exchange."""

ALL_EVENTS: Lines[Exchange | Notice] = msgspec.json.Decoder(Exchange | Notice | Withheld)
"""Reads notices too."""

_guesses = msgspec.json.Decoder(_Guess)


class _Passed(Struct, frozen=True):
    """What is needed of `domain.events.Notice` where nobody wants it."""

    kind: Literal["notice"]


_passed = msgspec.json.Decoder(_Passed)

_PENDING: Final = b'{"kind":"pending","request_id":"'
"""How its writer begins a pending line."""


def withheld_id(line: bytes) -> str:
    """The request of a whole pending line, without reading the rest of it; empty where only a reader of JSON can tell.

    There may be one for every other line, and nearly all are for nothing.
    """
    if not line.startswith(_PENDING):
        return ""
    raw = line[len(_PENDING) : line.find(b'"', len(_PENDING))]
    # What is escaped, was written by somebody else or was cut off is no case for a short cut.
    return raw.decode("ascii") if raw.isascii() and b"\\" not in raw and line.endswith(b"}}\n") else ""


def is_notice(line: bytes) -> bool:
    """Whether a line that is no event holds a notice, whole. It is asked only then: there are few."""
    try:
        _passed.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


class Damage(Struct, frozen=True):
    """Bytes of a segment that hold no event: `length` of them from byte `offset`; 0 where the whole file is missing."""

    segment: str
    offset: int
    length: int
    reason: str


class Tail(Generic[EventT]):
    """One incarnation's lines from `progress` on. Reads files only inside `read`; close it when done."""

    __slots__ = (
        "_decode",
        "_directory",
        "_file",
        "_has_ended",
        "_incarnation",
        "_is_abandoned",
        "_lines",
        "_number",
        "_numbers",
        "_offset",
        "_torn",
        "_waiting",
        "damages",
    )

    def __init__(
        self,
        directory: Path,
        incarnation: str,
        numbers: tuple[int, ...],
        progress: Progress | None,
        lines: Lines[EventT],
        *,
        is_abandoned: Callable[[Path, str, int], bool],
    ) -> None:
        """`numbers` are the segments that exist, at least one; without `progress`, begin with the oldest.

        `lines` reads each line.
        """
        self._directory = directory
        self._incarnation = incarnation
        self._numbers = numbers
        self._file: int | None = None
        self._decode = lines.decode
        self._lines: list[bytes] = []
        self._torn = 0
        self._has_ended = False
        self._is_abandoned = is_abandoned
        self.damages: list[Damage] = []
        progress = progress or Progress(numbers[0], 0)
        self._number = progress.number
        self._offset = progress.offset
        self._waiting = {each.request_id: each for each in progress.waiting}

    def __repr__(self) -> str:
        """Tell the position and how much is withheld."""
        return (
            f"<Tail {segment_name(self._incarnation, self._number)} offset={self._offset} waiting={len(self._waiting)}>"
        )

    @property
    def progress(self) -> Progress:
        """How far this was read; everything reported so far lies before it."""
        return Progress(self._number, self._offset, tuple(self._waiting.values()))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def read(self, events: list[EventT], limit: int) -> bool:
        """Add up to `limit` events; return whether there may be more at once. Raises OSError."""
        wanted = limit
        while wanted and (lines := self._next_lines(wanted)):
            wanted -= self._take(lines, events)
        while wanted:
            event = self._next_unresolved() if self._has_ended else None
            if event is None:
                return False
            events.append(event)
            wanted -= 1
        return True

    def _take(self, lines: list[bytes], events: list[EventT]) -> int:
        """Pass these lines and add what they report; return how many events that is."""
        decode, waiting, number = self._decode, self._waiting, self._number
        offset, before = self._offset, len(events)
        for line in lines:
            begin, offset = offset, offset + len(line)
            request_id = withheld_id(line) if line.startswith(_PENDING) else ""
            if not request_id:
                try:
                    # One call for each line: `decode_lines` would not mind where a line ends, and to check costs more.
                    event = decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    if not is_notice(line):
                        self._tell(begin, len(line) - 1, f"not an event: {error}")
                    continue
                if not isinstance(event, Withheld):
                    if waiting:
                        waiting.pop(event.request_id, None)
                    events.append(event)
                    continue
                request_id = event.request_id
            waiting.pop(request_id, None)
            waiting[request_id] = Waiting(request_id, number, begin)
        self._offset = offset
        return len(events) - before

    def _next_lines(self, limit: int) -> list[bytes]:
        """Return the next whole lines, up to `limit`; none at the end of what there is."""
        while not self._lines and not self._fill():
            if not self._is_final():
                return []
            # Between the last look at the file and its becoming final, its writer may have added to it or cut it.
            if self._fill():
                break
            self._pass_torn_line()
            if not self._enter_next():
                return []
        lines = self._lines[:limit]
        del self._lines[:limit]
        return lines

    def _fill(self) -> bool:
        """Read on from where the current line begins; return whether a whole line is there.

        What was read before of an unfinished line is read again: its writer may have cut it off meanwhile.
        """
        self._torn = 0
        if self._file is None:
            try:
                path = segment_path(self._directory, self._incarnation, self._number)
                self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
        size = _CHUNK_BYTES
        while True:
            chunk = os.pread(self._file, size, self._offset)
            self._lines = whole_lines(chunk)
            self._torn = len(chunk) - chunk.rfind(b"\n") - 1
            if self._lines:
                return True
            if len(chunk) < size:
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
        if self._torn:
            self._tell(self._offset, self._torn, "a line without its end")
            self._offset += self._torn
            self._torn = 0

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

    def _next_unresolved(self) -> EventT | None:
        """Return the guess of the oldest pending line whose exchange will never come."""
        while self._waiting:
            waiting = self._waiting.pop(next(iter(self._waiting)))
            try:
                with segment_path(self._directory, self._incarnation, waiting.number).open("rb") as segment:
                    segment.seek(waiting.offset)
                    guess = self._decode(_guesses.decode(segment.readline()).exchange)
                if not isinstance(guess, Withheld):
                    return guess
                reason = "it holds no exchange"
            except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
                reason = str(error)
            reason = f"the pending line of {waiting.request_id} cannot be read again: {reason}"
            self._tell(waiting.offset, 0, reason, number=waiting.number)
        return None

    def _tell(self, offset: int, length: int, reason: str, *, number: int | None = None) -> None:
        """Note damage in the current segment, or in another one."""
        self.damages.append(Damage(segment_name(self._incarnation, number or self._number), offset, length, reason))
