"""Clients that stop halfway: with a body, with reading, with a head behind a running answer."""

from typing import cast

from sluicegate.gateway.client import ClientConnection
from tests.gateway.node import TOKEN, Node, a_chunk, a_request, a_stream_head, an_answer, parts

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
    node.passes(31)
    assert not client.is_connected
    assert not node.listener.clients


def test_a_client_that_was_made_to_wait_has_its_whole_time_again(node: Node) -> None:
    """Where a provider took nothing for long, the client is not late the moment it may go on."""
    fields = ("Content-Type: application/octet-stream", "Content-Length: 100")
    client = node.client().says(a_request("/openai/files", b"", fields=fields) + b"begins")
    longest = node.services.bounds.body_seconds
    node.provider.transport.protocol.pause_writing()
    node.passes(longest + 1)
    node.provider.transport.protocol.resume_writing()
    node.passes(longest - 1)
    assert client.hears() == b""
    node.passes(2)
    assert parts(client.hears())[0] == 408


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
    """As without TLS: it is given the end, and cut off where it does not end itself."""
    client = node.client(sslcontext=object())
    client.transport.is_stuck = True
    client.says(b"GET / HTTP/1.1\n\n")
    node.passes(31)
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
    assert client.transport.is_half_closed


def test_an_answer_that_overflows_at_its_end_holds_up_the_next(node: Node) -> None:
    """What waits is not begun, and no more is read, until the client has taken what was sent."""
    client = node.client()
    client.transport.room = 100
    client.says(a_request() + STREAM)
    node.provider.says(an_answer())
    assert not client.transport.is_reading()
    assert node.provider.hears().count(b"POST ") == 1
    assert parts(client.hears())[0] == 200
    node.settle()
    assert b'"stream":true' in node.provider.hears()
    assert client.transport.is_reading()
    node.provider.says(a_stream_head() + a_chunk(EVENT))
    assert not node.provider.transport.is_reading()


def test_requests_of_who_takes_no_answers_are_not_read(node: Node) -> None:
    """One after the other they would fill the memory with their answers; read again, the client goes on."""
    client = node.client()
    client.transport.room = 100
    client.says(a_request())
    node.provider.says(an_answer())
    before = client.transport.is_reading()
    client.hears()
    assert (before, client.transport.is_reading()) == (False, True)
    client.says(a_request())
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200


def test_what_follows_a_dropped_body_waits_for_who_takes_no_answers(node: Node) -> None:
    """The rest of a refused body is read even then; the request behind it is not begun."""
    client = node.client()
    client.transport.room = 100
    client.says(REFUSED)
    client.says(a_request(token=None)[-5:] + a_request())
    assert not node.opener.peers
    assert parts(client.hears())[0] == 401
    node.settle()
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200


def test_who_is_being_closed_is_not_served_when_it_reads_on(node: Node) -> None:
    """Its answer was the last before the gateway ends: the request behind it is never begun."""
    client = node.client()
    client.transport.room = 100
    client.transport.is_stuck = True
    client.says(a_request() * 2)
    node.services.is_draining = True
    node.provider.says(an_answer())
    client.hears()
    node.settle()
    assert client.transport.is_closing()
    assert node.provider.hears().count(b"POST ") == 1


def test_an_answer_before_the_whole_upload_ends_the_provider_s_connection(node: Node) -> None:
    """The next caller's request, and the key in it, would be read as the rest of that body."""
    head = f"POST /v1/files HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 100\r\n\r\n"
    client = node.client().says(head.encode() + b"x" * 10)
    node.provider.says(an_answer(status="413 Request Entity Too Large"))
    assert parts(client.hears())[0] == 413
    assert not node.provider.is_connected
    node.client().says(a_request())
    assert len(node.opener.peers) == 2


def test_an_answer_before_the_provider_took_the_body_ends_its_connection(node: Node) -> None:
    """The next request would wait behind the rest of a body that nobody reads any more."""
    node.opener.room = 1000
    client = node.client().says(a_request(body=b'{"model":"m","pad":"' + b"x" * 2000 + b'"}'))
    node.provider.says(an_answer(status="429 Too Many Requests"))
    assert parts(client.hears())[0] == 429
    assert not node.provider.is_connected


def test_an_answer_behind_the_whole_upload_leaves_the_provider_s_connection(node: Node) -> None:
    """It can be used again, as behind any other request."""
    head = f"POST /v1/files HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 100\r\n\r\n"
    node.client().says(head.encode() + b"x" * 10).says(b"x" * 90)
    node.provider.says(an_answer())
    node.client().says(a_request())
    assert len(node.opener.peers) == 1
