"""The charges of one incarnation's journal, in order, each with its place; it goes on where it stopped.

Rules
1. Places rise in the order in which charges are told, whoever reads them and when. A charge's place is behind its line.
2. A pending line is withheld until the exchange with its `request_id` comes. When the writer is gone and every line is
   read, what is still withheld was spent as far as anybody knows: it is told as it was guessed, in the order in which
   it was written, and lies behind all lines.
3. To read again from `restart` finds everything that was not told, and maybe something that was.
4. Only whole lines count; damage is passed over, and told. Notices charge nothing.

It reads the same lines as `events/tail.py`, but only what settling needs of them, and never twice.
"""

import os
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from sluicegate.domain.segments import segment_name
from sluicegate.events import segments
from sluicegate.events.checkpoint import Progress
from sluicegate.events.segments import segment_path, segment_size, whole_lines
from sluicegate.events.tail import Damage, is_notice, withheld_id

_CHUNK_BYTES: Final = 256 * 1024
"""Read at once: some 300 lines. A longer line is read in one piece all the same."""
_OFFSET_BITS: Final = 40
_NOW: Final = 1 << 60
"""Unix milliseconds: no ledger charges to the future, so this means its present."""

IsAbandoned = Callable[[Path, str, int], bool]


_EXCHANGE: Final = b'{"kind":"exchange",'
"""How its writer begins the line of an exchange."""

Taken = tuple[str, int, int]
"""A `domain.events.Charge`: account, amount, how much of it was leased. Of plain tuples there can be very many."""


class _Exchange(Struct, frozen=True, gc=False, tag_field="kind", tag="exchange"):
    """What matters here of `domain.events.Exchange`; it holds nothing that could hold it."""

    request_id: str
    timestamp: str
    charges: tuple[Taken, ...] = ()


class _Pending(Struct, frozen=True, gc=False, tag_field="kind", tag="pending"):
    """What matters here of `domain.events.Pending`."""

    request_id: str
    exchange: _Exchange


_decoder: msgspec.json.Decoder[_Exchange | _Pending] = msgspec.json.Decoder(_Exchange | _Pending)
_pendings = msgspec.json.Decoder(_Pending)


class Spent(NamedTuple):
    """What one exchange was charged: its place in its incarnation's journal, and when it began (Unix milliseconds)."""

    place: int
    at: int
    charges: tuple[Taken, ...]


