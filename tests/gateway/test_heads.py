"""Request heads, and heads known again by their bytes: never taken for anything but what a parser would read."""

from typing import Any

import pytest

from sluicegate.domain.routing import ANYWHERE
from sluicegate.gateway.heads import DISCARDED, RequestHead, known_head
from sluicegate.wire import headers
from tests.gateway.node import a_request

BODY = b'{"model":"gpt-4o-mini","messages":[]}'
PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
LONGER = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}'


def a_head(raw: bytes, *, length: int = -1, **changes: Any) -> RequestHead:
    """What a parser would have made of `raw`, as far as knowing it again asks."""
    head = RequestHead()
    head.method, head.raw_target = raw.split(b" ")[:2]
    head.content_length = length
    for name, value in changes.items():
        setattr(head, name, value)
    return head


# -- what a head says


def test_fields_that_mean_something_are_noted() -> None:
    """Each in its place; those that travel as well are kept as lines."""
    head = RequestHead()
    for kind, name, value in [
        (headers.HOST, b"Host", b"g"),
        (headers.CONTENT_LENGTH, b"Content-Length", b"12"),
        (headers.CONTENT_TYPE, b"Content-Type", b"Application/JSON"),
        (headers.ACCEPT_ENCODING, b"Accept-Encoding", b"GZIP"),
        (headers.CONNECTION, b"Connection", b"Keep-Alive, X-Hop"),
        (headers.CONTENT_ENCODING, b"Content-Encoding", b"gzip"),
        (headers.EXPECT, b"Expect", b"100-continue"),
        (headers.SESSION, b"session_id", b"s\xe91"),
        (headers.COOKIE, b"Cookie", b"a=b"),
        (headers.VERSION, b"anthropic-version", b"2023-06-01"),
        (headers.X_API_KEY, b"x-api-key", b"secret"),
    ]:
        head.note(kind, name, value)
    assert head.hosts == [b"g"]
    assert head.content_length == 12
    assert head.content_type == b"application/json"
    assert head.accept_encoding == b"gzip"
    assert head.options == {b"keep-alive", b"x-hop"}
    assert head.content_encoding == b"gzip"
    assert head.expect == b"100-continue"
    assert head.session == "s\xe91"
    assert head.for_control == [b"Cookie: a=b"]
    assert head.lines == [
        b"Content-Type: Application/JSON",
        b"Content-Encoding: gzip",
        b"session_id: s\xe91",
        b"anthropic-version: 2023-06-01",
    ]
    assert head.credential() == b"secret"
    assert head.size() == sum(map(len, head.lines)) + len(b"x-api-keysecretgCookie: a=b")


def test_a_head_that_says_nothing() -> None:
    """Everything that is asked of a head has an answer before, and without, the field that would give it."""
    head = RequestHead()
    assert (head.method, head.raw_target, head.is_http10, head.keeps_alive) == (b"", b"", False, True)
    head.finish(b"GET", "1.1")
    assert (head.content_length, head.is_chunked, head.expect, head.upgrade, head.fault) == (-1, False, b"", b"", "")
    assert (head.content_type, head.content_encoding, head.accept_encoding, head.origin) == (b"", b"", b"", b"")
    assert (head.lines, head.hosts, head.for_control, head.options, head.session) == ([], [], [], frozenset(), "")
    assert (head.traceparent, head.tracestate, head.credential(), head.size()) == (None, "", b"", 0)


def traced(*fields: tuple[int, bytes]) -> RequestHead:
    """A head that has these fields of a trace."""
    head = RequestHead()
    for kind, value in fields:
        head.note(kind, b"t", value)
    head.finish(b"POST", "1.1")
    return head


def test_a_trace_is_noted_and_travels() -> None:
    """States of several fields are one list."""
    head = traced((headers.TRACESTATE, b"a=1"), (headers.TRACEPARENT, PARENT), (headers.TRACESTATE, b"b=2"))
    assert (head.traceparent, head.tracestate) == (PARENT.decode(), "a=1,b=2")
    assert head.lines == [b"t: a=1", b"t: " + PARENT, b"t: b=2"]


