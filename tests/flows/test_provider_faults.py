"""What a provider may do wrong, and what the client, the event and the connections then say."""

import pytest

from sluicegate.domain.errors import UpstreamUnreachableError
from sluicegate.domain.snapshot import Timeouts
from tests.gateway.node import (
    Node,
    a_chunk,
    a_provider,
    a_request,
    a_snapshot,
    a_stream_head,
    an_answer,
    parts,
)

STREAM = a_request(body=b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}')
EVENT = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
OK = b"HTTP/1.1 200 OK\r\n"

UNREADABLE = {
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
    "not HTTP": b"220 smtp.test ESMTP\r\n",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/3.0": b"HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "obs-fold": OK + b"A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "control character": OK + b"A: b\x01\r\nContent-Length: 0\r\n\r\n",
    "space before the colon": OK + b"A : b\r\nContent-Length: 0\r\n\r\n",
    "differing lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length with chunks": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "two codings": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": OK + b"Transfer-Encoding: gzip\r\n\r\n{}",
    "endless head": OK + b"A: " + b"b" * 200_000,
    "many fields": OK + b"".join(b"A%d: b\r\n" % number for number in range(400)) + b"Content-Length: 0\r\n\r\n",
    "a switch of protocols that names none": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "protocol switch": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_answer_that_breaks_a_rule_is_502(node: Node, name: str) -> None:
    """The client gets 502 in its API's words, the connection is not used again, the event says who failed."""
    client = node.client().says(a_request())
    provider = node.provider.says(UNREADABLE[name])
    status, fields, body = parts(client.hears())
    assert status == 502
    assert fields["x-gateway-error-source"] == "upstream"
    assert b"upstream_error" in body
    assert not provider.is_connected
    (event,) = node.events()
    assert (event.status_code, event.error_source, event.error) == (502, "upstream", "upstream_error")
    assert client.is_connected


@pytest.mark.parametrize("name", UNREADABLE)
def test_the_same_bytes_one_by_one_are_502_too(node: Node, name: str) -> None:
    """How an answer is cut into reads changes nothing."""
    client = node.client().says(a_request())
    raw = UNREADABLE[name]
    size = 1 if len(raw) < 2000 else 1000
    for at in range(0, len(raw), size):
        node.provider.says(raw[at : at + size])
    assert parts(client.hears())[0] == 502


def test_a_close_before_any_answer_is_502(node: Node) -> None:
    """On a fresh connection the request may have been read, so it is not sent again."""
    client = node.client().says(a_request())
    node.provider.ends()
    assert parts(client.hears())[0] == 502
    assert len(node.opener.peers) == 1
    assert node.events()[0].attempts == 1


def test_a_reset_of_a_pooled_connection_is_tried_once_more(node: Node) -> None:
    """A connection that was closed while idle costs nothing but a second attempt."""
    client = node.client().says(a_request())
    node.provider.says(an_answer())
    client.hears()
    client.says(a_request())
    node.provider.leaves(ConnectionResetError())
    assert len(node.opener.peers) == 2
    assert node.provider.hears().startswith(b"POST /v1/chat/completions")
    node.provider.says(an_answer(b'{"usage":{"prompt_tokens":1,"completion_tokens":1}}'))
    assert parts(client.hears())[1]["x-gateway-attempts"] == "2"
    assert [event.attempts for event in node.events()] == [2]


def test_a_pooled_connection_that_read_the_request_is_not_tried_again(node: Node) -> None:
    """A clean close after our bytes were taken may mean that the provider worked on them: never sent twice."""
    client = node.client().says(a_request())
    node.provider.says(an_answer())
    client.hears()
    client.says(a_request())
    node.provider.ends()
    assert parts(client.hears())[0] == 502
    assert len(node.opener.peers) == 1


def test_a_second_reset_is_final(node: Node) -> None:
    """There is one more attempt, not many."""
    client = node.client().says(a_request())
    node.provider.says(an_answer())
    client.hears()
    client.says(a_request())
    node.provider.leaves(ConnectionResetError())
    node.provider.leaves(ConnectionResetError())
    assert parts(client.hears())[0] == 502


def test_a_retry_that_cannot_connect_says_so(node: Node) -> None:
    """The refusal of the fresh connection is what the client hears."""
    client = node.client().says(a_request())
    node.provider.says(an_answer())
    client.hears()
    node.opener.refusal = UpstreamUnreachableError("provider openai cannot be reached: Connection refused")
    client.says(a_request())
    node.provider.leaves(ConnectionResetError())
    assert b"upstream_unreachable" in client.hears()


def test_a_stream_that_breaks_ends_with_an_error_event(node: Node) -> None:
    """SDKs raise, since the last event is an error; the connection stays usable; the event is marked as cut."""
    client = node.client().says(STREAM)
    node.provider.says(a_stream_head() + a_chunk(EVENT))
    client.hears()
    node.provider.leaves(ConnectionResetError())
    heard = client.hears()
    assert b'data: {"error":{' in heard
    assert b"upstream_error" in heard
    assert heard.endswith(b"\r\n0\r\n\r\n")
    assert client.is_connected
    pending = node.lines()[0]
    assert type(pending).__name__ == "Pending"
    node.link.counted[0](None)
    (event,) = node.events()
    assert (event.status_code, event.is_cut, event.error) == (200, True, "upstream_error")
    assert event.usage is not None
    assert event.usage.output_tokens >= 1


def test_a_stream_that_ends_cleanly_too_early_is_broken_too(node: Node) -> None:
    """Without its last event a clean end would look like success."""
    client = node.client().says(STREAM)
    node.provider.says(a_stream_head() + a_chunk(EVENT) + b"0\r\n\r\n")
    heard = client.hears()
    assert EVENT in heard
    assert b"the stream ended before its last event" in heard
    node.link.counted[0](None)
    assert node.events()[0].is_cut


def test_a_malformed_chunk_breaks_the_stream(node: Node) -> None:
    """What came before it is passed on; then the error event."""
    client = node.client().says(STREAM)
    node.provider.says(a_stream_head() + a_chunk(EVENT) + b"zz\r\n")
    heard = client.hears()
    assert EVENT in heard
    assert b'"error"' in heard


def test_a_sized_answer_that_breaks_cuts_the_connection(node: Node) -> None:
    """Where no error event is possible, only a cut tells the client that bytes are missing."""
    client = node.client().says(a_request())
    node.provider.says(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    assert client.hears().endswith(b"{")
    node.provider.leaves()
    assert not client.is_connected
    assert client.transport.is_aborted
    node.link.counted[0](None)
    assert node.events()[0].is_cut


def test_an_answer_without_length_ends_with_the_connection(node: Node) -> None:
    """Its end is the provider's close; the client gets it in chunks."""
    client = node.client().says(a_request())
    node.provider.says(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
    node.provider.says(b"}")
    node.provider.ends()
    heard = client.hears()
    assert b"Transfer-Encoding: chunked" in heard
    assert heard.endswith(b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")


def test_informational_answers_are_passed_over(node: Node) -> None:
    """100 and 103 before the answer mean nothing to the client."""
    client = node.client().says(a_request())
    node.provider.says(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
    assert client.hears() == b""
    node.provider.says(an_answer())
    status, fields, _ = parts(client.hears())
    assert status == 200
    assert "link" not in fields


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_without_a_body(node: Node, status: str) -> None:
    """204 and 304 have none, and the connection goes on."""
    client = node.client().says(a_request("/openai/files/f1", b"", method="DELETE"))
    node.provider.says(f"HTTP/1.1 {status}\r\n\r\n".encode())
    answered, fields, body = parts(client.hears())
    assert (str(answered), body) == (status[:3], b"")
    assert "transfer-encoding" not in fields
    client.says(a_request())
    assert len(node.opener.peers) == 1


def test_head_gets_the_length_and_no_body(node: Node) -> None:
    """A HEAD answer ends with its head, although it names a length; the provider's connection is used again."""
    client = node.client().says(a_request("/openai/models", b"", method="HEAD"))
    node.provider.says(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
    status, fields, body = parts(client.hears())
    assert (status, fields["content-length"], body) == (200, "1234", b"")
    client.says(a_request())
    assert len(node.opener.peers) == 1
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200


def test_bytes_behind_an_answer_are_never_another_answer(node: Node) -> None:
    """A second answer nobody asked for closes the connection; the first is sound."""
    client = node.client().says(a_request())
    provider = node.provider.says(an_answer() + an_answer(b'{"evil":1}'))
    assert parts(client.hears())[2] == b'{"ok":true}'
    assert not provider.is_connected


def test_bytes_of_an_idle_connection_close_it(node: Node) -> None:
    """Nobody asked, so nobody listens."""
    node.client().says(a_request())
    provider = node.provider.says(an_answer())
    provider.says(an_answer())
    assert not provider.is_connected


def test_a_connection_that_is_to_be_closed_is_not_used_again(node: Node) -> None:
    """`Connection: close` from the provider."""
    client = node.client().says(a_request())
    node.provider.says(an_answer(fields=("Connection: close",)))
    client.says(a_request())
    assert len(node.opener.peers) == 2


TIMEOUTS = Timeouts(connect=5, first_byte=20, between_bytes=10, total=60)


def timed(node: Node) -> None:
    """Configure short timeouts."""
    node.services.configure(a_snapshot(providers=(a_provider(timeouts=TIMEOUTS),)))


def test_no_first_byte_in_time_is_504(node: Node) -> None:
    """The provider's request is cancelled, the client told."""
    timed(node)
    client = node.client().says(a_request())
    node.passes(19)
    assert client.hears() == b""
    node.passes(2)
    assert parts(client.hears())[0] == 504
    assert not node.provider.is_connected
    assert node.events()[0].error == "upstream_timeout"


def test_a_stall_in_a_stream_ends_it_with_an_error_event(node: Node) -> None:
    """Too long between two reads."""
    timed(node)
    client = node.client().says(STREAM)
    node.provider.says(a_stream_head() + a_chunk(EVENT))
    client.hears()
    node.passes(9)
    assert client.hears() == b""
    node.passes(2)
    assert b"upstream_timeout" in client.hears()


def test_a_client_that_reads_slowly_is_not_the_providers_stall(node: Node) -> None:
    """While the client is behind, the provider is not read and cannot be late."""
    timed(node)
    client = node.client().says(STREAM)
    node.provider.says(a_stream_head() + a_chunk(EVENT))
    client.transport.protocol.pause_writing()
    assert not node.provider.transport.is_reading()
    node.passes(15)
    assert b"upstream_timeout" not in client.hears()
    client.transport.protocol.resume_writing()
    assert node.provider.transport.is_reading()


def test_an_answer_that_never_ends_is_ended(node: Node) -> None:
    """The total bound holds however busy the stream is."""
    timed(node)
    client = node.client().says(STREAM)
    node.provider.says(a_stream_head())
    for _ in range(8):
        node.provider.says(a_chunk(EVENT))
        node.passes(8)
    assert b"upstream_timeout" in client.hears()


def test_a_request_waits_for_a_connection_in_order_and_not_forever(node: Node) -> None:
    """At the cap a request waits; it is served when a connection is free, or refused with 503."""
    node.services.configure(a_snapshot(providers=(a_provider(max_connections=1, max_wait=5.0),)))
    first, second, third = (node.client().says(a_request()) for _ in range(3))
    assert len(node.opener.peers) == 1
    node.provider.says(an_answer())
    assert parts(first.hears())[0] == 200
    assert second.hears() == b""
    node.passes(6)
    status, fields, body = parts(third.hears())
    assert status == 503
    assert fields["retry-after"] == "1"
    assert b"upstream_busy" in body
    node.provider.says(an_answer())
    assert parts(second.hears())[0] == 200
