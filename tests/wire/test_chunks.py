"""Plain chunks, wherever the reads cut them; all else is left to the full parser from its first byte."""

from itertools import pairwise

import h11
import pytest
from httptools import HttpParserError, HttpResponseParser
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.wire.chunks import ChunkError, ChunkReader, whole_chunks

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"

NOT_PLAIN = {
    "the last chunk": LAST,
    "a long last chunk": b"00000000\r\n\r\n",
    "the last chunk with a trailer": b"0\r\nX-Trailer: 1\r\n\r\n",
    "an extension": b"5;a=b\r\nhello\r\n",
    "an empty extension": b"5;\r\nhello\r\n",
    "a plus": b"+5\r\nhello\r\n",
    "a minus": b"-5\r\nhello\r\n",
    "an underscore": b"1_0\r\nhello\r\n",
    "a hexadecimal prefix": b"0x5\r\nhello\r\n",
    "a hexadecimal prefix in capitals": b"0X5\r\nhello\r\n",
    "an octal prefix": b"0o5\r\nhello\r\n",
    "a space in front": b" 5\r\nhello\r\n",
    "a space behind": b"5 \r\nhello\r\n",
    "a tab behind": b"5\t\r\nhello\r\n",
    "no digits": b"\r\nhello\r\n",
    "no hexadecimal digit": b"5g\r\nhello\r\n",
    "digits of another script": b"\xc2\xb2\r\nhello\r\n",
    "a bare line feed": b"5\nhello\r\n1\r\n!\r\n",
    "a bare carriage return": b"5\rhello\r\n1\r\n!\r\n",
    "more digits than any size has": b"000000005\r\nhello\r\n",
    "a huge size": b"ffffffffffffffff\r\nhello\r\n",
    "no line end at all": b"5555555555555555555",
}

bodies = st.binary(min_size=1, max_size=40)
not_plain = st.sampled_from(sorted(NOT_PLAIN.values()))


