"""Recorded streams, cut at awkward places: neither what is understood nor what the client gets may depend on reads.

The recordings are no part of the project: where they are absent, streams written after the providers' documentation
stand alone.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from sluicegate.dialects.table import DIALECTS
from sluicegate.gateway.taps import StreamTap, UsageFilter

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "provider-traffic.json.gz"

OPERATIONS = {
    "/chat/completions": ("openai", "chat"),
    "/responses": ("openai", "responses"),
    "/messages": ("anthropic", "messages"),
    ":streamGenerateContent": ("gemini", "generate"),
}
"""By how the path ends: the dialect, and what the path does."""


class Recording(NamedTuple):
    """One recorded stream."""

    name: str
    dialect: str
    operation: str
    stream: bytes


CHAT = Recording(
    "written/chat",
    "openai",
    "chat",
    b'data: {"id":"c1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,'
    b'"delta":{"content":"h\xc3\xa9"},"finish_reason":null}],"usage":null}\n\n'
    b'data: {"id":"c1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{},'
    b'"finish_reason":"stop"}],"usage":null}\n\n'
    b'data: {"id":"c1","object":"chat.completion.chunk","model":"m","choices":[],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'
    b"data: [DONE]\n\n",
)
WRITTEN = (
    CHAT,
    CHAT._replace(name="written/chat-crlf", stream=CHAT.stream.replace(b"\n", b"\r\n")),
    CHAT._replace(name="written/chat-cr", stream=CHAT.stream.replace(b"\n", b"\r")),
)


def recorded() -> Iterator[Recording]:
    """The recorded event streams of dialects we have."""
    if not RECORDINGS.exists():
        return
    for number, entry in enumerate(json.loads(gzip.decompress(RECORDINGS.read_bytes()))):
        path = entry["uri"].partition("?")[0]
        known = [value for ending, value in OPERATIONS.items() if path.endswith(ending)]
        if "event-stream" in (entry["ctype"] or "") and entry["resp_raw"] and known:
            yield Recording(f"{number}/{entry['id'][-40:]}", *known[0], entry["resp_raw"].encode())


STREAMS = (*WRITTEN, *recorded())
every_stream = pytest.mark.parametrize("recording", STREAMS, ids=lambda recording: recording.name)


def cuttings(stream: bytes) -> Iterator[list[bytes]]:
    """The same stream in reads of 1, 2, 3 and 7 bytes, one read a line, and in large reads."""
    for size in (1, 2, 3, 7, 9_000):
        yield [stream[start : start + size] for start in range(0, len(stream), size)]
    yield stream.splitlines(keepends=True)
    # Lines again, with their ends at the start of the next read.
    yield [b"\n" + line if number else line for number, line in enumerate(stream.split(b"\n"))]


def filtered(recording: Recording, reads: list[bytes]) -> bytes:
    """What a client gets that did not ask for usage."""
    usage_filter = UsageFilter(DIALECTS[recording.dialect])
    return b"".join(map(usage_filter.feed, reads)) + usage_filter.flush()


def without_usage_only(recording: Recording) -> bytes:
    """The stream less its usage-only events, by another way: cut at the empty lines it is known to have."""
    stream = recording.stream
    line_end = b"\r\n" if b"\r\n" in stream else b"\n" if b"\n" in stream else b"\r"
    dialect = DIALECTS[recording.dialect]
    empty_line = line_end * 2
    events = stream.split(empty_line)
    return empty_line.join([event for event in events if not dialect.is_usage_only(event.removeprefix(b"data: "))])


@every_stream
def test_reading_does_not_depend_on_reads(recording: Recording) -> None:
    """However a stream is cut into reads, the same is understood, and something is."""
    dialect = DIALECTS[recording.dialect]
    whole = StreamTap(dialect, recording.operation)
    whole.feed(recording.stream)
    assert whole.events > 0
    assert whole.reading().model or whole.reading().error
    for reads in cuttings(recording.stream):
        tap = StreamTap(dialect, recording.operation)
        for read in reads:
            tap.feed(read)
        assert (tap.events, tap.reading()) == (whole.events, whole.reading())


@every_stream
def test_client_gets_the_same_bytes(recording: Recording) -> None:
    """However a stream is cut into reads, the client gets its bytes in order, less the usage-only events."""
    expected = without_usage_only(recording)
    for reads in cuttings(recording.stream):
        assert filtered(recording, reads) == expected


@pytest.mark.parametrize("recording", WRITTEN, ids=lambda recording: recording.name)
def test_written_streams_are_understood(recording: Recording) -> None:
    """The streams that are always here have their usage found, and kept from a client that did not ask."""
    tap = StreamTap(DIALECTS[recording.dialect], recording.operation)
    tap.feed(recording.stream)
    reading = tap.reading()
    assert reading.usage is not None
    assert (reading.usage.input_tokens, reading.usage.output_tokens) == (3, 2)
    assert reading.is_complete
    assert b"prompt_tokens" not in filtered(recording, [recording.stream])
