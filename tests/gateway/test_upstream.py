"""A provider's connection, beyond what the flows show."""

import asyncio
import gzip
import shutil
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from httptools import HttpResponseParser
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.node import Node, a_chunk, a_request, a_stream_head, an_answer, parts


def test_the_repr_follows_the_connection(node: Node) -> None:
    """Busy, idle, closed."""
    node.client().says(a_request())
    connection = next(iter(node.services.providers.by_name["openai"].pool.all))
    assert "busy served=1" in repr(connection)
    node.provider.says(an_answer())
    assert "idle served=1 <AnswerHead 200" in repr(connection)
    node.provider.leaves()
    assert "closed" in repr(connection)


def test_an_idle_connection_that_the_provider_ends_is_forgotten(node: Node) -> None:
    """The next request opens another."""
    client = node.client().says(a_request())
    node.provider.says(an_answer())
    node.provider.ends()
    client.says(a_request())
    assert len(node.opener.peers) == 2


def test_an_idle_connection_that_is_being_ended_serves_nobody(node: Node) -> None:
    """A request may come in the turn in which its provider's end is read, before that of the connection is told."""
    node.client().says(a_request())
    first = node.provider.says(an_answer())
    first.hears()
    cast("asyncio.Protocol", first.transport.protocol).eof_received()
    first.transport.close()
    client = node.client()
    cast("asyncio.Protocol", client.transport.protocol).data_received(a_request("/v1/images/generations"))
    node.settle()
    assert first.hears() == b""
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200


def test_fields_named_by_the_providers_connection_stay_here(node: Node) -> None:
    """`Connection: x-internal` makes X-Internal hop-by-hop."""
    client = node.client().says(a_request())
    node.provider.says(an_answer(fields=("Connection: x-internal", "X-Internal: 1", "X-Other: 2")))
    _, fields, _ = parts(client.hears())
    assert "x-internal" not in fields
    assert fields["x-other"] == "2"


def test_an_answers_trailers_are_dropped(node: Node) -> None:
    """They never become a part of the body or the head."""
    client = node.client().says(a_request())
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    node.provider.says(head + a_chunk(b"{}") + b"0\r\nX-Trailer: 1\r\n\r\n")
    heard = client.hears()
    assert b"Trailer" not in heard
    assert parts(heard)[2] == b"{}"
    client.says(a_request())
    assert len(node.opener.peers) == 1


def test_a_compressed_answer_passes_untouched_and_is_read(node: Node) -> None:
    """Its encoding is named to the client, and its usage found."""
    body = gzip.compress(b'{"usage":{"prompt_tokens":2,"completion_tokens":3}}', mtime=0)
    client = node.client().says(a_request(fields=("Accept-Encoding: gzip, br",)))
    assert b"Accept-Encoding: gzip, deflate\r\n" in node.provider.hears()
    node.provider.says(an_answer(body, fields=("Content-Encoding: gzip",)))
    _, fields, rest = parts(client.hears())
    assert (fields["content-encoding"], rest) == ("gzip", body)
    assert node.events()[0].metadata.total_tokens == 5


def test_huge_chunk_framing_is_refused(node: Node) -> None:
    """Extensions beyond any use break the answer."""
    client = node.client().says(a_request())
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    node.provider.says(head + b"1;" + b"a" * 100_000)
    node.provider.says(b"a" * 100_000)
    assert not node.provider.is_connected
    assert parts(client.hears())[0] in (200, 502)


JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

OURS = (b"Content-Length", b"Transfer-Encoding", b"x-request-id", b"request-id")
"""Fields that the gateway writes itself."""


