"""A request's body on its way in: what is held, how much of all of it, and that nothing stays counted."""

from collections.abc import Callable

import pytest

from sluicegate.domain.errors import UpstreamUnreachableError
from sluicegate.domain.snapshot import ClientBounds
from sluicegate.gateway.request_body import HELD_UNCOUNTED, LARGEST_UNSENT, chunk
from tests.gateway.node import Node, Peer, a_request, a_snapshot, an_answer, parts

BOUNDS = ClientBounds(all_held_bytes=100_000, held_body_bytes=80_000, body_bytes=400_000)


def a_body(size: int) -> bytes:
    """JSON of so many bytes."""
    start = b'{"model":"m","messages":[],"x":"'
    return start + b"x" * (size - len(start) - 2) + b'"}'


def bounded(node: Node, bounds: ClientBounds = BOUNDS) -> None:
    """A worker that holds little."""
    node.services.configure(a_snapshot(bounds=bounds))


def a_chunked(size: int, step: int = 10_000) -> list[bytes]:
    """A request in chunks: its head, and the chunks."""
    body = a_body(size)
    head = a_request(body=b"", fields=("Content-Type: application/json", "Transfer-Encoding: chunked"))
    return [head, *[chunk(body[at : at + step]) for at in range(0, size, step)], b"0\r\n\r\n"]


def ends_well(node: Node, client: Peer) -> None:
    node.provider.says(an_answer())


def ends_with_the_client(node: Node, client: Peer) -> None:
    client.leaves()


def ends_with_the_provider(node: Node, client: Peer) -> None:
    node.provider.leaves()


def ends_late(node: Node, client: Peer) -> None:
    node.passes(3601.0)


ENDS: dict[str, Callable[[Node, Peer], None]] = {
    "answered": ends_well,
    "client gone": ends_with_the_client,
    "provider gone": ends_with_the_provider,
    "too late": ends_late,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_large_body_is_counted_until_its_exchange_ends(
    node: Node, end: Callable[[Node, Peer], None], *, is_chunked: bool
) -> None:
    """However it ends."""
    bounded(node)
    client = node.client()
    for part in a_chunked(50_000) if is_chunked else [a_request(body=a_body(50_000))]:
        client.says(part)
    assert node.services.held_bytes == 50_000
    end(node, client)
    assert node.services.held_bytes == 0


def test_a_body_that_never_comes_is_not_counted_for_ever(node: Node) -> None:
    """Its length is counted as soon as it is said, and given up with the client, or when it is too slow."""
    bounded(node)
    raw = a_request(body=a_body(60_000))
    client = node.client().says(raw[:1000])
    assert node.services.held_bytes == 60_000
    client.leaves()
    assert node.services.held_bytes == 0
    client = node.client().says(raw[:1000])
    node.passes(61.0)
    node.passes(61.0)
    assert parts(client.hears())[0] == 408
    assert node.services.held_bytes == 0


def test_a_refused_connection_gives_it_up_too(node: Node) -> None:
    """The client is told, and the bytes are free."""
    bounded(node)
    node.opener.refusal = UpstreamUnreachableError("refused")
    client = node.client().says(a_request(body=a_body(50_000)))
    assert parts(client.hears())[0] == 502
    assert node.services.held_bytes == 0


@pytest.mark.parametrize("is_chunked", [True, False])
def test_what_is_too_much_together_is_shed(node: Node, *, is_chunked: bool) -> None:
    """503 at once, with when to come back; the others go on, and so do small ones."""
    bounded(node)
    first = node.client().says(a_request(body=a_body(60_000)))
    second = node.client()
    for part in a_chunked(60_000) if is_chunked else [a_request(body=a_body(60_000))]:
        second.says(part)
    status, fields, body = parts(second.hears())
    assert (status, fields["retry-after"], b"overloaded" in body) == (503, "1", True)
    assert node.services.held_bytes == 60_000
    small = node.client().says(a_request(body=a_body(HELD_UNCOUNTED)))
    assert len(node.opener.peers) == 2
    for peer in node.opener.peers:
        peer.says(an_answer())
    assert [parts(client.hears())[0] for client in (first, small)] == [200, 200]
    assert node.services.held_bytes == 0


def test_what_is_shed_is_passed_on_to_nobody(node: Node) -> None:
    """Though it would be too large to be held at all."""
    bounded(node)
    node.client().says(a_request(body=a_body(60_000)))
    client = node.client()
    for part in a_chunked(90_000, 90_000):
        client.says(part)
    assert parts(client.hears())[0] == 503
    assert (len(node.opener.peers), node.services.held_bytes) == (1, 60_000)


def test_what_grows_too_large_is_passed_on(node: Node) -> None:
    """In chunks, and no longer counted; whole and in order."""
    bounded(node)
    client = node.client()
    for part in a_chunked(90_000):
        client.says(part)
    assert node.services.held_bytes == 0
    sent = node.provider.hears().partition(b"\r\n\r\n")[2]
    found = b""
    while not sent.startswith(b"0\r\n"):
        size, _, rest = sent.partition(b"\r\n")
        found += rest[: int(size, 16)]
        sent = rest[int(size, 16) + 2 :]
    assert found == a_body(90_000)
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200


def test_what_is_no_json_is_passed_on_at_once(node: Node) -> None:
    """And nothing of it is held, once there is a connection."""
    bounded(node)
    fields = ("Content-Type: application/octet-stream", "Content-Length: 70000")
    client = node.client().says(a_request("/openai/files", b"", fields=fields) + b"x" * 40_000)
    assert node.provider.hears().endswith(b"x" * 40_000)
    client.says(b"y" * 30_000)
    assert node.provider.hears() == b"y" * 30_000
    assert node.services.held_bytes == 0


def test_a_client_waits_while_there_is_no_connection(node: Node) -> None:
    """No more than a bound of a body that is passed on is kept."""
    node.opener.is_stuck = True
    fields = ("Content-Type: application/octet-stream", "Content-Length: 1000000")
    client = node.client().says(a_request("/openai/files", b"", fields=fields))
    client.says(b"x" * LARGEST_UNSENT)
    assert client.transport.is_reading()
    client.says(b"x")
    assert not client.transport.is_reading()
    node.opener.connect(node.opener.asked[0][1])
    assert client.transport.is_reading()


def test_no_client_waits_for_what_is_passed_on(node: Node) -> None:
    """However much it is: nothing of it is kept."""
    fields = ("Content-Type: application/octet-stream", "Content-Length: 1000000")
    client = node.client().says(a_request("/openai/files", b"", fields=fields))
    for _ in range(3):
        client.says(b"x" * LARGEST_UNSENT)
        assert client.transport.is_reading()


def test_a_client_waits_until_it_is_known(node: Node) -> None:
    """No more of a stranger's body is kept either."""
    node.link.is_silent = True
    client = node.client().says(a_request(body=a_body(LARGEST_UNSENT + 1)))
    assert not client.transport.is_reading()
    assert node.services.held_bytes == 0


def test_a_body_has_a_bound(node: Node) -> None:
    """Whether it says its length or not."""
    bounded(node)
    assert parts(node.client().says(a_request(body=a_body(400_001))[:2000]).hears())[0] == 413
    client = node.client()
    for part in a_chunked(400_001, 50_000):
        if client.is_connected:
            client.says(part)
    assert parts(client.hears())[0] == 413
    assert node.services.held_bytes == 0


def test_a_chunk_is_framed() -> None:
    """RFC 9112 section 7.1."""
    assert chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
