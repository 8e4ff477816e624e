"""Requests whose head came before on the same connection: served as a connection that never saw it would serve them."""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import ClientBounds
from sluicegate.domain.tokens import digest
from sluicegate.gateway.client import ClientConnection
from sluicegate.gateway.heads import DISCARDED, KnownHead
from tests.gateway.node import (
    PRINCIPAL,
    TOKEN,
    Node,
    Peer,
    a_chunk,
    a_provider,
    a_request,
    a_snapshot,
    an_answer,
    parts,
)

BODY = b'{"model":"gpt-4o-mini","messages":[]}'
LONGER = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}'
USED = b'{"usage":{"prompt_tokens":2,"completion_tokens":3}}'


def known(client: Peer) -> KnownHead | None:
    """The head that this client's connection knows."""
    protocol = client.transport.protocol
    assert isinstance(protocol, ClientConnection)
    return protocol._known


def a_node() -> Node:
    """A node that knows the token, outside a test's own directory: hypothesis runs many in one test."""
    made = Node(Path(tempfile.mkdtemp()))
    made.services.principals.learn(digest(TOKEN.encode()), PRINCIPAL)
    return made


def all_heard(node: Node) -> bytes:
    """What any provider heard since the last time."""
    return b"".join(peer.hears() for peer in node.opener.peers)


def outcome(client: Peer, data: bytes) -> tuple[bytes, bytes, bool]:
    """What providers hear of these bytes, what the client is told, and whether it may go on."""
    client.says(data)
    heard, told = (re.sub(rb"req_\w+", b"req", said) for said in (all_heard(client.node), client.hears()))
    return heard, told, client.is_connected


def warm(node: Node, data: bytes) -> Peer:
    """A client whose request was answered, so that its connection may know its head."""
    client = node.client().says(data)
    for peer in node.opener.peers:
        if peer.hears():
            peer.says(an_answer())
    client.hears()
    return client


def assert_alike(first: bytes, then: bytes, *, is_known: bool | None = None) -> None:
    """A connection on which `first` was served takes `then` as a fresh connection does."""
    one, other = a_node(), a_node()
    try:
        client = warm(one, first)
        again = known(client)
        if is_known is not None:
            assert (again is not None and again.body_of(then) is not None) is is_known
        if client.is_connected:
            assert outcome(client, then) == outcome(other.client(), then)
    finally:
        for node in (one, other):
            node.close()
            shutil.rmtree(node.directory)


FIELD_NAMES = (
    *("X-Stainless-Lang", "User-Agent", "Accept-Encoding", "Connection", "Cookie", "session_id", "x-api-key", "TE"),
    *(
        "anthropic-version",
        "X-Forwarded-For",
        "Keep-Alive",
        "Content-Encoding",
        "api-key",
        "Upgrade",
        "X-Content-Length",
    ),
)
FIELD_VALUES = (
    *(
        "",
        "1",
        "gzip, br",
        "gzip",
        "br",
        "keep-alive",
        "close",
        "X-Stainless-Lang",
        "Content-Length: 7",
        "a\xe9b",
        "h2c",
    ),
    TOKEN,
)
TARGETS = (
    *("/v1/chat/completions", "/openai/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/models", "/v1/none"),
    *("/v1beta/models/gemini:generateContent", "/v1/chat/completions?a=b", "/admin/api/tokens", "/healthz"),
)
BODIES = (
    *(
        BODY,
        LONGER,
        b"",
        b"{}",
        b"[",
        b'{"model":"smart"}',
        b'{"model":"smart","stream":true}',
        b'{"model":"anthropic/c"}',
    ),
    *(b'{"model":"gpt","stream":true}', b"a" * 70_000, b"\r\n\r\n", b"Content-Length: 5\r\n\r\n"),
)
fields = st.lists(
    st.builds("{}: {}".format, st.sampled_from(FIELD_NAMES), st.sampled_from(FIELD_VALUES)),
    max_size=6,
)
targets = st.sampled_from(TARGETS)
bodies = st.sampled_from(BODIES)


def written(target: str, method: str, lines: list[str], body: bytes) -> bytes:
    """A request in ISO 8859-1, as header fields may come."""
    head = [f"{method} {target} HTTP/1.1", "Host: gateway.test", f"Authorization: Bearer {TOKEN}", *lines]
    if method == "POST":
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + (body if method == "POST" else b"")


@settings(max_examples=60)
@given(targets, st.sampled_from(["POST", "POST", "GET"]), fields, st.lists(bodies, min_size=2, max_size=2))
def test_a_known_head_serves_what_a_parsed_one_does(
    target: str, method: str, lines: list[str], two: list[bytes]
) -> None:
    """Byte for byte the same request to the provider, and the same answer, for any head and any bodies."""
    assert_alike(*[written(target, method, lines, body) for body in two])