@st.composite
def chunks(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A plain chunk, its size spelt in any way that is still plain; and its body."""
    body = draw(bodies)
    size = b"%x" % len(body)
    if draw(st.booleans()):
        size = size.upper()
    return size.rjust(draw(st.integers(1, 8)), b"0") + b"\r\n" + body + b"\r\n", body


@st.composite
def cut(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The data in reads, none of them empty."""
    places = draw(st.sets(st.integers(1, max(1, len(data) - 1)), max_size=12)) if len(data) > 1 else set()
    return [data[start:end] for start, end in pairwise([0, *sorted(places), len(data)])]


class Parser:
    """The full parser, alone."""

    def __init__(self) -> None:
        self.body = b""
        self.is_complete = False
        self.is_broken = False
        self._parser = HttpResponseParser(self)
        self._parser.feed_data(HEAD)

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.is_complete = True

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            self.is_broken = True


class Both:
    """The reader in front of the full parser."""

    def __init__(self) -> None:
        self.parser = Parser()
        self.read = b""
        self.reader: ChunkReader | None = ChunkReader()
        self.has_error = False

    @property
    def body(self) -> bytes:
        return self.read + self.parser.body

    @property
    def is_broken(self) -> bool:
        return self.has_error or self.parser.is_broken

    @property
    def waits(self) -> bool:
        """Whether bytes are kept that may become a size."""
        return self.reader is not None and "missing=0" in repr(self.reader) and not self.reader.is_between

    def feed(self, data: bytes) -> None:
        if self.reader is not None:
            if self.reader.is_between and (body := whole_chunks(data)):
                self.read += body
                return
            try:
                body, data = self.reader.read(data)
            except ChunkError:
                self.has_error = True
                return
            self.read += body
            if not data:
                return
            self.reader = None
        self.parser.feed(data)


def feed(reader: ChunkReader, pieces: list[bytes]) -> None:
    """Let it read them all."""
    for piece in pieces:
        reader.read(piece)


def read_by_h11(data: bytes) -> bytes:
    """The body as a third parser reads it."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(HEAD + data)
    body = b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Data):
            body += event.data
    return body


@given(st.data(), st.lists(chunks(), min_size=1, max_size=8))
def test_plain_chunks_are_read_wherever_they_are_cut(data: st.DataObject, made: list[tuple[bytes, bytes]]) -> None:
    """The body is the one that two full parsers read; in the end the reader stands between two chunks."""
    stream = b"".join(chunk for chunk, _ in made)
    whole = b"".join(body for _, body in made)
    reader = ChunkReader()
    read = b""
    for piece in data.draw(cut(stream)):
        body, rest = reader.read(piece)
        assert rest == b""
        read += body
    assert read == whole == read_by_h11(stream + LAST)
    parser = Parser()
    parser.feed(stream + LAST)
    assert (parser.body, parser.is_complete) == (whole, True)
    assert reader.is_between


@given(st.data(), st.lists(chunks(), max_size=4), not_plain)
def test_what_is_not_plain_is_left_from_its_first_byte(
    data: st.DataObject, made: list[tuple[bytes, bytes]], tail: bytes
) -> None:
    """However it is cut: the body of the plain chunks, and then every byte of the rest, none of them lost."""
    pieces = data.draw(cut(b"".join(chunk for chunk, _ in made) + tail))
    reader = ChunkReader()
    read = left = b""
    while pieces and not left:
        body, left = reader.read(pieces.pop(0))
        read += body
    assert read == b"".join(body for _, body in made)
    assert left + b"".join(pieces) == tail


@pytest.mark.parametrize("tail", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_each_kind_of_unplain_line_is_left(tail: bytes) -> None:
    """At the beginning, behind a chunk, and byte by byte."""
    assert ChunkReader().read(tail) == (b"", tail)
    assert ChunkReader().read(b"2\r\nab\r\n" + tail) == (b"ab", tail)
    assert whole_chunks(tail) == b""
    reader = ChunkReader()
    fed, left = 0, b""
    while not left:
        body, left = reader.read(tail[fed : fed + 1])
        fed += 1
        assert body == b""
    assert left == tail[:fed]


@given(st.data(), st.lists(chunks(), max_size=4), st.lists(chunks(), max_size=2), not_plain)
def test_a_stream_that_was_tampered_with_is_read_as_by_the_full_parser(
    data: st.DataObject, first: list[tuple[bytes, bytes]], then: list[tuple[bytes, bytes]], tail: bytes
) -> None:
    """A byte more, less or other anywhere: the same body, the same end, and broken where the parser says so."""
    stream = b"".join(chunk for chunk, _ in first) + tail + b"".join(chunk for chunk, _ in then) + LAST
    at = data.draw(st.integers(0, len(stream) - 1))
    instead = data.draw(
        st.sampled_from([b"", b"0", b"1", b"f", b"\r", b"\n", b"\r\n", b";", b" ", b"_", b"x", b"\x00"])
    )
    stream = stream[:at] + instead + stream[at + data.draw(st.integers(0, 2)) :]
    both, alone = Both(), Parser()
    for piece in data.draw(cut(stream)) if stream else []:
        both.feed(piece)
        alone.feed(piece)
        if both.is_broken or alone.is_broken:
            break
    if both.has_error:
        # The parser gave out what came before the breach; the reader gives nothing of the read that broke.
        assert alone.is_broken
        assert alone.body.startswith(both.body)
    elif alone.is_broken and both.waits:
        # Fewer than ten bytes that are no size yet: they are kept until their line ends, or can end no more.
        both.feed(b"\n" * 10)
        assert (both.body, both.is_broken) == (alone.body, True)
    else:
        assert (both.body, both.is_broken, both.parser.is_complete) == (alone.body, alone.is_broken, alone.is_complete)


@pytest.mark.parametrize(
    "stream",
    [b"2\r\nabc\r\n", b"2\r\nab\n\r", b"2\r\nab\r\r", b"2\r\nabx\n", b"2\r\nab\n\n", b"2\r\nab2\r\nab", b"1\r\n\r\n\r"],
)
def test_a_chunk_longer_than_its_size_is_an_error(stream: bytes) -> None:
    """At whichever bytes the reads are cut."""
    cuts = [[stream[:place], stream[place:]] for place in range(1, len(stream))]
    for pieces in [*cuts, [stream[place : place + 1] for place in range(len(stream))]]:
        with pytest.raises(ChunkError, match="longer than its size"):
            feed(ChunkReader(), pieces)


@given(st.data(), st.lists(chunks(), min_size=1, max_size=6))
def test_a_read_of_whole_chunks_is_their_body(data: st.DataObject, made: list[tuple[bytes, bytes]]) -> None:
    """And nothing but whole chunks: with a byte more or less, or anything unplain in it, it is not."""
    stream = b"".join(chunk for chunk, _ in made)
    assert whole_chunks(stream) == b"".join(body for _, body in made)
    for at in range(1, len(stream)):
        reader = ChunkReader()
        reader.read(stream[:at])
        assert bool(whole_chunks(stream[:at])) is reader.is_between
    assert whole_chunks(stream + b"\n") == whole_chunks(b"\n" + stream) == whole_chunks(stream + b"\r\n") == b""
    assert whole_chunks(stream + data.draw(not_plain)) == b""
    assert whole_chunks(b"\r\n") == whole_chunks(b"") == b""


@given(st.data(), st.lists(chunks(), min_size=1, max_size=4))
def test_whole_chunks_are_those_of_the_reader(data: st.DataObject, made: list[tuple[bytes, bytes]]) -> None:
    """With a byte more, less or other anywhere: if they are whole, the reader gives the same body, and all of it."""
    stream = b"".join(chunk for chunk, _ in made)
    at = data.draw(st.integers(0, len(stream)))
    instead = data.draw(
        st.sampled_from([b"", b"0", b"1", b"2", b"f", b"\r", b"\n", b"\r\n", b";", b" ", b"_", b"x", b"-"])
    )
    stream = stream[:at] + instead + stream[at + data.draw(st.integers(0, 2)) :]
    reader = ChunkReader()
    try:
        body, rest = reader.read(stream)
    except ChunkError:
        body, rest = b"", b"?"
    assert whole_chunks(stream) == (body if not rest and reader.is_between else b"")


def test_a_large_chunk_is_read_in_pieces() -> None:
    """Its size has up to eight digits; nothing is kept back but the line end."""
    reader = ChunkReader()
    assert reader.read(b"00100000\r\n") == (b"", b"")
    for _ in range(16):
        assert reader.read(b"a" * 65_536) == (b"a" * 65_536, b"")
    places = [reader.is_between]
    for piece in (b"\r", b"\n"):
        assert reader.read(piece) == (b"", b"")
        places.append(reader.is_between)
    assert places == [False, False, True]


def test_the_representation_tells_what_is_missing() -> None:
    """Of a chunk, or of the line in front of it."""
    reader = ChunkReader()
    assert repr(reader) == "<ChunkReader missing=0 line=b''>"
    reader.read(b"3\r\na")
    assert repr(reader) == "<ChunkReader missing=4 line=b''>"
    reader.read(b"bc\r\n1")
    assert repr(reader) == "<ChunkReader missing=0 line=b'1'>"
    assert not reader.is_between


def test_sizes_are_remembered_up_to_a_bound() -> None:
    """More spellings than are remembered are still read."""
    for size in range(1, 5_000):
        body = b"a" * (size % 16 + 1)
        chunk = b"%08x\r\n" % size
        reader = ChunkReader()
        reader.read(chunk)
        assert repr(reader) == f"<ChunkReader missing={size + 2} line=b''>"
        assert whole_chunks(b"%07x\r\n%b\r\n" % (len(body), body)) == body
