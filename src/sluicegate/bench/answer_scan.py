"""Where an answer ends and how many events it had, read with as little work as can be.

The load generator shares the processors with what it measures, so it does not parse HTTP in earnest:

- Rule 1: there is one answer at a time on a connection, so its last byte is the last byte of a read.
- Rule 2: a chunked answer has ended when a read ends with the last chunk. Events of JSON hold no CRLF and cannot
  look like one.
- Rule 3: an event is a `data:` at the start of a line. A stream's comments and `event:` lines are none.
"""

_TAIL = 5
"""Bytes kept of a read: one less than either of the two patterns below, which may lie across two reads."""
_LAST_CHUNK = b"\n0\r\n\r\n"
_EVENT = b"\ndata:"
_HEAD_BOUND = 65_536
_UNTIL_CLOSE = -1
_CHUNKED = -2


class AnswerError(Exception):
    """What came is no answer in HTTP/1.1."""


class AnswerScanner:
    """One answer; `begin` makes it ready for the next."""

    __slots__ = ("_head", "_left", "_tail", "events", "has_body", "is_kept", "status")

    def __init__(self) -> None:
        self.begin()

    def __repr__(self) -> str:
        return f"<AnswerScanner status={self.status} events={self.events} left={self._left}>"

    def begin(self) -> None:
        """Forget the answer before."""
        self._head: bytes | None = b""
        self._left = 0
        self._tail = b"\n"
        self.status = 0
        self.events = 0
        self.has_body = False
        self.is_kept = True

    def feed(self, data: bytes) -> bool:
        """Take what was read; whether the answer is complete. Raises AnswerError."""
        if self._head is not None:
            data = self._head + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._head = data
                if len(data) > _HEAD_BOUND or not data.startswith(b"HTTP/1."[: len(data)]):
                    raise AnswerError("no HTTP answer")
                return False
            self._read_head(data[: end + 2].lower())
            data = data[end + 4 :]
            if self.status == 100:
                self.begin()
                return self.feed(data) if data else False
        if data:
            self.has_body = True
        if self._left >= 0:
            # Of a known length, so no stream: nobody looks for events in it.
            self._left -= len(data)
            return self._left <= 0
        window = self._tail + data
        self.events += window.count(_EVENT)
        self._tail = window[-_TAIL:]
        return self._left == _CHUNKED and window.endswith(_LAST_CHUNK)

    def feed_end(self) -> bool:
        """Take the end of the connection; whether that completes the answer."""
        self.is_kept = False
        return self._head is None and self._left == _UNTIL_CLOSE

    def _read_head(self, head: bytes) -> None:
        """Take the head, in lower case, up to the end of its last line."""
        if not (head.startswith(b"http/1.") and head[9:12].isdigit()):
            raise AnswerError("no HTTP answer")
        self._head = None
        self.status = int(head[9:12])
        self.is_kept = b"\r\nconnection: close" not in head and not head.startswith(b"http/1.0")
        at = head.find(b"\r\ncontent-length:")
        if at >= 0:
            length = head[at + 17 : head.index(b"\r", at + 2)].strip()
            if not length.isdigit():
                raise AnswerError("a content-length that is no number")
            self._left = int(length)
        elif b"\r\ntransfer-encoding: chunked" in head or b"\r\ntransfer-encoding:chunked" in head:
            self._left = _CHUNKED
        else:
            self._left = 0 if self.status in {100, 204, 304} else _UNTIL_CLOSE
