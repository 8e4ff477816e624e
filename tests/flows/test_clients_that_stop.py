"""Clients that stop halfway: with a refused body, with reading, with a head behind a running answer."""

from typing import cast

from sluicegate.gateway.client import ClientConnection
from tests.gateway.node import Node, a_chunk, a_request, a_stream_head, an_answer, parts

REFUSED = a_request(token=None)[:-5]
"""It is refused by its head alone, and five bytes of its body never come."""
STREAM = a_request(body=b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}')
EVENT = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'


def test_the_rest_of_a_refused_body_is_not_waited_for_for_ever(node: Node) -> None:
    """A stranger that never sends it gives its place back after the time a body may pause."""
    client = node.client().says(REFUSED)
    assert parts(client.hears())[0] == 401
    node.passes(node.services.bounds.body_seconds - 1)
    before = client.transport.is_half_closed
    node.passes(2)
    assert (before, client.transport.is_half_closed) == (False, True)
    node.passes(3)
    assert not client.is_connected
    assert not node.listener.clients


def test_a_drain_does_not_wait_for_the_rest_of_a_refused_body(node: Node) -> None:
    """The answer is out, so the connection counts as idle."""
    client = node.client().says(REFUSED)
    client.hears()
    for connection in list(node.listener.clients):
        connection.drain()
    node.settle()
    assert not client.is_connected


def test_the_rest_of_a_refused_body_still_frees_the_connection(node: Node) -> None:
    """Whoever sends it is served again."""
    client = node.client().says(REFUSED)
    client.hears()
    client.says(a_request(token=None)[-5:] + a_request())
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200


def test_who_never_reads_the_end_of_an_answer_is_dropped(node: Node) -> None:
    """Behind `Connection: close` as on a connection that is kept: after the time an idle one has."""
    client = node.client().says(a_request(fields=("Connection: close",)))
    client.transport.is_stuck = True
    node.provider.says(an_answer())
    node.passes(node.services.bounds.idle_seconds - 1)
    assert client.is_connected
    node.passes(2)
    assert client.transport.is_aborted
    assert not node.listener.clients


def test_who_never_reads_a_refusal_over_tls_is_dropped(node: Node) -> None:
    """There a refused client is closed at once, and cut off when it does not take the refusal."""
    client = node.client(sslcontext=object())
    client.transport.is_stuck = True
    client.says(b"GET / HTTP/1.1\n\n")
    node.passes(node.services.bounds.idle_seconds + 1)
    assert client.transport.is_aborted


def test_a_head_behind_a_running_answer_has_the_same_bounds(node: Node) -> None:
    """The next request's head is bounded while the present one's answer runs, and that goes on to its end."""
    client = node.client().says(STREAM)
    node.provider.says(a_stream_head() + a_chunk(EVENT))
    client.says(b"GET / HTTP/1.1\r\nHost: gateway.test\r\n")
    connection = cast("ClientConnection", client.transport.protocol)
    for _ in range(64):
        client.says(b"x-filler: 0123456789\r\n" * 256)
    assert connection._head is None
    node.provider.says(a_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    heard = client.hears()
    assert heard.index(b"[DONE]") < heard.index(b" 431 ")
    assert not client.is_connected
