"""Raw bytes a client may send, and what it gets: strict HTTP, refused and never repaired."""

import tempfile
from pathlib import Path

import h11
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.node import TOKEN, Node, a_chunk, a_request, an_answer, parts

HOST = b"GET /healthz HTTP/1.1\r\nHost: g\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"
CHUNKED = POST + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    "obs-fold": (HOST + b"A: b\r\n c\r\n\r\n", 400),
    "bare LF behind the request line": (b"GET /healthz HTTP/1.1\nHost: g\n\n", 400),
    "bare LF behind a field": (HOST + b"A: b\nC: d\r\n\r\n", 400),
    "bare CR in a field": (HOST + b"A: b\rc\r\n\r\n", 400),
    "control character in a value": (HOST + b"A: b\x01c\r\n\r\n", 400),
    "NUL in a value": (HOST + b"A: b\x00c\r\n\r\n", 400),
    "NUL in the target": (b"GET /heal\x00thz HTTP/1.1\r\nHost: g\r\n\r\n", 400),
    "not ASCII in a name": (HOST + b"A\xff: b\r\n\r\n", 400),
    "not ASCII in the target": (b"GET /\xff HTTP/1.1\r\nHost: g\r\n\r\n", 400),
    "space before the colon": (HOST + b"A : b\r\n\r\n", 400),
    "duplicate Content-Length": (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    "differing Content-Length": (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    "Content-Length list": (POST + b"Content-Length: 2, 2\r\n\r\n{}", 400),
    "signed Content-Length": (POST + b"Content-Length: +2\r\n\r\n{}", 400),
    "length with chunks": (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks with length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", 400),
    "two codings": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    "coding twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "unknown coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "chunked not last": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    "chunk size not hexadecimal": (CHUNKED + b"g\r\n\r\n", 400),
    "chunk size with a space": (CHUNKED + b"2 \r\n{}\r\n0\r\n\r\n", 400),
    "chunk without its end": (CHUNKED + b"2\r\n{}xx\r\n0\r\n\r\n", 400),
    "huge chunk extension": (CHUNKED + b"2;" + b"a" * 40_000 + b"\r\n{}\r\n0", 400),
    "no Host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (HOST + b"Host: g\r\n\r\n", 400),
    "empty Host": (b"GET /healthz HTTP/1.1\r\nHost: \r\n\r\n", 400),
    "Host with userinfo": (b"GET /healthz HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    "Host with a path": (b"GET /healthz HTTP/1.1\r\nHost: a/v1\r\n\r\n", 400),
    "Host with a query": (b"GET /healthz HTTP/1.1\r\nHost: a?b\r\n\r\n", 400),
    "Host list": (b"GET /healthz HTTP/1.1\r\nHost: a,b\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", 400),
    "HTTP/0.9 with fields": (b"GET /healthz HTTP/0.9\r\nHost: g\r\n\r\n", 400),
    "HTTP/2.0": (b"GET /healthz HTTP/2.0\r\nHost: g\r\n\r\n", 400),
    "HTTP/1.2": (b"GET /healthz HTTP/1.2\r\nHost: g\r\n\r\n", 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "CONNECT": (b"CONNECT g:443 HTTP/1.1\r\nHost: g:443\r\n\r\n", 400),
    "TRACE": (b"TRACE /healthz HTTP/1.1\r\nHost: g\r\n\r\n", 400),
    "unknown method": (b"BREW /healthz HTTP/1.1\r\nHost: g\r\n\r\n", 400),
    "TLS to a plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400),
    "dot segments": (b"GET /v1/../admin HTTP/1.1\r\nHost: g\r\n\r\n", 400),
    "encoded dot segments": (b"GET /v1/%2e%2e/admin HTTP/1.1\r\nHost: g\r\n\r\n", 400),
    "encoded twice": (b"GET /v1/%252e%252e/admin HTTP/1.1\r\nHost: g\r\n\r\n", 400),
    "absolute form with userinfo": (b"GET http://u@h/healthz HTTP/1.1\r\nHost: g\r\n\r\n", 400),
    "chunks over HTTP/1.0": (b"POST /v1/x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "long target": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: g\r\n\r\n", 414),
    "long target without an end": (b"GET /" + b"a" * 20_000, 414),
    "1 MB bearer": (HOST + b"Authorization: Bearer " + b"a" * 1_000_000 + b"\r\n\r\n", 431),
    "many fields": (HOST + b"".join(b"A%d: b\r\n" % number for number in range(200)) + b"\r\n", 431),
    "head without an end": (HOST + b"A: " + b"b" * 200_000, 431),
}


SAID = {f"x-gateway-{name}" for name in ("model", "provider", "attempts", "cache", "overhead-us", "error-source")}
"""What every error of ours says of itself."""


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_breaks_a_rule_is_refused_and_the_connection_ends(node: Node, name: str) -> None:
    """The status of the table, `Connection: close`, nothing sent to a provider, nothing read any more."""
    raw, status = REFUSED[name]
    client = node.client()
    for at in range(0, len(raw), 65_536):
        client.says(raw[at : at + 65_536])
    answer = client.hears()
    answered, fields, body = parts(answer)
    assert answered == status
    assert fields["connection"] == "close"
    assert fields["x-request-id"] == fields["request-id"]
    assert fields.keys() >= SAID
    assert int(fields["content-length"]) == len(body)
    assert client.transport.is_half_closed or not client.is_connected
    assert node.opener.peers == []
    client.says(HOST + b"\r\n")
    assert client.hears() == b""


@pytest.mark.parametrize("name", REFUSED)
def test_the_same_bytes_one_by_one_get_the_same_answer(node: Node, name: str) -> None:
    """How a request is cut into reads changes nothing."""
    raw, status = REFUSED[name]
    client = node.client()
    size = 1 if len(raw) < 2_000 else 1_000
    for at in range(0, len(raw), size):
        client.says(raw[at : at + size])
    assert parts(client.hears())[0] == status


SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n"


@pytest.mark.parametrize(
    "first",
    [
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: \x0bchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 0\r\nContent-Length: 41\r\n\r\n",
        POST + b"Content-Length:\r\n 41\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n0;\n\r\n\r\n",
    ],
)
def test_no_second_request_is_smuggled_behind_an_ambiguous_one(node: Node, first: bytes) -> None:
    """What follows a request of doubtful length is never taken for a request."""
    client = node.client().says(first + SMUGGLED)
    heard = client.hears()
    assert heard.startswith(b"HTTP/1.1 400")
    assert heard.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("pieces", [1, 2, 200])
def test_the_body_behind_an_offer_to_upgrade_is_its_body(node: Node, *, is_chunked: bool, pieces: int) -> None:
    """It is neither lost nor a request of its own, as llhttp would have it; the JDK's HTTP client sends such offers."""
    inner = a_request("/healthz", b"", method="GET", token=None).decode()
    body = msgspec.json.encode({"model": "m", "messages": [inner]})
    framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % len(body)
    head = a_request(body=b"", fields=("Content-Type: application/json", "Connection: Upgrade", "Upgrade: h2c"))
    raw = head[:-2] + framing + b"\r\n\r\n" + (a_chunk(body) + b"0\r\n\r\n" if is_chunked else body)
    client = node.client()
    size = -(-len(raw) // pieces)
    for at in range(0, len(raw), size):
        client.says(raw[at : at + size])
    heard = node.provider.hears()
    assert heard.endswith(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    assert b"h2c" not in heard
    node.provider.says(an_answer())
    assert client.hears().count(b"HTTP/1.1 ") == 1
    client.says(a_request())
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200


def test_requests_behind_an_offer_to_upgrade_with_a_body_are_read(node: Node) -> None:
    """The body ends where its framing says, and the next request begins."""
    client = node.client().says(
        a_request(fields=("Connection: Upgrade", "Upgrade: h2c"))
        + a_request(token=None, fields=("Connection: Upgrade", "Upgrade: h2c"))
        + a_request("/healthz", b"", method="GET", token=None)
    )
    node.provider.says(an_answer())
    statuses = [int(line[:3]) for line in client.hears().split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 401, 200]


def test_a_websocket_request_with_a_body_is_refused(node: Node) -> None:
    """Nobody could tell its body from the tunnel's first bytes."""
    fields = ("Connection: Upgrade", "Upgrade: websocket")
    client = node.client().says(a_request("/v1/realtime?model=m", fields=fields))
    assert parts(client.hears())[0] == 400
    assert not client.is_connected
    assert not node.opener.peers


def test_a_client_of_http_1_0_is_not_told_to_continue(node: Node) -> None:
    """It knows no informational answers (RFC 9110 section 10.1.1)."""
    client = node.client().says(a_request(version="1.0", fields=("Expect: 100-continue",))[:-5])
    assert client.hears() == b""
    client.says(a_request()[-5:])
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200


def test_trailers_are_dropped(node: Node) -> None:
    """A trailer never becomes a header of the request sent on."""
    client = node.client().says(CHUNKED + b"2\r\n{}\r\n0\r\nAuthorization: Bearer evil\r\nX-Trailer: 1\r\n\r\n")
    sent = node.provider.hears()
    assert b"Trailer" not in sent
    assert b"evil" not in sent
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200


def test_small_chunk_extensions_are_tolerated_and_dropped(node: Node) -> None:
    """An extension within the bound is legal; it does not travel."""
    node.client().says(CHUNKED + b"2;name=value\r\n{}\r\n0\r\n\r\n")
    assert node.provider.hears().endswith(b"Content-Length: 2\r\n\r\n{}")


def test_fields_named_by_connection_do_not_travel(node: Node) -> None:
    """`Connection: x-secret` makes X-Secret hop-by-hop."""
    node.client().says(a_request(fields=("Connection: X-Secret", "X-Secret: 1", "X-Other: 2")))
    sent = node.provider.hears()
    assert b"X-Secret" not in sent
    assert b"X-Other: 2" in sent


def test_a_credential_that_is_not_text_is_just_unknown(node: Node) -> None:
    """Bytes beyond ASCII in a credential are compared as bytes."""
    client = node.client().says(b"GET /v1/files HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer \xff\xfe'--\r\n\r\n")
    assert parts(client.hears())[0] == 401


def test_a_model_name_cannot_split_the_answers_head(node: Node) -> None:
    """A line break in a model's name does not reach a header."""
    client = node.client().says(a_request(body=b'{"model":"a\\r\\nX-Evil: 1"}'))
    node.provider.says(an_answer())
    assert parts(client.hears())[1]["x-gateway-model"] == "a??X-Evil: 1"


def test_host_and_body_never_steer_the_upstream(node: Node) -> None:
    """Host, absolute form, and `api_base` in the body change nothing about where a request goes."""
    body = b'{"model":"m","api_base":"http://evil","base_url":"http://evil","api_key":"x"}'
    raw = a_request("http://evil.test/v1/chat/completions", body).replace(b"Host: gateway.test", b"Host: evil.test")
    node.client().says(raw)
    sent = node.provider.hears()
    assert sent.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nHost: openai.test\r\n")
    assert b"evil.test" not in sent


def test_a_flood_of_pipelined_requests_ends_the_connection(node: Node) -> None:
    """A few may wait; more are not read, and those that wait behind the flood are not begun."""
    client = node.client().says(a_request() + a_request("/healthz", b"", method="GET") * 40)
    assert client.hears() == b""
    node.provider.says(an_answer())
    assert client.hears().startswith(b"HTTP/1.1 200 OK")
    assert client.transport.is_half_closed


METHODS = st.sampled_from([b"GET", b"POST", b"PUT", b"get", b"G T"])
LINES = st.lists(
    st.sampled_from(
        [
            b"Host: g",
            b"Host: h",
            b"Content-Length: 3",
            b"Content-Length: 03",
            b"content-length: x",
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: Chunked",
            b"Connection: close",
            b"A: b",
            b"A:b ",
            b"A\t: b",
            b" A: b",
            b": b",
            b"A",
        ]
    ),
    max_size=4,
)
BODIES = st.sampled_from(
    [b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"3\r\nabc\r\n0\r\nT: v\r\n\r\n", b"0\r\n\r\n", b"3;x\r\nabc\r\n"]
)


@settings(max_examples=400)
@given(METHODS, LINES, BODIES, st.integers(1, 9))
def test_what_is_accepted_means_the_same_to_a_reference_parser(
    method: bytes, lines: list[bytes], body: bytes, size: int
) -> None:
    """Whatever we forward, h11 reads as one request with the same body; what we find complete, it does not refuse."""
    raw = method + b" /v1/files HTTP/1.1\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"
    raw += b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body
    with tempfile.TemporaryDirectory() as directory:
        node = Node(Path(directory))
        try:
            client = node.client()
            for at in range(0, len(raw), size):
                client.says(raw[at : at + size])
            sent = node.opener.peers[0].hears() if node.opener.peers else b""
        finally:
            node.close()
    if not sent:
        return
    expected, is_whole = _read_by_reference(raw)
    forwarded, is_forwarded_whole = _read_by_reference(sent)
    assert forwarded == expected[: len(forwarded)]
    assert is_forwarded_whole <= is_whole
    if is_whole:
        assert forwarded == expected


def _read_by_reference(raw: bytes) -> tuple[bytes, bool]:
    """The first request's body as h11 reads it, and whether it is whole. Raises where h11 refuses the request."""
    reference = h11.Connection(h11.SERVER)
    reference.receive_data(raw)
    body = b""
    while True:
        event = reference.next_event()
        if isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return body, True
        elif not isinstance(event, h11.Request):
            return body, False