class Trail:
    """One incarnation. Everything but the constructor raises OSError."""

    __slots__ = (
        "_directory",
        "_file",
        "_incarnation",
        "_is_abandoned",
        "_number",
        "_offset",
        "_waiting",
        "damages",
        "is_over",
    )

    def __init__(
        self,
        directory: Path,
        incarnation: str,
        start: Progress,
        *,
        is_abandoned: IsAbandoned = segments.is_abandoned,
    ) -> None:
        """Begin at `start`, as `restart` told it; nothing is touched yet."""
        self._directory = directory
        self._incarnation = incarnation
        self._number = start.number
        self._offset = start.offset
        self._file: int | None = None
        self._is_abandoned = is_abandoned
        self._waiting: dict[str, tuple[int, int, bytes]] = {}
        self.damages: list[Damage] = []
        """What was passed over; whoever tells of it empties it."""
        self.is_over = False
        """Whether the writer is gone and all was told."""

    def __repr__(self) -> str:
        """Tell the position and how much is withheld."""
        state = "over" if self.is_over else f"waiting={len(self._waiting)}"
        return f"<Trail {segment_name(self._incarnation, self._number)} offset={self._offset} {state}>"

    @property
    def restart(self) -> Progress:
        """Where to begin again once everything that was told has had its effect."""
        if self._waiting:
            number, offset, _ = next(iter(self._waiting.values()))
            return Progress(number, offset)
        return Progress(self._number, self._offset)

    def size(self) -> int:
        """Of the segment that is being read: as long as it stays the same, there is nothing new in it."""
        return segment_size(self._directory, self._incarnation, self._number)

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def read(self, numbers: tuple[int, ...], limit: int) -> tuple[list[Spent], bool]:
        """The charges of the next `limit` lines or some more, and whether there may be more at once.

        `numbers` are the segments that exist, at least one.
        """
        spent: list[Spent] = []
        lines = 0
        while not self.is_over:
            if lines >= limit:
                return spent, True
            found = self._read_chunk(spent)
            lines += found
            if not found and not self._go_on(numbers, spent):
                break
        return spent, False

    def _go_on(self, numbers: tuple[int, ...], spent: list[Spent]) -> bool:
        """There is no whole line: whether there may be one now."""
        is_last = numbers[-1] <= self._number
        if is_last and not self._is_abandoned(self._directory, self._incarnation, self._number):
            return False
        # Between the last look at the file and its becoming final, its writer may have added to it or cut it.
        if self._read_chunk(spent):
            return True
        self._pass_torn_line()
        if is_last:
            self._end(spent)
        else:
            self._enter_next(numbers)
        return True

    def _read_chunk(self, spent: list[Spent]) -> int:
        """Take the whole lines that are there, up to one reading; return how many."""
        lines = whole_lines(self._chunk())
        self._take(lines, spent)
        return len(lines)

    def _chunk(self) -> bytes:
        """The bytes from here on: enough for a line, if there is one."""
        if self._file is None:
            try:
                path = segment_path(self._directory, self._incarnation, self._number)
                self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return b""
        size = _CHUNK_BYTES
        while True:
            chunk = os.pread(self._file, size, self._offset)
            if len(chunk) < size or b"\n" in chunk:
                return chunk
            size *= 2

    def _take(self, lines: list[bytes], spent: list[Spent]) -> None:
        """Pass these lines, and tell what they charge."""
        decode, waiting, number = _decoder.decode, self._waiting, self._number
        offset = self._offset
        timestamp, at = "", _NOW
        for line in lines:
            begin, offset = offset, offset + len(line)
            request_id = withheld_id(line)
            if request_id:
                # What it holds is read when it counts.
                waiting.pop(request_id, None)
                waiting[request_id] = (number, begin, line)
                continue
            if not waiting and b'"charges":' not in line and line.startswith(_EXCHANGE) and line.endswith(b"}\n"):
                # Nobody waits for it, and it charges nothing.
                continue
            try:
                event = decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                if not is_notice(line):
                    self._tell(begin, len(line) - 1, f"not an event: {error}")
                continue
            waiting.pop(event.request_id, None)
            if type(event) is _Pending:
                waiting[event.request_id] = (number, begin, line)
            elif type(event) is _Exchange and event.charges:
                if event.timestamp != timestamp:
                    # Under load, many have the same.
                    timestamp = event.timestamp
                    at = began_at(timestamp)
                spent.append(Spent(number << _OFFSET_BITS | offset, at, event.charges))
        self._offset = offset

    def _pass_torn_line(self) -> None:
        """Pass over what a segment's writer could not finish."""
        rest = len(self._chunk())
        if rest:
            self._tell(self._offset, rest, "a line without its end")
            self._offset += rest

    def _enter_next(self, numbers: tuple[int, ...]) -> None:
        """Go to the next segment there is."""
        expected = self._number if self._file is None else self._number + 1
        self.close()
        number = next(each for each in numbers if each > self._number)
        if number > expected:
            self._number = expected
            self._tell(0, 0, f"missing, with all segments before {number}")
        self._number, self._offset = number, 0

    def _end(self, spent: list[Spent]) -> None:
        """The writer is gone, and this was its last line."""
        for number, offset, line in self._waiting.values():
            try:
                guess = _pendings.decode(line).exchange
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                self._tell(offset, len(line), f"not an event: {error}", number=number)
                continue
            if guess.charges:
                place = place_of(self._number + number, offset + 1)
                spent.append(Spent(place, began_at(guess.timestamp), guess.charges))
        self._waiting.clear()
        self.close()
        self.is_over = True

    def _tell(self, offset: int, length: int, reason: str, *, number: int | None = None) -> None:
        """Note damage in the current segment, or in another one."""
        self.damages.append(Damage(segment_name(self._incarnation, number or self._number), offset, length, reason))


def place_of(number: int, offset: int) -> int:
    """A place in a journal as one integer."""
    return number << _OFFSET_BITS | offset


def began_at(timestamp: str) -> int:
    """An event's time, `2026-11-21T10:00:00.123Z`, in Unix milliseconds; what is written otherwise is the present."""
    try:
        return _unix_of_second(timestamp[:19]) + int(timestamp[20:23])
    except ValueError:
        return _NOW


@lru_cache(maxsize=16)
def _unix_of_second(second: str) -> int:
    """Unix milliseconds of a second; events come in about the order of theirs."""
    return int(datetime.fromisoformat(f"{second}+00:00").timestamp() * 1000)
