"""What watches a side copy of an answer, at the least cost while it passes: understanding waits until it is asked for.

Rule 1. `feed` takes a reference and adds a length; decoding and decompressing happen later, and in large portions.
Rule 2. What a tap holds is bounded, and so is what compressed bytes may become.
Rule 3. A tap never changes the answer. Only `UsageFilter` does, and only where we asked for more than the client did.
"""

import zlib
from functools import lru_cache
from json import JSONDecodeError, JSONDecoder

from sluicegate.dialects.base import Dialect
from sluicegate.domain.usage import Reading
from sluicegate.wire import sse

HELD_BYTES = 8 * 1024 * 1024
"""Of a JSON answer. Longer ones are embeddings or images; of these only the end, where the usage is, is kept."""

TAIL_BYTES = 64 * 1024

PENDING_BYTES = 8 * 1024
"""Of a stream, before it is read on: some 30 events at once cost half of what they cost one by one."""

_GROWTH = 4
"""How many times HELD_BYTES a compressed answer may become, before it is taken for an attack and left unread."""

_ENCODINGS = frozenset({b"gzip", b"x-gzip", b"deflate"})
"""Content codings that the standard library undoes (RFC 9110 section 8.4.1)."""

_USAGE_KEYS = (b'"usage"', b'"usageMetadata"')

_json = JSONDecoder()


class JsonTap:
    """Watches a JSON answer."""

    __slots__ = ("_dialect", "_encoding", "_is_whole", "_limit", "_operation", "_parts", "_size", "_trim_above")

    def __init__(self, dialect: Dialect, operation: str, encoding: bytes = b"", limit: int = HELD_BYTES) -> None:
        """`encoding` is the answer's content coding in lower case, empty for none; `limit` is in bytes."""
        self._dialect = dialect
        self._operation = operation
        self._encoding = encoding
        self._limit = limit
        self._trim_above = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._is_whole = True

    def __repr__(self) -> str:
        """Tell how much is held."""
        return f"<JsonTap {self._operation} held={self._size} whole={self._is_whole}>"

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the answer, as they came from the provider."""
        self._parts.append(data)
        self._size += len(data)
        if self._size > self._trim_above:
            self._drop_head()

    def reading(self) -> Reading:
        """What the answer says of itself; callable at any time."""
        body = self.body()
        if not body and not self._is_whole and not self._encoding:
            body = _usage_in(b"".join(self._parts))
        return self._dialect.read_answer(self._operation, body) if body else Reading()

    def body(self) -> bytes:
        """The answer, decompressed; empty where it was too long to be held whole, or cannot be decompressed."""
        if not self._is_whole:
            return b""
        held = b"".join(self._parts)
        if not self._encoding:
            return held
        return _decompressed(held, _GROWTH * self._limit)

    def beginning(self, most: int) -> bytes:
        """Up to so many bytes of the answer, decompressed; empty where its beginning is not held any more."""
        if not self._is_whole:
            return b""
        held = b"".join(self._parts) if self._encoding else beginning_of(self._parts, most)
        return _decompressed_beginning(held, most) if self._encoding else held

    def _drop_head(self) -> None:
        """Keep the end only. The end of compressed bytes says nothing, so of these nothing is kept."""
        tail = b"" if self._encoding else b"".join(self._parts)[-TAIL_BYTES:]
        self._parts = [tail]
        self._size = len(tail)
        self._is_whole = False
        # Not at each of the following reads: joining costs as much as the tail is long.
        self._trim_above = 2 * TAIL_BYTES


def beginning_of(parts: list[bytes], most: int) -> bytes:
    """The first bytes of these, without joining what is behind them."""
    found: list[bytes] = []
    for part in parts:
        found.append(part[:most])
        most -= len(found[-1])
        if most <= 0:
            break
    return b"".join(found)


def _decompressed_beginning(data: bytes, most: int) -> bytes:
    """The first bytes of what `data` decompresses to; empty where it does not."""
    try:
        return zlib.decompressobj(_window(data)).decompress(data, most)
    except zlib.error:
        return b""


def _usage_in(tail: bytes) -> bytes:
    """A JSON object of the last usage in the end of a JSON answer; empty where there is none.

    A key cannot be taken for text: inside a JSON string its quotes would be escaped.
    """
    for key in _USAGE_KEYS:
        before, found, after = tail.rpartition(key)
        value = after.lstrip().removeprefix(b":").lstrip()
        if found and value.startswith(b"{") and not before.endswith(b"\\"):
            try:
                _, end = _json.raw_decode(text := value.decode("utf-8", "replace"))
            except (JSONDecodeError, RecursionError):
                continue
            return b"{%b:%b}" % (key, text[:end].encode())
    return b""


def _window(data: bytes) -> int:
    """What zlib must expect: 47 finds out between gzip and zlib, -15 is for the raw deflate that some servers send."""
    is_gzip = data.startswith(b"\x1f\x8b")
    is_zlib = len(data) > 1 and data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
    return 47 if is_gzip or is_zlib else -15


def _decompressed(data: bytes, most: int) -> bytes:
    """`data` without its gzip or deflate coding; empty where it is neither, or `most` bytes long or longer."""
    inflate = zlib.decompressobj(_window(data))
    try:
        body = inflate.decompress(data, most)
    except zlib.error:
        return b""
    # zlib may have taken in all of `data` and still hold back output.
    return body if len(body) < most else b""


class StreamTap:
    """Watches a stream of server-sent events."""

    __slots__ = ("_cutter", "_events", "_operation", "_parts", "_pending", "_reader")

    def __init__(self, dialect: Dialect, operation: str) -> None:
        """Start before the first byte of the stream."""
        self._operation = operation
        self._reader = dialect.stream_reader(operation)
        self._cutter = sse.EventCutter()
        self._parts: list[bytes] = []
        self._pending = 0
        self._events = 0

    def __repr__(self) -> str:
        """Tell how far the stream was understood."""
        return f"<StreamTap {self._operation} events={self._events} pending={self._pending}>"

    @property
    def events(self) -> int:
        """How many events went by, unfinished ones not counted."""
        self._digest()
        return self._events

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._parts.append(data)
        self._pending += len(data)
        if self._pending > PENDING_BYTES:
            self._digest()

    def reading(self) -> Reading:
        """What the stream has said of itself, once it has ended.

        An event that lacks nothing but its blank line is taken too, as the SDKs do; half of one is passed over.
        """
        self._digest()
        self._reader.feed(sse.payloads(self._cutter.take_rest()))
        return self._reader.reading()

    def body(self) -> bytes:
        """Always empty: a stream's text is in its reading."""
        return b""

    def beginning(self, most: int) -> bytes:
        """Up to so many bytes of the text that the events brought."""
        self._digest()
        return self._reader.text[:most].encode("utf-8", "replace")[:most]

    def _digest(self) -> None:
        if not self._parts:
            return
        payloads = sse.payloads(self._cutter.cut(b"".join(self._parts)))
        self._parts.clear()
        self._pending = 0
        if self._cutter.held > sse.LARGEST_EVENT:
            self._cutter.take_rest()
        if payloads:
            self._events += len(payloads)
            self._reader.feed(payloads)