@pytest.mark.parametrize("parents", [[], [b"00-x"], [PARENT, PARENT], [b"00-x", PARENT], [PARENT, b"00-x"]])
def test_a_trace_that_is_none(parents: list[bytes]) -> None:
    """Without exactly one valid parent, the state says nothing; what was said travels all the same."""
    head = traced(*[(headers.TRACEPARENT, parent) for parent in parents], (headers.TRACESTATE, b"a=1"))
    assert not head.traceparent
    assert head.tracestate == ""
    assert len(head.lines) == len(parents) + 1


def test_a_state_that_is_none_leaves_the_parent() -> None:
    """Of the two, it is the less important."""
    head = traced((headers.TRACEPARENT, PARENT), (headers.TRACESTATE, b"no member"))
    assert (head.traceparent, head.tracestate) == (PARENT.decode(), "")


def test_a_length_of_too_many_digits_is_huge() -> None:
    """It is beyond every bound, and no arithmetic is done on it."""
    head = RequestHead()
    head.note(headers.CONTENT_LENGTH, b"Content-Length", b"9" * 400)
    assert head.content_length == 1 << 62


@pytest.mark.parametrize(("value", "upgrade"), [(b"WebSocket", b"WebSocket"), (b"h2c", b"")])
def test_only_a_websocket_is_an_upgrade(value: bytes, upgrade: bytes) -> None:
    """Others are ignored, as RFC 9110 section 7.8 allows."""
    head = RequestHead()
    head.note(headers.UPGRADE, b"Upgrade", value)
    assert head.upgrade == upgrade


@pytest.mark.parametrize(
    ("version", "options", "upgrade"),
    [
        ("1.1", b"keep-alive, Upgrade", b"websocket"),
        ("1.1", b"keep-alive", b""),
        ("1.0", b"keep-alive, Upgrade", b""),
    ],
)
def test_an_upgrade_must_be_asked_of_this_hop(version: str, options: bytes, upgrade: bytes) -> None:
    """One that `Connection` does not name is from a hop before; HTTP/1.0 has none."""
    head = RequestHead()
    head.note(headers.UPGRADE, b"Upgrade", b"websocket")
    head.note(headers.CONNECTION, b"Connection", options)
    head.finish(b"GET", version)
    assert head.upgrade == upgrade


@pytest.mark.parametrize(
    ("codings", "is_fault"),
    [([b"chunked"], False), ([b"Chunked"], False), ([b"chunked"] * 2, True), ([b"gzip"], True)],
)
def test_a_single_chunked_is_the_only_coding(codings: list[bytes], *, is_fault: bool) -> None:
    """Anything else is a fault."""
    head = RequestHead()
    for coding in codings:
        head.note(headers.TRANSFER_ENCODING, b"Transfer-Encoding", coding)
    assert head.is_chunked
    assert bool(head.fault) is is_fault


@pytest.mark.parametrize(
    ("version", "options", "keeps_alive"),
    [
        ("1.1", [], True),
        ("1.1", [b"close"], False),
        ("1.1", [b"x, Close"], False),
        ("1.0", [], False),
        ("1.0", [b"keep-alive"], True),
    ],
)
def test_whether_a_connection_is_kept(version: str, options: list[bytes], *, keeps_alive: bool) -> None:
    """HTTP/1.1 keeps it unless told otherwise, HTTP/1.0 the other way round."""
    head = RequestHead()
    for option in options:
        head.note(headers.CONNECTION, b"Connection", option)
    head.finish(b"GET", version)
    assert (head.method, head.is_http10, head.keeps_alive) == (b"GET", version == "1.0", keeps_alive)
    assert head.fault == ""


@pytest.mark.parametrize("version", ["0.9", "2.0"])
def test_other_versions_are_not_served(version: str) -> None:
    """Nor is anything that follows on the connection, whatever it asks for."""
    head = RequestHead()
    head.note(headers.CONNECTION, b"Connection", b"keep-alive")
    head.finish(b"GET", version)
    assert not head.keeps_alive
    assert head.fault == f"HTTP/{version} is not served: this is HTTP/1.1"


@pytest.mark.parametrize(("version", "expect"), [("1.1", b"100-continue"), ("1.0", b"")])
def test_nobody_of_http_1_0_is_told_to_continue(version: str, expect: bytes) -> None:
    """It knows no answers that are not final."""
    head = RequestHead()
    head.note(headers.EXPECT, b"Expect", b"100-continue")
    head.finish(b"POST", version)
    assert head.expect == expect


