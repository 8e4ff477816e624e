"""A client's connection: what it reads when, and what becomes of what it has read."""

from typing import Any

import pytest

from sluicegate.domain.snapshot import ClientBounds
from sluicegate.gateway.client import LARGEST_PIPELINE
from tests.gateway.node import TOKEN, Node, a_request, an_answer, parts

HEALTH = a_request("/healthz", b"", method="GET", token=None)


def test_the_representation_follows_the_connection(node: Node) -> None:
    """It names the client's address and what the connection is doing."""
    client = node.client()
    assert repr(client.transport.protocol).startswith("<ClientConnection 203.0.113.9 idle current=None waiting=0")
    client.says(b"GET / HT")
    assert " head " in repr(client.transport.protocol)


def test_a_client_on_a_unix_socket_has_no_address(node: Node) -> None:
    """Its peer name is empty; it is served all the same."""
    client = node.client(peername="").says(HEALTH)
    assert parts(client.hears())[0] == 200


def test_a_request_may_begin_in_the_read_that_ends_another(node: Node) -> None:
    """The first is answered, the second waits for its rest."""
    client = node.client().says(HEALTH + HEALTH[:20])
    assert parts(client.hears())[0] == 200
    client.says(HEALTH[20:])
    assert parts(client.hears())[0] == 200


def test_as_many_as_may_wait_are_served(node: Node) -> None:
    """The bound on pipelining is reached, not passed: all are answered in order."""
    client = node.client().says(HEALTH * (LARGEST_PIPELINE + 1))
    for _ in range(LARGEST_PIPELINE + 1):
        node.settle()
    assert client.hears().count(b"HTTP/1.1 200 OK") == LARGEST_PIPELINE + 1
    assert client.transport.is_reading()


def test_a_fault_behind_a_request_waits_for_its_answer(node: Node) -> None:
    """The request in front is served first; then the fault is told and the connection ends."""
    client = node.client().says(a_request() + b"garbage\r\n\r\n")
    assert client.hears() == b""
    node.provider.says(an_answer())
    answers = client.hears()
    assert answers.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 400" in answers
    assert client.transport.is_half_closed, "a reset, by what it still sends, could overtake its answers"


@pytest.mark.parametrize("fields", [{"fields": ("Connection: close",)}, {"version": "1.0"}])
def test_nothing_is_said_behind_the_last_answer(node: Node, fields: dict[str, Any]) -> None:
    """What follows a request that was announced as the last is dropped: an answer to it would be read as its body."""
    client = node.client().says(a_request(**fields) + b"garbage\r\n\r\n")
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    node.provider.says(head + b"2\r\n{}\r\n0\r\n\r\n")
    answers = client.hears()
    assert answers.count(b"HTTP/1.1 ") == 1
    assert b"malformed" not in answers
    assert client.transport.is_half_closed


def test_a_growing_head_is_refused_before_it_ends(node: Node) -> None:
    """Neither a target nor fields are collected without bound."""
    node.services.bounds = ClientBounds(request_line=100, header_bytes=200, header_count=4)
    assert parts(node.client().says(b"GET /" + b"a" * 101).hears())[0] == 414
    assert parts(node.client().says(b"GET / HTTP/1.1\r\nx: " + b"a" * 400).hears())[0] == 431


def test_a_refused_client_is_cut_when_it_lingers(node: Node) -> None:
    """What it still sends is dropped, its end ends the connection, and it has half a minute."""
    client = node.client().says(b"garbage\r\n\r\n")
    assert client.transport.is_half_closed
    client.hears()
    assert client.says(HEALTH).hears() == b""
    node.passes(29)
    before = client.transport.is_aborted
    node.passes(2)
    assert (before, client.transport.is_aborted) == (False, True)


def test_a_refused_client_that_ends_is_closed(node: Node) -> None:
    """There is nothing more to wait for."""
    assert not node.client().says(b"garbage\r\n\r\n").ends().is_connected


def test_a_client_that_ends_without_notice_has_left(node: Node) -> None:
    """Its request is cancelled; the next one that waited is not begun."""
    client = node.client().says(a_request() * 2).ends()
    assert not client.is_connected
    assert not node.provider.is_connected
    assert len(node.opener.peers) == 1


def test_the_rest_of_a_refused_small_body_may_be_followed_at_once(node: Node) -> None:
    """Rest and next request may come in one read."""
    head = f"POST /v1/none HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n\r\n"
    client = node.client().says(head.encode() + b"1234")
    assert parts(client.hears())[0] == 404
    client.says(b"56789" + HEALTH)
    assert parts(client.hears())[0] == 200


def test_draining_lets_a_request_under_way_finish(node: Node) -> None:
    """The connection is closed behind the answer although the client would go on."""
    client = node.client().says(a_request())
    node.services.is_draining = True
    for connection in list(node.listener.clients):
        connection.drain()
    assert client.is_connected
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200
    assert not client.is_connected


def test_what_follows_an_upgrade_request_is_for_the_tunnel(node: Node) -> None:
    """Bytes sent before the provider has agreed are kept, and are the first through the tunnel."""
    upgrade = a_request(
        "/openai/realtime?model=m", b"", method="GET", fields=("Connection: Upgrade", "Upgrade: websocket")
    )
    client = node.client().says(upgrade + b"early")
    assert not node.provider.hears().endswith(b"early")
    node.provider.says(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert node.provider.hears() == b"early"
    assert client.hears().startswith(b"HTTP/1.1 101 ")


def test_at_the_deadline_of_draining_an_idle_client_is_cut(node: Node) -> None:
    """It has nothing to hear."""
    client = node.client()
    for connection in list(node.listener.clients):
        connection.cut()
    assert client.transport.is_aborted
    assert client.hears() == b""