class Told:
    """What a client was told of one answer, in whatever pieces: status, body, whether whole, whether it may go on."""

    def __init__(self, head: bytes, pieces: list[bytes]) -> None:
        node = Node(Path(tempfile.mkdtemp()))
        try:
            client = node.client().says(a_request())
            # The full parser reads the whole answer where its head comes in two reads.
            for piece in [head, *pieces]:
                if node.provider.is_connected:
                    node.provider.says(piece)
            if node.provider.is_connected and not self.parse(bytes(client.transport.sent)):
                node.provider.ends()
            self.is_whole = self.parse(client.hears())
            self.is_client_connected = client.is_connected
            self.is_provider_connected = node.provider.is_connected
        finally:
            node.close()
            shutil.rmtree(node.directory)

    def parse(self, heard: bytes) -> bool:
        self.body, self.is_over, self.status = b"", False, 0
        self.fields: list[str] = []
        parser = HttpResponseParser(self)
        parser.feed_data(heard)
        if heard:
            self.status = parser.get_status_code()
        return self.is_over

    def on_header(self, name: bytes, value: bytes) -> None:
        if name not in OURS and not name.startswith(b"x-gateway-"):
            self.fields.append(name.decode())

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.is_over = True

    @property
    def end(self) -> tuple[int, bool, bool, bool]:
        return self.status, self.is_whole, self.is_client_connected, self.is_provider_connected


def in_two(head: bytes) -> list[bytes]:
    """A head in two reads, so that the chunks behind it are read by the full parser alone."""
    return [head[:30], head[30:]]


INSTEAD = (b"", b"0", b"2", b"f", b"\r", b"\n", b"\r\n", b";a", b" ", b"_", b"x", b"\x00", b"00000000")


@settings(max_examples=80)
@given(data=st.data(), bodies=st.lists(st.binary(min_size=1, max_size=20), max_size=6), is_sound=st.booleans())
def test_chunks_are_read_as_by_the_full_parser(data: st.DataObject, bodies: list[bytes], *, is_sound: bool) -> None:
    """Whole or tampered with, cut anywhere: the same answer, the same end, the same refusal."""
    stream = b"".join(map(a_chunk, bodies)) + b"0\r\n\r\n"
    if not is_sound:
        at = data.draw(st.integers(0, len(stream)))
        stream = stream[:at] + data.draw(st.sampled_from(INSTEAD)) + stream[at + data.draw(st.integers(0, 2)) :]
    places = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=6)))
    pieces = [piece for start, end in pairwise([0, *places, len(stream)]) if (piece := stream[start:end])]
    first, second = in_two(JSON_HEAD)
    ours, parsers = Told(JSON_HEAD, pieces), Told(first, [second, *pieces])
    assert ours.end == parsers.end
    assert ours.body == parsers.body
    if is_sound:
        assert ours.body == b"".join(bodies)
        assert ours.end == (200, True, True, True)


@pytest.mark.parametrize("behind", [b"", a_chunk(b'{"a":'), a_chunk(b'{"a":')[:-1], a_chunk(b'{"a":')[:4], b"5;x\r\n{"])
def test_chunks_may_begin_in_the_read_of_the_head(behind: bytes) -> None:
    """Whole, in pieces, plain or not: the rest is read behind them."""
    stream = a_chunk(b'{"a":').replace(b"5", b"5;x" if b";" in behind else b"5") + a_chunk(b"1}") + b"0\r\n\r\n"
    assert stream.startswith(behind)
    told = Told(JSON_HEAD + behind, [stream[len(behind) :]])
    assert (told.body, told.end) == (b'{"a":1}', (200, True, True, True))


def test_a_breach_in_the_read_of_the_head_is_refused() -> None:
    """The chunk that broke came with the head."""
    told = Told(JSON_HEAD + b"2\r\nabc\r\n", [b"0\r\n\r\n"])
    assert not told.is_whole
    assert (told.is_client_connected, told.is_provider_connected) == (False, False)


