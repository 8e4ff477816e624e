"""Streams under limits: what ends one in the middle, and what does not."""

import msgspec
import pytest

from sluicegate.domain.limits import Limit, Rolling
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from tests.gateway.node import TOKEN, Node, Peer, a_chunk, a_provider, a_request, a_snapshot, a_stream_head

TOKENS = Limit("token", "tok_1", "tokens", Rolling(3600), 2_060_000)
PIECE = a_chunk(b'data: {"choices":[{"delta":{"content":"' + b"x" * 1_000_000 + b'"}}]}\n\n')


def streaming(node: Node, *limits: Limit, path: str = "/v1/chat/completions", version: str = "1.1") -> Peer:
    """A client whose body cannot be read, and so not capped, has begun to get its stream."""
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", limits=limits)
    node.services.principals.forget(())
    fields = ("Content-Type: application/json", "Content-Encoding: gzip")
    request = a_request(path, b"", fields=fields, version=version)
    body = b"0" * 100
    node_fields = request.replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % len(body))
    client = node.client().says(node_fields + body)
    node.provider.says(a_stream_head() + a_chunk(b'data: {"id":"c1","model":"m","choices":[{"delta":{}}]}\n\n'))
    client.hears()
    return client


def test_an_overrun_stream_is_ended_by_length(node: Node) -> None:
    """More is set aside as long as there is any; then the stream ends as if the model had reached its cap."""
    client = streaming(node, TOKENS)
    for _ in range(300):
        node.provider.says(PIECE)
        if not node.opener.peers[0].is_connected:
            break
        node.passes(0.5)
    ended = client.hears()
    assert b'"finish_reason":"length"' in ended
    assert ended.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    for counted in node.link.counted:
        counted(None)
    (event,) = node.events()
    assert (event.limit, event.is_cut, event.status_code) == (TOKENS.account, True, 200)
    assert event.response_bytes > 32_000_000
    assert client.is_connected


def test_an_api_without_such_an_end_gets_an_error(node: Node) -> None:
    """What is not known to have a last event is ended as a broken stream is."""
    node.services.configure(a_snapshot(providers=(a_provider("some", "generic"),)))
    client = streaming(node, TOKENS, path="/some/chat/completions")
    for _ in range(300):
        node.provider.says(PIECE)
        if not node.opener.peers[0].is_connected:
            break
        node.passes(0.5)
    assert b"limit_reached" in client.hears()


def test_an_old_client_s_stream_ends_with_its_connection(node: Node) -> None:
    """HTTP/1.0 knows no chunks: the last events are its last bytes."""
    client = streaming(node, TOKENS, version="1.0")
    for _ in range(300):
        node.provider.says(PIECE)
        if not node.opener.peers[0].is_connected:
            break
        node.passes(0.5)
    assert client.hears().endswith(b"data: [DONE]\n\n")
    assert not client.is_connected


@pytest.mark.parametrize("limit", [msgspec.structs.replace(TOKENS, maximum=100, enforcement="soft")])
def test_a_soft_limit_ends_no_stream(node: Node, limit: Limit) -> None:
    """It was admitted while something was left, and is charged what it is."""
    client = streaming(node, limit)
    for _ in range(20):
        node.provider.says(PIECE)
        node.passes(0.5)
    assert node.opener.peers[0].is_connected
    assert b"finish_reason" not in client.hears()
