"""What is refused before anybody asks who is calling."""

import pytest

from tests.gateway.node import TOKEN, Node, a_request, parts


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (a_request(token=None, fields=("Host: other.test",)), 400, b"malformed_request"),
        (b"GET /v1/models HTTP/1.1\r\n\r\n", 400, b"malformed_request"),
        (b"GET /v1/models HTTP/1.1\r\nHost: a b\r\n\r\n", 400, b"malformed_request"),
        (a_request("/v1/models", b"", method="TRACE", token=None), 400, b"malformed_request"),
        (a_request(token=None, fields=("Expect: miracles",)), 417, b"expectation_failed"),
    ],
    ids=["two hosts", "no host", "a host that is none", "trace", "expectation"],
)
def test_the_request_itself_is_judged_before_its_caller(
    node: Node, request_bytes: bytes, status: int, code: bytes
) -> None:
    """Nobody sent a credential, and still the fault of the request is what the client hears."""
    client = node.client().says(request_bytes)
    got, fields, body = parts(client.hears())
    assert (got, fields["connection"]) == (status, "close")
    assert code in body
    assert node.link.asked == []


def test_a_host_that_was_good_is_good_again(node: Node) -> None:
    """A connection's host is looked at once; another one on it is looked at too."""
    client = node.client()
    for host, status in (("gateway.test", 200), ("gateway.test", 200), ("other.test:8080", 200), ("no host", 400)):
        client.says(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert parts(client.hears())[0] == status


def test_an_absolute_target_names_a_host_too(node: Node) -> None:
    """Its authority must be one, whatever the Host field says (RFC 9112 section 3.2.2)."""
    good = node.client().says(b"GET http://any.test/healthz HTTP/1.1\r\nHost: g\r\n\r\n")
    assert parts(good.hears())[0] == 200
    bad = node.client().says(b"GET http://us%20er@any/healthz HTTP/1.1\r\nHost: g\r\n\r\n")
    assert parts(bad.hears())[0] == 400


def test_a_body_at_the_bound_passes_and_one_byte_more_does_not(node: Node) -> None:
    """The declared length decides, before a byte of the body is read."""
    node.services.bounds = node.services.bounds.__class__(body_bytes=100)
    for length, status in ((100, None), (101, 413)):
        head = (
            f"POST /v1/files HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {length}\r\n\r\n"
        )
        heard = node.client().says(head.encode()).hears()
        assert (parts(heard)[0] if heard else None) == status


def test_health_says_how_the_connection_goes_on(node: Node) -> None:
    """A probe that closes is told so; one by HEAD gets the length without the body."""
    closing = node.client().says(a_request("/healthz", b"", method="GET", token=None, fields=("Connection: close",)))
    assert parts(closing.hears())[1]["connection"] == "close"
    assert not closing.is_connected
    head = node.client().says(a_request("/healthz", b"", method="HEAD", token=None))
    _, fields, body = parts(head.hears())
    assert (fields["content-length"], body) == ("2", b"")
    assert head.is_connected


def test_health_has_version_and_time(node: Node) -> None:
    """The time is the worker's clock."""
    client = node.client().says(a_request("/health", b"", method="GET", token=None))
    assert parts(client.hears())[2] == b'{"status":"ok","timestamp":"2023-11-14T22:30:00.000Z","version":"1.2.3"}'
