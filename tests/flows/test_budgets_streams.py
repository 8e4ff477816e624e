"""Streams under limits: what ends one in the middle, and what does not."""

import msgspec
import pytest

from sluicegate.domain.events import Charge
from sluicegate.domain.limits import Limit, Rolling
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from sluicegate.domain.underway import lost_event, read_entry, taken_places
from tests.gateway.node import TOKEN, Node, Peer, a_chunk, a_provider, a_request, a_snapshot, a_stream_head

TOKENS = Limit("token", "tok_1", "tokens", Rolling(3600), 2_060_000)


def a_piece(size: int) -> bytes:
    """Of a stream, with so many bytes of text."""
    return a_chunk(b'data: {"choices":[{"delta":{"content":"' + b"x" * size + b'"}}]}\n\n')


PIECE = a_piece(1_000_000)


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


def test_what_more_is_set_aside_is_charged_if_the_worker_dies(node: Node) -> None:
    """The note that outlives the worker says what is set aside now, not what was when the request was sent."""
    streaming(node, msgspec.structs.replace(TOKENS, maximum=4_000_000))
    account = node.services.budgets.borrower.accounts[TOKENS.account]
    before = account.reserved
    for size in [1_000_000] * 31 + [50_000] * 30:
        node.provider.says(a_piece(size))
        node.passes(0.5)
    assert account.reserved > before
    (table,) = node.directory.glob("*.underway")
    (entry,) = taken_places(table.read_bytes())
    assert lost_event(*read_entry(entry)).charges == (Charge(TOKENS.account, account.reserved, account.reserved),)


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