@settings(max_examples=60)
@given(st.data(), fields, st.lists(bodies, min_size=2, max_size=2))
def test_a_head_that_was_tampered_with_is_never_taken_for_a_known_one(
    data: st.DataObject, lines: list[str], two: list[bytes]
) -> None:
    """A byte more, less or other: whatever a fresh connection makes of it, this one does."""
    first, then = (written("/v1/chat/completions", "POST", lines, body) for body in two)
    at = data.draw(st.integers(0, then.index(b"\r\n\r\n") + 4))
    instead = data.draw(
        st.sampled_from([b"", b"\r", b"\n", b"\r\n", b" ", b"0", b"1", b"+", b"\x00", b",", b":", b"X"])
    )
    assert_alike(first, then[:at] + instead + then[at + data.draw(st.integers(0, 2)) :])


LENGTH = b"Content-Length: 37\r\n"
SECOND = {
    "the same": (a_request(), True),
    "another body": (a_request(body=LONGER), True),
    "leading zeros": (a_request().replace(b": 37", b": 0037"), True),
    "a sign": (a_request().replace(b": 37", b": +37"), False),
    "a space": (a_request().replace(b": 37", b":  37"), False),
    "no digits": (a_request().replace(b": 37", b": "), False),
    "twelve digits": (a_request().replace(b": 37", b": 000000000037"), False),
    "two lengths": (a_request().replace(LENGTH, LENGTH * 2), False),
    "two lengths that differ": (a_request().replace(LENGTH, LENGTH + b"Content-Length: 1\r\n"), False),
    "a length in a value": (a_request().replace(LENGTH, b"A: " + LENGTH + LENGTH), False),
    "a folded line": (a_request().replace(LENGTH, b"A: b\r\n " + LENGTH), False),
    "a bare line feed": (a_request().replace(LENGTH, b"A: b\n" + LENGTH), False),
    "chunks": (a_request(body=b"", fields=("Transfer-Encoding: chunked",)) + a_chunk(BODY) + b"0\r\n\r\n", False),
    "chunks and a length": (a_request(fields=("Transfer-Encoding: chunked",)), False),
    "an expectation": (a_request(fields=("Expect: 100-continue",)), False),
    "an upgrade": (a_request(fields=("Connection: upgrade", "Upgrade: websocket")), False),
    "HTTP/1.0": (a_request(version="1.0"), False),
    "another method": (a_request(method="PUT"), False),
    "another target": (a_request("/v1/responses"), False),
    "another Host": (a_request().replace(b"gateway.test", b"gateway.tesu"), False),
    "another token": (a_request(token=TOKEN[:-1] + "8"), False),
    "no token": (a_request(token=None), False),
    "a shorter body": (a_request()[:-1], False),
    "a longer body": (a_request() + b"}", False),
    "half of it": (a_request()[:40], False),
    "the next request behind it": (a_request() + a_request(body=LONGER), False),
    "half of the next": (a_request() + a_request()[:40], False),
    "an empty line in front": (b"\r\n" + a_request(), False),
}


@pytest.mark.parametrize(("then", "is_known"), SECOND.values(), ids=SECOND)
def test_what_comes_behind_a_known_head_is_taken_as_on_a_fresh_connection(then: bytes, *, is_known: bool) -> None:
    """And only what is the same but for the digits is served without a parser."""
    assert_alike(a_request(), then, is_known=is_known)


def test_a_request_in_pieces_is_served_behind_a_known_one(node: Node) -> None:
    """Wherever it is cut; and then the head is known again."""
    client = warm(node, a_request())
    expected = outcome(client, a_request(body=LONGER))[0]
    for at in range(1, len(a_request(body=LONGER)), 7):
        node.provider.says(an_answer())
        whole = a_request(body=LONGER)
        assert outcome(client, whole[:at])[0] == b""
        assert outcome(client, whole[at:])[0] == expected
        node.provider.says(an_answer())
        assert outcome(client, whole)[0] == expected
    assert len(node.opener.peers) == 1


def test_an_empty_line_before_a_known_request(node: Node) -> None:
    """It may be a read of its own (RFC 9112 section 2.2): the parser that saw it goes on where it stood."""
    client = warm(node, a_request())
    for line in (b"\r\n", b"\r", b"\n"):
        client.says(line)
        assert outcome(client, a_request())[0].endswith(BODY)
        node.provider.says(an_answer())
        assert parts(client.hears())[0] == 200


def callers(node: Node) -> list[str]:
    """Whose requests were recorded, in order."""
    return [event.token for event in node.events()]


