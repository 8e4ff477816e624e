"""Answers on their way: framing and endings that the flows do not show."""

from typing import cast

import pytest

from sluicegate.gateway.client import ClientConnection
from sluicegate.gateway.relay import length_ending
from tests.gateway.node import Node, a_chunk, a_request, a_stream_head, an_answer, parts

MESSAGES = a_request("/v1/messages", b'{"model":"m","stream":true}')
RESPONSES = a_request("/v1/responses", b'{"model":"m","stream":true}')


@pytest.mark.parametrize(
    ("request_bytes", "event", "expected"),
    [
        (MESSAGES, b'event: ping\ndata: {"type":"ping"}\n\n', b"event: error\ndata: "),
        (RESPONSES, b'event: x\ndata: {"type":"x","sequence_number":0}\n\n', b"event: error\ndata: "),
    ],
)
def test_a_broken_stream_ends_in_its_dialect(node: Node, request_bytes: bytes, event: bytes, expected: bytes) -> None:
    """Each API has its own error event."""
    client = node.client().says(request_bytes)
    node.provider.says(a_stream_head() + a_chunk(event))
    client.hears()
    node.provider.leaves()
    assert expected in client.hears()


def test_a_broken_stream_of_http_1_0_ends_with_the_event(node: Node) -> None:
    """Without chunks the event comes plain."""
    body = b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}'
    client = node.client().says(a_request(body=body, version="1.0"))
    node.provider.says(a_stream_head() + a_chunk(b"data: {}\n\n"))
    client.hears()
    node.provider.leaves()
    heard = client.hears()
    assert heard.startswith(b'\n\ndata: {"error"')
    assert not client.is_connected


def test_a_sized_stream_that_breaks_is_cut(node: Node) -> None:
    """A length was promised: no event fits in."""
    body = b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}'
    client = node.client().says(a_request(body=body))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100\r\n\r\n"
    node.provider.says(head + b"data: {}\n\n")
    node.provider.leaves()
    assert client.transport.is_aborted


def test_an_error_instead_of_a_stream_passes_untouched(node: Node) -> None:
    """Where usage was asked for and the provider refuses, its answer keeps its length and bytes."""
    client = node.client().says(a_request(body=b'{"model":"m","stream":true}'))
    node.provider.says(an_answer(b'{"error":{"message":"no"}}', status="400 Bad Request"))
    status, fields, body = parts(client.hears())
    assert (status, fields["content-length"], body) == (400, "26", b'{"error":{"message":"no"}}')


def test_an_unfinished_event_at_the_end_reaches_the_client(node: Node) -> None:
    """What the filter held back is given up at the stream's end."""
    client = node.client().says(a_request(body=b'{"model":"m","stream":true}'))
    node.provider.says(a_stream_head())
    client.hears()
    node.provider.says(a_chunk(b"data: [DONE]"))
    assert client.hears() == b""
    node.provider.says(b"0\r\n\r\n")
    assert b"data: [DONE]" in client.hears()


def test_a_providers_caching_rule_travels(node: Node) -> None:
    """Cache-Control of an ordinary answer is the provider's."""
    client = node.client().says(a_request())
    node.provider.says(an_answer(fields=("Cache-Control: max-age=5",)))
    assert parts(client.hears())[1]["cache-control"] == "max-age=5"


def test_an_end_by_length_is_for_streams_of_events(node: Node) -> None:
    """Where there is none, or a length was promised, nothing can be added."""
    client = node.client().says(MESSAGES)
    node.provider.says(an_answer(b"{}")[:-1])
    exchange = cast("ClientConnection", client.transport.protocol).current
    assert exchange is not None
    assert length_ending(exchange) is None
