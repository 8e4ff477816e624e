"""Streams whose events differ in nothing but their text: read many at once, at a tenth of the price of decoding each.

Rule 1. What surrounds the text is learned from an event that was understood, and tried with another text in its place:
        JSON allows whatever a string may hold between the same two pieces, and all else that is decoded stays the same.
Rule 2. Where any of the events asked about is not made so, none is read here: they are decoded as ever.
"""

from collections.abc import Callable
from typing import Final

import msgspec

TextOf = Callable[[bytes], tuple[object, str] | None]
"""Decodes a payload that brings nothing new but one text: all else that was understood, and the text; else None."""

_PROBE: Final = "sluicegate?"
_MOST_PLACES: Final = 8
"""Where a text may occur in a payload before it is too common to be told from field names and constants."""
_PATIENCE: Final = 8
"""Failures after which a stream is taken for one that puts something else into each event (OpenAI's `obfuscation`)."""

_text = msgspec.json.Decoder(str).decode


class Steady:
    """What surrounds the text in the events of one stream."""

    __slots__ = ("_after", "_before", "_failures", "_text_of")

    def __init__(self, text_of: TextOf) -> None:
        """Start without knowing anything."""
        self._text_of = text_of
        self._before = self._after = b""
        self._failures = 0

    def __repr__(self) -> str:
        """Tell what was learned."""
        return f"<Steady {self._before!r} … {self._after!r} failures={self._failures}>"

    def read(self, payloads: list[bytes]) -> str | None:
        """The texts of these payloads, joined; None where they must be decoded one by one."""
        before, after = self._before, self._after
        if not before:
            return None
        first, last = len(before), -len(after)
        parts = [payload[first:last] for payload in payloads]
        # One comparison of all is a quarter of the price of looking at both ends of each.
        is_steady = b"".join(payloads) == before + (after + before).join(parts) + after
        if is_steady and (text := _joined(parts)) is not None:
            self._failures = 0
            return text
        self._before = b""
        self._failures += 1
        return None

    def learn(self, payload: bytes) -> None:
        """Look at a payload that was decoded: does it bring a text alone, and where?"""
        if self._failures >= _PATIENCE:
            return
        seen = self._text_of(payload)
        if seen is None or not seen[1]:
            return
        shape, text = seen
        literal = text.encode("utf-8", "replace")
        at = -1
        for _ in range(_MOST_PLACES):
            at = payload.find(b'"%b"' % literal, at + 1)
            if at < 0:
                return
            before, after = payload[: at + 1], payload[at + 1 + len(literal) :]
            if self._text_of(before + _PROBE.encode() + after) == (shape, _PROBE):
                self._before, self._after = before, after
                return


def _joined(parts: list[bytes]) -> str | None:
    """The text of the parts of strings in JSON, which are each a string's content, or else None."""
    content = b"".join(parts)
    try:
        if b"\\" in content:
            # A part's last backslash would escape the quote behind it; half an emoji must stay half of one.
            if b"\\ud" in content or b"\\uD" in content or any(part.endswith(b"\\") for part in parts):
                return None
        if not content.isascii():
            for part in parts:
                part.decode()
        return _text(b'"%b"' % content)
    except ValueError:
        return None