def test_two_requests_in_one_read_teach_only_the_first(node: Node) -> None:
    """The second's credential is never taken for the first's."""
    other = "sk-sg-other-0123456789"
    node.link.tokens[digest(other.encode())] = msgspec.structs.replace(PRINCIPAL, token_id="tok_2")
    client = node.client().says(a_request(token=other) + a_request())
    for _ in range(2):
        node.provider.says(an_answer(USED))
    client.says(a_request(token=other))
    node.provider.says(an_answer(USED))
    client.says(a_request())
    node.provider.says(an_answer(USED))
    assert callers(node) == ["tok_2", "tok_1", "tok_2", "tok_1"]


def test_another_token_on_the_same_connection(node: Node) -> None:
    """Each request is its own caller's, however alike the heads are."""
    other = TOKEN[:-1] + "8"
    node.link.tokens[digest(other.encode())] = msgspec.structs.replace(PRINCIPAL, token_id="tok_2")
    client = node.client()
    for token in (TOKEN, TOKEN, other, other, TOKEN):
        client.says(a_request(token=token))
        node.provider.says(an_answer(USED))
    assert callers(node) == ["tok_1", "tok_1", "tok_2", "tok_2", "tok_1"]


def refused(node: Node, client: Peer) -> int:
    """The status with which a request whose head is known is refused; nothing reaches a provider."""
    again = known(client)
    assert again is not None
    assert again.body_of(a_request()) == BODY
    node.provider.hears()
    client.says(a_request())
    assert node.provider.hears() == b""
    return parts(client.hears())[0]


def test_a_revoked_token_is_refused_although_its_head_is_known(node: Node) -> None:
    """The change feed says that it changed, control that it is not known any more."""
    client = warm(node, a_request())
    node.services.principals.forget((digest(TOKEN.encode()),))
    node.link.tokens.clear()
    assert refused(node, client) == 401


@pytest.mark.parametrize("changes", [{"is_active": False}, {"expires_at": 1.0}])
def test_a_token_that_ended_is_refused_although_its_head_is_known(node: Node, changes: dict[str, Any]) -> None:
    """Suspended, or expired."""
    client = warm(node, a_request())
    node.services.principals.learn(digest(TOKEN.encode()), msgspec.structs.replace(PRINCIPAL, **changes))
    assert refused(node, client) == 403


def test_a_token_expires_between_two_requests(node: Node) -> None:
    """The moment is looked at for every request."""
    ends = 1_700_000_000.0 + node.now + 10
    node.link.tokens[digest(TOKEN.encode())] = msgspec.structs.replace(PRINCIPAL, expires_at=ends)
    client = warm(node, a_request())
    client.says(a_request())
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200
    node.now += 11
    assert refused(node, client) == 403


def test_a_token_may_lose_a_model_while_its_head_is_known(node: Node) -> None:
    """What it may use is looked at for every request."""
    client = warm(node, a_request())
    principal: Principal = msgspec.structs.replace(PRINCIPAL, models=("other",))
    node.services.principals.learn(digest(TOKEN.encode()), principal)
    assert refused(node, client) == 403


def test_a_new_configuration_judges_anew(node: Node) -> None:
    """The provider's new path and credential, and what it now allows."""
    client = warm(node, a_request())
    moved = a_provider(base_path="/v2")
    node.services.configure(a_snapshot(providers=(moved,)))
    client.says(a_request())
    assert node.provider.hears().startswith(b"POST /v2/chat/completions HTTP/1.1\r\n")
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200
    node.services.configure(a_snapshot(providers=(a_provider(allow=()),)))
    client.says(a_request())
    assert all_heard(node) == b""
    assert parts(client.hears())[0] >= 400


def test_new_bounds_hold_for_known_heads(node: Node) -> None:
    """Of the head, and of the body."""
    client = warm(node, a_request())
    node.services.configure(a_snapshot(bounds=ClientBounds(body_bytes=10)))
    client.says(a_request())
    assert parts(client.hears())[0] == 413
    node.services.configure(a_snapshot())
    same = a_request(fields=("A: b", "C: d"))
    client = warm(node, same)
    again = known(client)
    assert again is not None
    assert again.body_of(same) == BODY
    node.services.configure(a_snapshot(bounds=ClientBounds(header_count=1)))
    client.says(same)
    assert all_heard(node) == b""
    assert parts(client.hears())[0] == 431


def test_a_known_head_waits_for_its_turn(node: Node) -> None:
    """While another request is under way it is pipelined, as any other."""
    client = warm(node, a_request())
    client.says(a_request(body=LONGER)).says(a_request())
    assert all_heard(node).endswith(LONGER)
    node.provider.says(an_answer(b'{"a":1}'))
    assert parts(client.hears())[2] == b'{"a":1}'
    assert all_heard(node).endswith(BODY)
    node.provider.says(an_answer(b'{"a":2}'))
    assert parts(client.hears())[2] == b'{"a":2}'
    assert client.transport.is_reading()


