"""An answer of the mock as it goes over the wire, encoded once and then only written."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

JSON_TYPE = "application/json"
EVENT_STREAM = "text/event-stream; charset=utf-8"
LAST_CHUNK = b"0\r\n\r\n"

_WORDS = (" river", " gate", " water", " stone", " light", " quiet", " morning", " bridge", " field", " road", " hand")
"""Common English words, one token each in the usual vocabularies."""


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer in one piece."""

    head: bytes
    body: bytes
    tokens: int = 0

    @property
    def wire(self) -> bytes:
        """Head and body."""
        return self.head + self.body


@dataclass(frozen=True, slots=True)
class Stream:
    """A chunked answer, one frame an event. The last frame holds the end of the stream as well."""

    head: bytes
    frames: tuple[bytes, ...]
    tokens: int
    """How many of the frames carry a token …"""
    lead: int
    """… and how many come before the first of them."""
    failure: bytes
    """The frame that reports a failure half-way, with the end of the stream."""
    writes: tuple[bytes, ...]
    """What is written when nothing goes wrong: the head goes out with the first frame, as from a real provider."""

    def served(self, sent: int) -> int:
        """Tokens in the first `sent` frames."""
        return max(0, min(self.tokens, sent - self.lead))


Answer = Whole | Stream


def whole(
    body: bytes | Any, *, status: int = 200, content_type: str = JSON_TYPE, extra: str = "", tokens: int = 0
) -> Whole:
    """Build an answer from bytes, or from anything JSON can hold. `extra` are header lines, each with its CRLF."""
    encoded = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    head = f"{_status_line(status)}content-type: {content_type}\r\ncontent-length: {len(encoded)}\r\n{extra}\r\n"
    return Whole(head.encode(), encoded, tokens)


def stream(
    events: Iterable[bytes], *, tokens: int, lead: int, failure: bytes, content_type: str = EVENT_STREAM
) -> Stream:
    """Build a stream from its events, encoded but not yet chunked."""
    head = (
        f"{_status_line(200)}content-type: {content_type}\r\ncache-control: no-cache\r\n"
        "x-request-id: req_mock\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    frames = [chunk(event) for event in events]
    frames[-1] += LAST_CHUNK
    writes = (head.encode() + frames[0], *frames[1:])
    return Stream(head.encode(), tuple(frames), tokens, lead, chunk(failure) + LAST_CHUNK, writes)


def chunk(data: bytes) -> bytes:
    """One chunk (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def data_event(payload: Any) -> bytes:
    """One server-sent event without a name."""
    return f"data: {compact(payload)}\n\n".encode()


def named_event(name: str, payload: Any) -> bytes:
    """One server-sent event with an `event:` line."""
    return f"event: {name}\ndata: {compact(payload)}\n\n".encode()


def compact(payload: Any) -> str:
    """JSON as providers send it: no spaces."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def words(count: int) -> list[str]:
    """`count` tokens of text, always the same."""
    return [_WORDS[number % len(_WORDS)] for number in range(count)]


def _status_line(status: int) -> str:
    known = status in HTTPStatus.__members__.values()
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase if known else 'Fault'}\r\n"
