"""The head of an answer, sorted; checked against the full parser's callbacks."""

import pytest
from httptools import HttpParserError, HttpResponseParser
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.wire.answers import LARGEST_HEADER_COUNT, AnswerHead
from sluicegate.wire.headers import answer_kinds, control_answer_kinds

KINDS = answer_kinds()
TOKEN = "abcXYZ019!#$%&'*+-.^_`|~"


def a_head(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK") -> AnswerHead:
    """The head of these field lines."""
    return AnswerHead(200, b"\r\n".join([status, *lines]), KINDS)


def test_what_means_something_is_noted_and_the_rest_travels() -> None:
    """Each field once; values lose the space around them, lines that travel stay as they are."""
    head = a_head(
        b"Content-Type:  text/event-stream; charset=utf-8 \t",
        b"content-length: \t12",
        b"Content-Encoding: gzip",
        b"Cache-Control:no-store",
        b"X-Request-Id: req_1",
        b"Connection: keep-alive, X-Hop",
        b"x-hop: 1",
        b"Upgrade: websocket",
        b"Set-Cookie: a=b",
        b"x-gateway-model: forged",
        b"OpenAI-Version:  2020 ",
        b"empty:",
    )
    assert head.content_type == b"text/event-stream; charset=utf-8"
    assert head.content_length == 12
    assert head.content_encoding == b"gzip"
    assert head.cache_control == b"no-store"
    assert head.request_id == b"req_1"
    assert head.options == {b"keep-alive", b"x-hop"}
    assert head.upgrade == b"websocket"
    assert head.lines == [b"Content-Encoding: gzip", b"OpenAI-Version:  2020 ", b"empty:"]
    assert (head.is_chunked, head.fault) == (False, "")
    assert repr(head) == "<AnswerHead 200 length=12 fields=3>"


def test_a_head_without_fields_says_nothing() -> None:
    """No length, no chunks, no type."""
    head = a_head()
    assert (head.content_length, head.is_chunked, head.content_type, head.lines, head.fault) == (-1, False, b"", [], "")


def test_plain_options_name_no_field() -> None:
    """`Connection: close` takes nothing away."""
    head = a_head(b"Connection: Close", b"Connection: Upgrade", b"close: 1")
    assert head.options == {b"close", b"upgrade"}
    assert head.lines == [b"close: 1"]


def test_a_field_of_the_control_process_travels() -> None:
    """Its cookies and caching rules do, as its kinds say."""
    raw = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nCache-Control: no-store"
    head = AnswerHead(200, raw, control_answer_kinds())
    assert head.lines == [b"Set-Cookie: a=b", b"Cache-Control: no-store"]


@pytest.mark.parametrize("spelling", [b"chunked", b"Chunked", b"CHUNKED \t"])
def test_chunks(spelling: bytes) -> None:
    """The only coding there is, in any spelling."""
    head = a_head(b"Transfer-Encoding: " + spelling)
    assert (head.is_chunked, head.fault) == (True, "")
    assert repr(head) == "<AnswerHead 200 chunked fields=0>"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"], "single 'chunked'"),
        ([b"Transfer-Encoding: chunked, chunked"], "single 'chunked'"),
        ([b"Transfer-Encoding: gzip, chunked"], "single 'chunked'"),
        ([b"Transfer-Encoding: identity"], "single 'chunked'"),
        ([b"Transfer-Encoding:"], "single 'chunked'"),
        ([b"Transfer-Encoding: chunked", b"Content-Length: 2"], "both a length and chunks"),
        ([b"Content-Length: 0", b"Transfer-Encoding: chunked"], "both a length and chunks"),
        ([b"A: b", b" c"], "folded or broken"),
        ([b"A: b", b"\tc: d"], "folded or broken"),
        ([b" A: b"], "folded or broken"),
        ([b"A: b\nContent-Length: 2"], "folded or broken"),
        ([b"Content-Length: 2\nA: b"], "folded or broken"),
        ([b"A"], "folded or broken"),
        ([b"", b"A: b"], "folded or broken"),
        ([b"A: b"] * LARGEST_HEADER_COUNT, "too many fields"),
    ],
)
def test_what_cannot_be_used_is_a_fault(lines: list[bytes], reason: str) -> None:
    """And says why."""
    assert reason in a_head(*lines).fault


def test_as_many_fields_as_may_be() -> None:
    """The bound is reached, not passed."""
    head = a_head(*[b"A: b"] * (LARGEST_HEADER_COUNT - 1))
    assert (head.fault, len(head.lines)) == ("", LARGEST_HEADER_COUNT - 1)


