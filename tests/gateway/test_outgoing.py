"""What of a request reaches its provider, and in how many pieces."""

import msgspec
import pytest

from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from tests.gateway.node import TOKEN, Node, a_provider, a_request, a_snapshot, an_answer


@pytest.mark.parametrize(
    ("offered", "asked"),
    [
        ("gzip, deflate, br", b"Accept-Encoding: gzip, deflate\r\n"),
        ("br, zstd", b"Accept-Encoding: identity\r\n"),
        ("GZIP", b"Accept-Encoding: gzip\r\n"),
    ],
)
def test_an_answer_is_encoded_as_both_sides_can_read_it(node: Node, offered: str, asked: bytes) -> None:
    """What our taps cannot undo is not offered."""
    node.client().says(a_request(fields=(f"Accept-Encoding: {offered}",)))
    assert asked in node.provider.hears()


def test_a_stream_is_not_encoded(node: Node) -> None:
    """Events inside a compressed stream would wait for its block to fill."""
    node.client().says(a_request(body=b'{"model":"m","stream":true}', fields=("Accept-Encoding: gzip",)))
    assert b"Accept-Encoding: identity\r\n" in node.provider.hears()


def test_a_large_body_is_not_copied_behind_its_head(node: Node) -> None:
    """It arrives as it was all the same."""
    body = b'{"model":"m","messages":["' + b"x" * 70_000 + b'"]}'
    node.client().says(a_request(body=body))
    request = node.provider.hears()
    assert request.endswith(body)
    assert b"Content-Length: %d\r\n" % len(body) in request


def test_what_a_caller_gets_prepared_is_no_other_callers(node: Node) -> None:
    """A connection may change its token: the fields that travel are those of the token of each request."""
    other = "sk-sg-other-0123456789"
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", request_headers=("x-one",))
    node.link.tokens[digest(other.encode())] = Principal("tok_2", request_headers=("x-two",))
    client = node.client()
    for token, name in ((TOKEN, b"X-One"), (other, b"X-Two"), (TOKEN, b"X-One")):
        client.says(a_request(token=token, fields=("X-One: 1", "X-Two: 2")))
        request = node.provider.hears()
        assert [field for field in (b"X-One", b"X-Two") if field in request] == [name]
        node.provider.says(an_answer())


def test_a_provider_has_its_own_fields(node: Node) -> None:
    """A configured field replaces the client's; a default only fills in for it."""
    provider = msgspec.structs.replace(
        a_provider(), headers=(("x-team", "a"),), default_headers=(("x-beta", "1"), ("x-mode", "2"))
    )
    node.services.configure(a_snapshot(providers=(provider,)))
    node.client().says(a_request(fields=("X-Team: b", "X-Mode: 3")))
    request = node.provider.hears()
    for field, is_there in ((b"x-team: a", 1), (b"X-Team: b", 0), (b"x-beta: 1", 1), (b"x-mode: 2", 0)):
        assert request.count(field + b"\r\n") == is_there
    assert b"X-Mode: 3\r\n" in request