def test_a_body_that_looks_like_a_known_request_is_a_body(node: Node) -> None:
    """Though it comes in a read of its own: it is not answered, and reaches the provider as what it is."""
    client = warm(node, a_request())
    hidden = a_request()
    whole = a_request("/openai/v1/chat/completions", hidden)
    client.says(whole[: -len(hidden)])
    client.says(hidden)
    heard = all_heard(node)
    assert heard.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert heard.endswith(b"Content-Length: %d\r\n\r\n%b" % (len(hidden), hidden))
    node.provider.says(an_answer())
    assert client.hears().count(b"HTTP/1.1 200 ") == 1


def test_the_rest_of_a_head_that_looks_like_a_known_request_is_a_head(node: Node) -> None:
    """A request that began in another read ends in this one."""
    client = warm(node, a_request())
    client.says(b"GET /healthz HTTP/1.1\r\nHost: g\r\nA: ")
    client.says(a_request())
    assert all_heard(node) == b""
    # Its fields are those of both reads, and the body is what follows them.
    assert parts(client.hears())[0] == 400


def test_a_configuration_that_comes_while_a_request_waits(node: Node) -> None:
    """The one that waits is served as it was judged, the next one anew: nothing prepared before is used."""
    node.link.is_silent = True
    client = node.client().says(a_request())
    node.services.configure(a_snapshot(providers=(a_provider(base_path="/v2"),)))
    node.services.principals.learn(digest(TOKEN.encode()), PRINCIPAL)
    node.settle()
    node.provider.says(an_answer())
    all_heard(node)
    client.says(a_request())
    assert all_heard(node).startswith(b"POST /v2/chat/completions ")


def test_a_known_head_that_closes_is_closed_again(node: Node) -> None:
    """A connection is served once with `Connection: close`; HTTP/1.0 that stays is served as often as it asks."""
    client = warm(node, a_request(fields=("Connection: close",)))
    assert not client.is_connected
    client = warm(node, a_request(version="1.0", fields=("Connection: keep-alive",)))
    for _ in range(2):
        heard, _, is_connected = outcome(client, a_request(version="1.0", fields=("Connection: keep-alive",)))
        assert heard.endswith(BODY)
        assert is_connected
        node.provider.says(an_answer())
        assert parts(client.hears())[1]["connection"] == "keep-alive"


def test_draining_ends_a_connection_behind_a_known_head(node: Node) -> None:
    """A request that came in time is answered, and told that it was the last."""
    client = warm(node, a_request())
    client.says(a_request())
    node.services.is_draining = True
    node.provider.says(an_answer())
    status, fields_heard, _ = parts(client.hears())
    assert (status, fields_heard["connection"]) == (200, "close")
    assert not client.is_connected


def test_readiness_is_asked_anew_behind_a_known_head(node: Node) -> None:
    """The head is known, its answer is not."""
    ready = a_request("/readyz", b"", method="GET", token=None)
    client = node.client().says(ready)
    assert parts(client.hears())[0] == 200
    assert known(client) is not None
    node.services.is_draining = True
    assert parts(client.says(ready).hears())[0] == 503


def test_a_refused_request_teaches_only_what_was_judged(node: Node) -> None:
    """A head that was found wrong is read again each time, and refused each time."""
    two_hosts = a_request("/healthz", b"", method="GET", token=None, fields=("Host: other",))
    client = node.client()
    for _ in range(2):
        client.says(two_hosts)
        assert parts(client.hears())[0] == 400
        if not client.is_connected:
            client = node.client()
        assert known(client) is None


def test_heads_that_never_come_again_are_not_learned_for_ever(node: Node) -> None:
    """After some, the connection is not paid for; it is served all the same."""
    client = node.client()
    for number in range(12):
        client.says(a_request("/healthz", b"", method="GET", token=None, fields=(f"X-Number: {number}",)))
        assert parts(client.hears())[0] == 200
    again = known(client)
    assert again is not None
    last = a_request("/healthz", b"", method="GET", token=None, fields=("X-Number: 11",))
    eighth = a_request("/healthz", b"", method="GET", token=None, fields=("X-Number: 7",))
    assert again.body_of(last) is None
    assert again.body_of(eighth) == b""


def test_a_large_body_behind_a_known_head(node: Node) -> None:
    """It is parsed, so that it is refused as any other would be; more than is held is sent on, its length said."""
    client = warm(node, a_request())
    assert_alike(a_request(), a_request(body=b"{" + b" " * (DISCARDED - 2) + b"}"), is_known=True)
    assert_alike(a_request("/v1/models"), a_request("/v1/models", body=b" " * (DISCARDED + 1)), is_known=False)
    body = b"{" + b" " * node.services.bounds.held_body_bytes + b"}"
    assert_alike(a_request(), a_request(body=body), is_known=False)
    assert outcome(client, a_request(body=body))[0].endswith(body)
