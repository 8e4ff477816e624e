"""A provider's connection, beyond what the flows show."""

import gzip

from tests.gateway.node import Node, a_chunk, a_request, an_answer, parts


def test_the_repr_follows_the_connection(node: Node) -> None:
    """Busy, idle, closed."""
    node.client().says(a_request())
    connection = next(iter(node.services.providers.by_name["openai"].pool.all))
    assert "busy served=1" in repr(connection)
    node.provider.says(an_answer())
    assert "idle served=1 status=200" in repr(connection)
    node.provider.leaves()
    assert "closed" in repr(connection)


def test_an_idle_connection_that_the_provider_ends_is_forgotten(node: Node) -> None:
    """The next request opens another."""
    client = node.client().says(a_request())
    node.provider.says(an_answer())
    node.provider.ends()
    client.says(a_request())
    assert len(node.opener.peers) == 2


def test_fields_named_by_the_providers_connection_stay_here(node: Node) -> None:
    """`Connection: x-internal` makes X-Internal hop-by-hop."""
    client = node.client().says(a_request())
    node.provider.says(an_answer(fields=("Connection: x-internal", "X-Internal: 1", "X-Other: 2")))
    _, fields, _ = parts(client.hears())
    assert "x-internal" not in fields
    assert fields["x-other"] == "2"


def test_an_answers_trailers_are_dropped(node: Node) -> None:
    """They never become a part of the body or the head."""
    client = node.client().says(a_request())
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    node.provider.says(head + a_chunk(b"{}") + b"0\r\nX-Trailer: 1\r\n\r\n")
    heard = client.hears()
    assert b"Trailer" not in heard
    assert parts(heard)[2] == b"{}"
    client.says(a_request())
    assert len(node.opener.peers) == 1


def test_a_compressed_answer_passes_untouched_and_is_read(node: Node) -> None:
    """Its encoding is named to the client, and its usage found."""
    body = gzip.compress(b'{"usage":{"prompt_tokens":2,"completion_tokens":3}}')
    client = node.client().says(a_request(fields=("Accept-Encoding: gzip, br",)))
    assert b"Accept-Encoding: gzip, deflate\r\n" in node.provider.hears()
    node.provider.says(an_answer(body, fields=("Content-Encoding: gzip",)))
    _, fields, rest = parts(client.hears())
    assert (fields["content-encoding"], rest) == ("gzip", body)
    assert node.events()[0].metadata.total_tokens == 5


def test_huge_chunk_framing_is_refused(node: Node) -> None:
    """Extensions beyond any use break the answer."""
    client = node.client().says(a_request())
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    node.provider.says(head + b"1;" + b"a" * 100_000)
    node.provider.says(b"a" * 100_000)
    assert not node.provider.is_connected
    assert parts(client.hears())[0] in (200, 502)