@pytest.mark.parametrize("raw", [b"", b"\r\nHTTP/1.1 200 OK", b"\r\nHTTP/1.1 200 a: b\r\nC: d", b"X: y\r\nA: b"])
def test_a_head_begins_with_its_status_line(raw: bytes) -> None:
    """The parser skips empty lines in front of it: what stands behind them would be lost, or taken for a field."""
    head = AnswerHead(200, raw, KINDS)
    assert "status line" in head.fault
    assert head.lines == []


class Fields:
    """The full parser's view of a head."""

    def __init__(self, raw: bytes) -> None:
        self.seen: list[tuple[bytes, bytes]] = []
        self.is_refused = False
        parser = HttpResponseParser(self)
        try:
            parser.feed_data(raw + b"\r\n\r\n")
            self.status = parser.get_status_code()
        except HttpParserError:
            self.is_refused = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self.seen.append((name, value))


names = st.one_of(
    st.text(TOKEN, min_size=1, max_size=12).map(str.encode),
    st.sampled_from(
        [b"Content-Type", b"content-length", b"Transfer-Encoding", b"connection", b"x-Request-ID", b"upgrade"]
    ),
)
values = st.one_of(
    st.sampled_from([b"chunked", b"5", b"close", b"a: b", b"text/event-stream", b":"]),
    st.binary(max_size=12).map(lambda value: bytes(byte for byte in value if byte >= 32 and byte != 127)),
)
spaces = st.sampled_from([b"", b" ", b"\t", b" \t "])


@given(st.lists(st.tuples(names, spaces, values, spaces), max_size=8))
def test_every_field_is_seen_as_the_full_parser_sees_it(fields: list[tuple[bytes, bytes, bytes, bytes]]) -> None:
    """In whatever spelling and with whatever space around: sorted alike, and framed alike."""
    raw = b"\r\n".join(
        [b"HTTP/1.1 200 OK", *[name + b":" + left + value + right for name, left, value, right in fields]]
    )
    parsed = Fields(raw)
    if parsed.is_refused:
        return  # such a head is never sorted
    head = AnswerHead(parsed.status, raw, KINDS)
    if head.fault:
        codings = [value.strip().lower() for name, value in parsed.seen if name.lower() == b"transfer-encoding"]
        assert codings
        assert codings != [b"chunked"]
        return
    expected: dict[bytes, bytes] = {}
    options: set[bytes] = set()
    for name, value in parsed.seen:
        expected[name.lower()] = value.strip(b" \t")
        if name.lower() == b"connection":
            options |= {option.strip().lower() for option in value.split(b",")} - {b""}
    assert head.content_length == int(expected.get(b"content-length", b"-1"))
    assert head.is_chunked == (b"transfer-encoding" in expected)
    assert head.content_type == expected.get(b"content-type", b"")
    assert head.request_id == expected.get(b"x-request-id", b"")
    assert head.upgrade == expected.get(b"upgrade", b"")
    assert head.options == options
    assert [(line.partition(b":")[0], line.partition(b":")[2].strip(b" \t")) for line in head.lines] == [
        (name, value.strip(b" \t"))
        for name, value in parsed.seen
        if KINDS[name] == 0 and name.lower() not in options - {b"close", b"keep-alive", b"upgrade"}
    ]


LINES = st.one_of(
    st.sampled_from(
        [
            b"Content-Type: application/json",
            b"Cache-Control: no-store",
            b"Content-Encoding: gzip",
            b"Connection: close, X-Hop",
            b"X-Hop: 1",
            b"Set-Cookie: a=b",
            b"x-request-id: req_1",
            b" folded",
            b"no colon",
            b"server: cloudflare",
        ]
    ),
    st.binary(min_size=1, max_size=8).map(lambda value: b"date: " + value.replace(b"\r", b"")),
)


@given(st.lists(st.lists(LINES, max_size=6), max_size=40))
def test_what_was_met_before_means_the_same(heads: list[list[bytes]]) -> None:
    """Lines that are known by their bytes are sorted as if they were new."""
    kinds = answer_kinds()
    for lines in heads:
        raw = b"\r\n".join([b"HTTP/1.1 200 OK", *lines])
        known, fresh = AnswerHead(200, raw, kinds), AnswerHead(200, raw, answer_kinds())
        assert all(getattr(known, name) == getattr(fresh, name) for name in AnswerHead.__slots__)