def test_http_1_0_has_no_chunks() -> None:
    """And is not kept alive by asking."""
    head = RequestHead()
    head.note(headers.TRANSFER_ENCODING, b"Transfer-Encoding", b"chunked")
    head.note(headers.CONNECTION, b"Connection", b"keep-alive")
    head.finish(b"POST", "1.0")
    assert not head.keeps_alive
    assert "HTTP/1.0" in head.fault


def test_the_credential_that_counts() -> None:
    """`Authorization` before the others, whatever the order; its scheme is left out; nothing where there is none."""
    head = RequestHead()
    assert head.credential() == b""
    head.note(headers.X_GOOG_API_KEY, b"x-goog-api-key", b" google ")
    assert head.credential() == b"google"
    head.note(headers.X_API_KEY, b"x-api-key", b"Bearer of a key")
    assert head.credential() == b"Bearer of a key"
    head.note(headers.AUTHORIZATION, b"Authorization", b"Bearer first")
    assert head.credential() == b"first"


def test_the_representations_tell_no_secret() -> None:
    """A request line and counts; never a field."""
    raw = a_request("/v1/models", b"", method="GET")
    head = a_head(raw, lines=[b"X: secret"], credentials=[(headers.X_API_KEY, b"x-api-key", b"secret")])
    assert repr(head) == "<RequestHead GET fields=1>"
    assert repr(known_head(head, raw)) == f"<KnownHead <RequestHead GET fields=1> bytes={len(raw)}>"


# -- heads known again, by their bytes alone


def test_a_head_is_known_with_another_length() -> None:
    """Only the digits of Content-Length may differ, and they must be those of the body that came."""
    first = a_head(a_request(), length=len(BODY))
    again = known_head(first, a_request())
    assert again is not None
    assert again.head is first
    assert again.body_of(a_request()) == BODY
    assert again.body_of(a_request(body=LONGER)) == LONGER
    assert again.body_of(a_request(body=b"{" * 12_345)) == b"{" * 12_345
    assert again.body_of(a_request(body=b"{" * DISCARDED)) == b"{" * DISCARDED
    assert again.body_of(a_request(body=b"{" * (DISCARDED + 1))) is None


def test_a_head_without_a_body_is_known_as_a_whole() -> None:
    """One byte more is not this head."""
    raw = a_request("/v1/models", b"", method="GET")
    again = known_head(a_head(raw), raw)
    assert again is not None
    assert again.body_of(raw) == b""
    assert again.body_of(raw + b"a") is again.body_of(raw[:-1]) is again.body_of(raw * 2) is None


def test_a_length_of_zero_is_known() -> None:
    """Its body is empty, not missing."""
    raw = b"POST /v1/x HTTP/1.1\r\nHost: g\r\nContent-Length:0\r\n\r\n"
    again = known_head(a_head(raw, length=0), raw)
    assert again is not None
    assert again.body_of(raw) == b""
    assert again.body_of(raw.replace(b":0", b":1") + b"a") == b"a"


@pytest.mark.parametrize(
    "digits",
    [
        b"",
        b" ",
        b"+3",
        b"-3",
        b" 3",
        b"3 ",
        b"0x3",
        b"3_",
        b"3,3",
        b"3.",
        b"\xb3",
        b"1" * 12,
        b"3" * 40,
        b"2",
        b"4",
        b"33",
    ],
)
def test_a_length_that_is_not_the_bodys_is_not_known(digits: bytes) -> None:
    """Signs, spaces, lists, too many digits, and bodies that are shorter or longer."""
    raw = b"POST /v1/x HTTP/1.1\r\nHost: g\r\nContent-Length: %b\r\n\r\nabc"
    again = known_head(a_head(raw, length=3), raw % b"3")
    assert again is not None
    assert again.body_of(raw % b"3") == b"abc"
    assert again.body_of(raw % b"0003") == b"abc"
    assert again.body_of(raw % digits) is None


