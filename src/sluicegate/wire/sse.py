"""Server-sent events without I/O: cutting a stream into whole events, and reading and writing their data.

After the WHATWG HTML standard, section 9.2: lines end with LF, CRLF or CR; a blank line ends an event; `data` lines are
joined by line feeds; one space after the colon is no part of a value; comments (lines that begin with a colon) and a
leading byte order mark mean nothing.
"""

import re
from typing import Final

LARGEST_EVENT: Final = 8 * 1024 * 1024
"""Bytes of an unfinished event after which its reader should give it up (`EventCutter.take_rest`), so that an endless
one does not fill the memory; room for an image in base64. The event's rest then has no field name: it means nothing."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EVENT_END = re.compile(rb"\n\n|[\r\n]\r\n?")
"""The end of a line and a blank line after it. A lone LF after `\r\r` belongs to the blank line (CRLF)."""


def payloads(events: bytes) -> list[bytes]:
    """The data of whole events, in order; events without `data` are passed over. A last one without end counts too."""
    events = events.removeprefix(_BYTE_ORDER_MARK)
    if b"\r" in events:
        events = events.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if events.startswith(b"data: ") and events.endswith(b"\n\n"):
        # Most streams are nothing but such lines; then one split does all, at a fifth of the price.
        lines = events[6:-2].split(b"\n\ndata: ")
        if events.count(b"\n") == 2 * len(lines):
            return lines
    found: list[bytes] = []
    for event in events.split(b"\n\n"):
        if event.startswith(b"data: "):
            if b"\n" not in event:
                found.append(event[6:])
                continue
        elif not event:
            continue
        at = event.find(b"\ndata: ")
        if at > 0 and event.startswith(b"event:") and event.count(b"\n") == 1:
            found.append(event[at + 7 :])
        else:
            _read_lines(event, found)
    return found


def _read_lines(event: bytes, found: list[bytes]) -> None:
    """Read one event line by line: any number of lines of any field."""
    data = [line[6:] if line[5:6] == b" " else line[5:] for line in event.split(b"\n") if _is_data(line)]
    if data:
        found.append(b"\n".join(data))


def _is_data(line: bytes) -> bool:
    """A line without a colon is a field's name with an empty value."""
    return line.startswith(b"data:") or line == b"data"


def last_end(stream: bytes) -> int:
    """Where the last whole event ends; 0 where none does.

    A CR after LF at the very end waits: it is the first half of a CRLF, whose LF must not be cut off.
    """
    if stream.endswith(b"\n\n"):
        return len(stream)
    if b"\r" not in stream:
        return stream.rfind(b"\n\n") + 2 if b"\n\n" in stream else 0
    if stream.endswith(b"\n\r"):
        stream = stream[:-1]
    at = max(stream.rfind(b"\n\n"), stream.rfind(b"\n\r"), stream.rfind(b"\r\r"))
    if at < 0:
        return 0
    at += 2
    is_crlf = stream[at - 1 : at] == b"\r" and stream[at : at + 1] == b"\n"
    return at + 1 if is_crlf else at


def split(events: bytes) -> list[bytes]:
    """Whole events apart, each with its end; joined they are `events` again. What follows the last end comes last."""
    found: list[bytes] = []
    start = 0
    for end in _EVENT_END.finditer(events):
        found.append(events[start : end.end()])
        start = end.end()
    if start < len(events):
        found.append(events[start:])
    return found


def event(data: bytes, name: str = "") -> bytes:
    """One event that carries one line of data."""
    return (b"event: %s\n" % name.encode() if name else b"") + b"data: " + data + b"\n\n"


class EventCutter:
    """Cuts a stream, in reads of any size, after its last whole event. Linear in the stream's length."""

    __slots__ = ("_held", "_tail", "held")

    def __init__(self) -> None:
        """Start at the beginning of a stream."""
        self._held: list[bytes] = []
        self._tail = b""
        self.held = 0
        """Bytes of an unfinished event that wait for their rest."""

    def __repr__(self) -> str:
        """Tell how much waits for its rest."""
        return f"<EventCutter held={self.held}>"

    def cut(self, data: bytes) -> bytes:
        """What is whole now: this read and what waited before it, up to the end of the last event."""
        held = self._held
        # An event's end may lie across reads; its longest form, LF CR LF, shows with two bytes of what is held.
        tail = self._tail
        end = last_end(tail + data) - len(tail)
        if end < 0 or not (end or tail):
            if data:
                held.append(data)
                self.held += len(data)
                self._tail = (tail + data)[-2:]
            return b""
        rest = data[end:]
        held.append(data[:end])
        whole = b"".join(held) if len(held) > 1 else held[0]
        self._held = [rest] if rest else []
        self.held = len(rest)
        self._tail = rest[-2:]
        return whole

    def take_rest(self) -> bytes:
        """Give up what waits, whole or not."""
        rest = b"".join(self._held)
        self._held = []
        self._tail = b""
        self.held = 0
        return rest
