"""The text a model produced in a stream, kept within a bound so that it can be counted."""

from typing import Final

LARGEST_TEXT: Final = 256 * 1024
"""Bytes of UTF-8 kept of one answer: more than the longest outputs of today's models but a few; a bound per stream."""


class Capture:
    """Collects text in parts. A part that no longer fits is dropped whole and only measured."""

    __slots__ = ("_parts", "_size", "dropped")

    def __init__(self) -> None:
        """Start with nothing."""
        self._parts: list[str] = []
        self._size = 0
        self.dropped = 0
        """Bytes of UTF-8 that were not kept."""

    def __repr__(self) -> str:
        """Tell how much is kept and dropped."""
        return f"<Capture bytes={self._size} dropped={self.dropped}>"

    def add(self, parts: list[str]) -> None:
        """Keep these parts, joined: one string for many small ones takes far less memory."""
        text = "".join(parts)
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if self._size + size > LARGEST_TEXT:
            self.dropped += size
        elif size:
            self._size += size
            self._parts.append(text)

    def text(self) -> str:
        """All that was kept, in order."""
        return "".join(self._parts)