def test_heads_that_differ_in_one_byte_are_not_known() -> None:
    """Wherever it is, in the head or in its length; and neither is any part of the request."""
    raw = a_request()
    again = known_head(a_head(raw, length=len(BODY)), raw)
    assert again is not None
    for at in range(raw.index(b"\r\n\r\n") + 4):
        for other in (b"", b"\x00", bytes([raw[at] ^ 0x20]), raw[at : at + 1] * 2, b"\n"):
            changed = raw[:at] + other + raw[at + 1 :]
            assert changed == raw or again.body_of(changed) is None
    for end in range(len(raw)):
        assert again.body_of(raw[:end]) is None
        assert again.body_of(raw + raw[:end]) == (None if end else BODY)


FIELDS = b"POST /v1/x HTTP/1.1\r\nHost: g\r\n"
UNKNOWN: dict[str, tuple[bytes, dict[str, Any]]] = {
    "no end": (FIELDS, {}),
    "chunked": (FIELDS + b"Transfer-Encoding: chunked\r\n\r\n", {"is_chunked": True}),
    "expect": (
        FIELDS + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        {"length": 3, "expect": b"100-continue"},
    ),
    "upgrade": (FIELDS + b"Upgrade: websocket\r\n\r\n", {"upgrade": b"websocket"}),
    "a fault": (FIELDS + b"Content-Length: 3\r\n\r\nabc", {"length": 3, "fault": "something"}),
    "empty lines in front": (b"\r\n" + FIELDS + b"\r\n", {"method": b"POST", "raw_target": b"/v1/x"}),
    "two spaces": (b"POST  /v1/x HTTP/1.1\r\nHost: g\r\n\r\n", {"method": b"POST", "raw_target": b"/v1/x"}),
    "another method": (FIELDS + b"\r\n", {"method": b"GET"}),
    "another target": (FIELDS + b"\r\n", {"raw_target": b"/v1/"}),
    "a bare line feed": (FIELDS + b"A: b\nC: d\r\n\r\n", {}),
    "two lengths": (FIELDS + b"Content-Length: 3\r\ncontent-length: 3\r\n\r\nabc", {"length": 3}),
    "a length of its own spelling": (FIELDS + b"Content-Length:\t3\r\n\r\nabc", {"length": 3}),
    "a length with a space behind": (FIELDS + b"Content-Length: 3 \r\n\r\nabc", {"length": 3}),
    "another length": (FIELDS + b"Content-Length: 4\r\n\r\nabcd", {"length": 3}),
    "a length that no field says": (FIELDS + b"A: content-length: 3\r\n\r\nabc", {"length": 3}),
    "a field that says a length nobody read": (FIELDS + b"Content-Length: 3\r\n\r\nabc", {}),
    "a folded length": (FIELDS + b"Content-Length: \r\n 3\r\n\r\nabc", {"length": 3}),
    "an empty length": (FIELDS + b"Content-Length:\r\n\r\n", {"length": 0}),
}


@pytest.mark.parametrize(("raw", "says"), UNKNOWN.values(), ids=UNKNOWN)
def test_heads_that_may_mean_more_are_not_learned(raw: bytes, says: dict[str, Any]) -> None:
    """Whatever is not all in the bytes, or not sure to be read alike."""
    assert known_head(a_head(raw, **says), raw) is None


def test_a_length_inside_a_value_is_no_length() -> None:
    """Only a field's name at the beginning of a line is one."""
    raw = FIELDS + b"A: content-length: 3\r\nContent-Length: 2\r\n\r\n{}"
    again = known_head(a_head(raw, length=2), raw)
    assert again is not None
    assert again.body_of(raw) == b"{}"
    assert again.body_of(raw.replace(b": 3", b": 2")) is None
    assert again.body_of(raw.replace(b": 2", b": 1")[:-1]) == b"{"


# -- where a request may be served


def test_regions_and_tags_are_kept_from_travelling() -> None:
    """Words between commas, trimmed; empty ones are none."""
    head = RequestHead()
    assert head.narrowing is ANYWHERE
    for kind, name, value in (
        (headers.REGION, b"x-gateway-region", b"eu, us ,,"),
        (headers.TAGS, b"X-Gateway-Tags", b"a"),
    ):
        head.note(kind, name, value)
    assert head.narrowing == (("eu", "us"), ("a",))
    assert head.lines == []
