"""Chunked bodies (RFC 9112 section 7.1) as providers frame them: sizes in hex digits, no extensions.

Reading these here costs a third of what a full parser costs, and most reads of a stream are exactly one chunk. Whatever
is not of this plain kind (the last chunk with its trailers, too) is left to the full parser, from its first byte on:
that parser was shown no chunk before it, and so stands between two chunks as well.
"""

from typing import Final

LONGEST_LINE: Final = 10
"""Digits and line end of a chunk's size: up to 4 GiB."""
_LARGEST_MEMO: Final = 4_096


class ChunkError(ValueError):
    """The bytes behind a chunk are not its line end. `body` is what the same read brought before them."""

    def __init__(self, body: bytes) -> None:
        """Say so."""
        super().__init__("a chunk is longer than its size says")
        self.body = body


class _Sizes(dict[bytes, int]):
    """The size a line of hex digits stands for, -1 where it is none, or zero; remembers the lines it meets."""

    def __missing__(self, line: bytes) -> int:
        # int() alone would take signs, spaces, underscores and 0x.
        is_plain = line.isalnum() and line[:2] not in (b"0x", b"0X")
        try:
            size = int(line, 16) if is_plain else -1
        except ValueError:
            size = -1
        if len(self) < _LARGEST_MEMO:
            self[line] = size or -1
        return size or -1


SIZES: Final = _Sizes()


def whole_chunks(data: bytes) -> bytes:
    """The body where `data` is one plain chunk or several, and nothing else; else nothing."""
    end = data.find(b"\r\n", 0, LONGEST_LINE)
    stop = end + 2 + SIZES[data[: max(end, 0)]]
    if len(data) == stop + 2 and data.endswith(b"\r\n"):
        return data[end + 2 : stop]
    pieces: list[bytes] = []
    at = 0
    while end > at and stop > end and data.startswith(b"\r\n", stop):
        pieces.append(data[end + 2 : stop])
        at = stop + 2
        if at == len(data):
            return b"".join(pieces)
        end = data.find(b"\r\n", at, at + LONGEST_LINE)
        stop = end + 2 + SIZES[data[at:end]] if end > at else 0
    return b""


class ChunkReader:
    """Reads plain chunks, wherever the reads cut them."""

    __slots__ = ("_line", "_missing", "is_between")

    def __init__(self) -> None:
        """Start between two chunks."""
        self._line = b""
        self._missing = 0
        self.is_between = True
        """Whether the next byte begins a chunk."""

    def __repr__(self) -> str:
        """Tell what of a chunk is still to come."""
        return f"<ChunkReader missing={self._missing} line={self._line!r}>"

    def read(self, data: bytes) -> tuple[bytes, bytes]:
        """The body in `data`, and what is left to the full parser: after that, read no more here. Raises ChunkError."""
        data = self._line + data
        self._line = b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data):
            if not self._missing:
                end = data.find(b"\r\n", at, at + LONGEST_LINE)
                if end < 0 and len(data) - at < LONGEST_LINE:
                    self._line = data[at:]
                    break
                size = SIZES[data[at:end]] if end > at else -1
                if size < 0:
                    return b"".join(pieces), data[at:]
                at = end + 2
                self._missing = size + 2
            piece = data[at : at + self._missing]
            at += len(piece)
            self._take(piece, pieces)
        self.is_between = not self._missing and not self._line
        return b"".join(pieces), b""

    def _take(self, piece: bytes, pieces: list[bytes]) -> None:
        """Keep the body in the next piece of the present chunk, whose last two bytes are a line end."""
        before = self._missing
        self._missing = after = before - len(piece)
        if after < 2:
            line_end = b"\r\n"[max(0, 2 - before) : 2 - after]
            body = piece[: len(piece) - len(line_end)]
            if not piece.endswith(line_end):
                raise ChunkError(b"".join([*pieces, body]))
            piece = body
        pieces.append(piece)
