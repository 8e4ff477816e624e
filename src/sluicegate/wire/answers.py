"""The head of a provider's answer, sorted into what travels on and what means something to us.

A full parser has accepted the bytes before they are sorted here: one pass over the lines costs a quarter of what a
callback per field costs, and an answer has twenty of them.
"""

from sluicegate.wire import headers
from sluicegate.wire.headers import HeaderKinds

LARGEST_HEADER_COUNT = 256
_VERSIONS = (b"HTTP/1.1 ", b"HTTP/1.0 ")


class AnswerHead:
    """What one head says. `lines` are the fields that travel, without line ends; `fault` is why it cannot be used."""

    __slots__ = (
        "cache_control",
        "content_encoding",
        "content_length",
        "content_type",
        "fault",
        "is_chunked",
        "lines",
        "options",
        "request_id",
        "status",
        "upgrade",
    )

    def __init__(self, status: int, raw: bytes, kinds: HeaderKinds) -> None:
        """`raw` is the head from its status line up to the blank line, which is left out."""
        self.status = status
        self.lines: list[bytes] = []
        self.content_length = -1
        self.content_type = b""
        self.content_encoding = b""
        self.cache_control = b""
        self.request_id = b""
        self.upgrade = b""
        self.options: frozenset[bytes] = frozenset()
        self.is_chunked = False
        self.fault = ""
        self._sort(raw.split(b"\r\n"), kinds)
        if self.options - headers.PLAIN_OPTIONS:
            self.lines = headers.without(self.lines, self.options)

    def __repr__(self) -> str:
        """Tell the status and the framing; never a field."""
        framing = "chunked" if self.is_chunked else f"length={self.content_length}"
        return f"<AnswerHead {self.status} {framing} fields={len(self.lines)}>"

    def _sort(self, lines: list[bytes], kinds: HeaderKinds) -> None:
        if len(lines) > LARGEST_HEADER_COUNT:
            self.fault = "its head has too many fields"
            return
        if not lines[0].startswith(_VERSIONS):
            # The parser skips empty lines in front of a head: `raw` would then end before the fields begin. And it
            # knows HTTP/0.9 and HTTP/2.0 as well.
            self.fault = "its head does not begin with a status line of HTTP/1.0 or HTTP/1.1"
            return
        travelling = self.lines
        known = kinds.lines
        del lines[0]
        for line in lines:
            kind = known.get(line)
            if kind is None:
                name, colon, _ = line.partition(b":")
                if not colon or line[0] <= 32 or b"\n" in line:
                    self.fault = "its head has a folded or broken line"
                    continue
                kind = kinds[name]
                if name not in kinds.changing:
                    kinds.learn(name, line, kind)
            if kind == headers.FORWARD:
                travelling.append(line)
            elif kind != headers.DROP:
                self._note(kind, line, line.partition(b":")[2].strip(b" \t"))

    def _note(self, kind: int, line: bytes, value: bytes) -> None:
        if kind == headers.CONTENT_LENGTH:
            self.content_length = int(value)
        elif kind == headers.CONTENT_TYPE:
            self.content_type = value
        elif kind == headers.CONTENT_ENCODING:
            self.content_encoding = value
            self.lines.append(line)
        elif kind == headers.CACHE_CONTROL:
            self.cache_control = value
        elif kind == headers.TRANSFER_ENCODING:
            if self.is_chunked or value.lower() != b"chunked":
                self.fault = "its transfer coding is not a single 'chunked'"
            self.is_chunked = True
        elif kind == headers.REQUEST_ID:
            self.request_id = value
        elif kind == headers.CONNECTION:
            self.options |= headers.connection_options(value)
        else:  # no other kind is left: see `headers.answer_kinds`
            self.upgrade = value
        if self.is_chunked and self.content_length >= 0:
            self.fault = "it has both a length and chunks"