def test_a_chunk_longer_than_its_size_breaks_a_stream(node: Node) -> None:
    """The client keeps what came before, and is told in an event of its stream."""
    client = node.client().says(a_request(body=b'{"model":"gpt-4o-mini","stream":true,"messages":[]}'))
    node.provider.says(a_stream_head())
    node.provider.says(a_chunk(b'data: {"choices":[]}\n\n'))
    node.provider.says(b"5\r\ndata: \r\n")
    heard = client.hears()
    assert b'data: {"choices":[]}\n\n' in heard
    assert b"longer than its size" in heard
    assert heard.endswith(b"0\r\n\r\n")
    assert not node.provider.is_connected


@pytest.mark.parametrize(
    "answer",
    [
        an_answer(),
        JSON_HEAD + a_chunk(b'{"ok"') + a_chunk(b":true}") + b"0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + an_answer(),
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 7\r\n\r\n" + an_answer(),
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + JSON_HEAD + a_chunk(b'{"ok":true}') + b"0\r\n\r\n",
    ],
    ids=["sized", "chunked", "behind 100", "behind 103", "chunked behind three"],
)
def test_an_answer_cut_in_two_at_every_byte(answer: bytes) -> None:
    """It is the same answer, and the connection stays; what was said before it in 1xx heads is passed over."""
    for at in range(1, len(answer)):
        told = Told(answer[:at], [answer[at:]])
        assert (told.body, told.end) == (b'{"ok":true}', (200, True, True, True))
        assert told.fields == ["Content-Type"]


def test_an_answer_byte_by_byte(node: Node) -> None:
    """Head, chunks and their end."""
    client = node.client().says(a_request())
    for byte in b"HTTP/1.1 100 Continue\r\n\r\n" + JSON_HEAD + a_chunk(b"ab") + b"0\r\nA: b\r\n\r\n":
        node.provider.says(bytes([byte]))
    assert parts(client.hears())[2] == b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
    client.says(a_request())
    assert len(node.opener.peers) == 1


LENGTH = b"Content-Length: 2\r\n"
REFUSED = {
    "empty lines in front": b"\r\n\r\nHTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n{}",
    "an empty line in front": b"\r\nHTTP/1.1 200 a: b\r\n" + LENGTH + b"\r\n{}",
    "an empty line behind 100": b"HTTP/1.1 100 Continue\r\n\r\n\r\n" + an_answer(b"{}"),
    "a folded line": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n" + LENGTH + b"\r\n{}",
    "a bare line feed": b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n" + LENGTH + b"\r\n{}",
    "too many fields": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 256 + LENGTH + b"\r\n{}",
    "two codings": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding twice": b"HTTP/1.1 200 OK\r\n" + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "length and chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + LENGTH + b"\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\n" + LENGTH * 2 + b"\r\n{}",
    "an empty length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
    "a switch of protocols": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n",
    "a switch to nothing": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "a switch that no hop is told of": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
}


@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED)
def test_a_head_that_cannot_be_used_is_refused(node: Node, answer: bytes) -> None:
    """In one read or in two: nothing of it reaches the client, and the connection is not used again."""
    for at in (len(answer), 3, len(answer) - 1):
        client = node.client().says(a_request())
        node.provider.says(answer[:at])
        if node.provider.is_connected:
            node.provider.says(answer[at:])
        assert not node.provider.is_connected
        heard = client.hears()
        assert parts(heard)[0] == 502
        assert heard.count(b"HTTP/1.1 ") == 1
        assert b"A: b" not in heard


def test_an_answer_that_its_end_delimits_may_have_been_cut(node: Node) -> None:
    """Where the transport says so, it is not whole; an answer with a length has no need to ask."""
    for is_truncated in (False, True):
        client = node.client().says(a_request())
        cast("Any", node.provider.transport)._extra["truncated"] = is_truncated
        node.provider.says(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}")
        node.provider.ends()
        assert client.hears().endswith(b"0\r\n\r\n") is not is_truncated
        assert client.is_connected is not is_truncated
    client = node.client().says(a_request())
    cast("Any", node.provider.transport)._extra["truncated"] = True
    node.provider.says(an_answer())
    node.provider.ends()
    assert parts(client.hears())[0] == 200
    assert client.is_connected