class NullTap:
    """Watches nothing: for answers that say nothing of themselves in a form we read."""

    __slots__ = ()

    events = 0

    def __repr__(self) -> str:
        """Tell that this is all there is."""
        return "<NullTap>"

    def feed(self, data: bytes) -> None:
        """Let the bytes pass."""

    def reading(self) -> Reading:
        """Nothing was understood."""
        return Reading()

    def body(self) -> bytes:
        """Nothing was held."""
        return b""

    def beginning(self, most: int) -> bytes:
        """Nothing was held."""
        del most
        return b""


class UsageFilter:
    """Keeps from a client the usage-only event that it did not ask for, and changes nothing else.

    Events are held until they are complete, since only then it is known which they are.
    """

    __slots__ = ("_dialect", "_whole")

    def __init__(self, dialect: Dialect) -> None:
        """Start before the first byte of the stream."""
        self._dialect = dialect
        self._whole = sse.EventCutter()

    def __repr__(self) -> str:
        """Tell how much waits for its rest."""
        return f"<UsageFilter of {self._whole!r}>"

    def lets_through(self, data: bytes) -> bool:
        """Whether `data` is nothing but whole events that go to the client as they are: then they need not be fed."""
        return (
            not self._whole.held
            and data.endswith(b"\n\n")
            and (b'"usage"' not in data or data.count(b'"usage"') == data.count(b'"usage":null'))
        )

    def feed(self, data: bytes) -> bytes:
        """What of the stream may go to the client now; perhaps no bytes."""
        block = self._whole.cut(data)
        if self._whole.held > sse.LARGEST_EVENT:
            # No usage is so long: better let through unchecked than held without bound.
            block += self._whole.take_rest()
        return self._kept(block)

    def flush(self) -> bytes:
        """What is left at the stream's end: an event without its end."""
        rest = self._whole.take_rest()
        return b"" if self._is_usage_only(rest) else rest

    def _kept(self, block: bytes) -> bytes:
        """A block of complete events without those that are only usage."""
        # Asked for usage, providers put `"usage":null` into every other event: only a usage that says something
        # is worth a closer look. In a text the quotes would be escaped.
        mentions = block.count(b'"usage"')
        if not mentions or mentions == (block.count(b'"usage":null') or block.count(b'"usage": null')):
            return block
        return b"".join([event for event in sse.split(block) if not self._is_usage_only(event)])

    def _is_usage_only(self, event: bytes) -> bool:
        return any(map(self._dialect.is_usage_only, sse.payloads(event)))


Tap = JsonTap | StreamTap | NullTap


def tap_for(dialect: Dialect, operation: str, content_type: bytes, content_encoding: bytes) -> Tap:
    """The tap that understands an answer with these header values, in whatever case they are spelled."""
    media_type, encoding = _kind_of(content_type, content_encoding)
    if media_type == b"application/json" and (not encoding or encoding in _ENCODINGS):
        return JsonTap(dialect, operation, encoding)
    if media_type == b"text/event-stream" and not encoding:
        return StreamTap(dialect, operation)
    return NullTap()


@lru_cache(maxsize=256)
def _kind_of(content_type: bytes, content_encoding: bytes) -> tuple[bytes, bytes]:
    """Media type and content coding, in lower case; no coding where it is `identity`."""
    media_type = content_type.partition(b";")[0].strip().lower()
    encoding = content_encoding.strip().lower()
    return media_type, b"" if encoding == b"identity" else encoding
