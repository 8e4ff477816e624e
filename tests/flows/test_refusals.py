"""Who is turned away, with which words, and what happens to the connection."""

import pytest

from sluicegate.domain.errors import UpstreamUnreachableError
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from tests.gateway.node import PROVIDER_KEY, TOKEN, Node, a_request, an_answer, parts


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (a_request(token=None), 401, b"missing_api_key"),
        (a_request(token="sk-unknown-unknown"), 401, b"invalid_api_key"),
        (a_request("/v1/nothing"), 404, b"unknown_path"),
        (a_request("/nowhere"), 404, b"unknown_path"),
        (a_request("/nowhere", token=None), 401, b"missing_api_key"),
        (a_request(method="DELETE"), 405, b"method_not_allowed"),
        (a_request(body=b"{broken"), 400, b"invalid_request"),
        (a_request(body=b'{"model":5}'), 400, b"invalid_request"),
        (a_request(fields=("Expect: 200-ok",)), 417, b"expectation_failed"),
        (a_request("/openai/nothing"), 404, b"unknown_path"),
    ],
)
def test_a_refusal_names_its_code(node: Node, request_bytes: bytes, status: int, code: bytes) -> None:
    """Status and code as specified; nothing is sent to a provider; SDKs are told not to retry; one event is left."""
    client = node.client().says(request_bytes)
    answered, fields, body = parts(client.hears())
    assert answered == status
    assert code in body
    assert fields["x-should-retry"] == "false"
    assert fields["x-gateway-error-source"] == "gateway"
    assert node.opener.peers == []
    assert [event.status_code for event in node.events()] == [status]


def test_errors_have_the_shape_of_their_route(node: Node) -> None:
    """OpenAI, Anthropic and Gemini each word an error their own way."""
    client = node.client().says(a_request("/v1/messages", token=None))
    assert parts(client.hears())[2].startswith(b'{"type":"error","error":{"type":"authentication_error"')
    client = node.client().says(a_request("/v1beta/models/x:generateContent", token=None))
    assert b'"status":"UNAUTHENTICATED"' in parts(client.hears())[2]
    client = node.client().says(a_request("/openai/chat/completions", token=None))
    assert parts(client.hears())[2].startswith(b'{"error":{"message"')


@pytest.mark.parametrize(
    ("principal", "code"),
    [
        (Principal(token_id="t", is_active=False), b"token_inactive"),
        (Principal(token_id="t", expires_at=5.0), b"token_expired"),
        (Principal(token_id="t", models=("gpt-5",)), b"model_not_allowed"),
    ],
)
def test_a_known_token_that_may_not_is_forbidden(node: Node, principal: Principal, code: bytes) -> None:
    """Revoked, expired and restricted tokens get 403."""
    node.link.tokens[digest(b"sk-another-token")] = principal
    client = node.client().says(a_request(token="sk-another-token"))
    status, _, body = parts(client.hears())
    assert status == 403
    assert code in body


@pytest.mark.parametrize("field", ["x-api-key: {}", "api-key: {}", "X-Goog-Api-Key: {}", "Authorization: Token {}"])
def test_a_credential_may_come_in_any_of_the_headers(node: Node, field: str) -> None:
    """Each SDK's own header is read, and none of them travels."""
    node.client().says(a_request(token=None, fields=(field.format(TOKEN),)))
    assert TOKEN.encode() not in node.provider.hears()


def test_authorization_comes_first(node: Node) -> None:
    """Where several credentials are sent, `Authorization` decides."""
    node.client().says(a_request(fields=("x-api-key: sk-something-else",)))
    assert node.opener.peers


def test_an_unknown_token_costs_one_question(node: Node) -> None:
    """The answer is remembered, for good and for bad."""
    client = node.client()
    for _ in range(3):
        client.says(a_request(token="sk-unknown-unknown"))
    assert len(node.link.asked) == 1
    client.says(a_request())
    node.provider.says(an_answer())
    client.says(a_request())
    assert len(node.link.asked) == 2


def test_a_small_refused_body_leaves_the_connection_usable(node: Node) -> None:
    """The rest of a small body is read and dropped; the next request is served."""
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: 4\r\n\r\n"
    client = node.client().says(head)
    status, fields, _ = parts(client.hears())
    assert status == 401
    assert "connection" not in fields
    client.says(b"{}  " + a_request())
    assert node.provider.hears().startswith(b"POST /v1/chat/completions")


def test_a_large_refused_body_ends_the_connection_without_a_reset(node: Node) -> None:
    """Our side is closed after the answer, and what still comes is dropped for a while."""
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: 9999999\r\n\r\n"
    client = node.client().says(head)
    status, fields, _ = parts(client.hears())
    assert (status, fields["connection"]) == (401, "close")
    assert client.transport.is_half_closed
    client.says(b"x" * 100_000)
    assert client.is_connected
    node.passes(31)
    assert not client.is_connected


def test_an_expected_continue_is_given_only_to_the_admitted(node: Node) -> None:
    """`100 Continue` follows the check of the credential; a stranger gets its refusal instead."""
    fields = ("Content-Type: application/json", "Content-Length: 19", "Expect: 100-continue")
    client = node.client().says(a_request(body=b"", fields=fields))
    assert client.hears() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.says(b'{"model":"gpt-4o"} ')
    assert node.provider.hears().endswith(b'{"model":"gpt-4o"} ')
    stranger = node.client().says(a_request(body=b"", fields=fields, token=None))
    status, answer, _ = parts(stranger.hears())
    assert (status, answer["connection"]) == (401, "close")


def test_a_body_beyond_the_bound_is_refused_by_its_length(node: Node) -> None:
    """A declared length beyond the limit is refused before a byte of it is read."""
    client = node.client().says(a_request(body=b"", fields=("Content-Length: 268435457",)))
    assert parts(client.hears())[0] == 413


def test_a_growing_body_is_refused_at_the_bound(node: Node) -> None:
    """A chunked body is refused when it passes the limit, and the provider's request is cancelled."""
    node.services.bounds = node.services.bounds.__class__(body_bytes=10)
    head = f"POST /v1/files HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n"
    client = node.client().says(head.encode() + b"6\r\nabcdef\r\n")
    provider = node.provider
    client.says(b"6\r\nabcdef\r\n")
    assert parts(client.hears())[0] == 413
    assert not provider.is_connected


def test_an_unreachable_provider_gives_502_in_the_routes_words(node: Node) -> None:
    """The client learns that it was the provider; the event agrees."""
    node.opener.refusal = UpstreamUnreachableError("provider openai cannot be reached: Connection refused")
    client = node.client().says(a_request())
    status, fields, body = parts(client.hears())
    assert (status, fields["x-gateway-error-source"]) == (502, "upstream")
    assert b"upstream_unreachable" in body
    assert "x-should-retry" not in fields
    (event,) = node.events()
    assert (event.error_source, event.error, event.attempts) == ("upstream", "upstream_unreachable", 1)


def test_no_answer_of_control_is_503(node: Node) -> None:
    """A token that cannot be looked up in time is not refused for good."""
    node.link.is_silent = True
    client = node.client().says(a_request())
    assert client.hears() == b""
    node.passes(6)
    status, fields, _ = parts(client.hears())
    assert (status, fields["retry-after"]) == (503, "1")


def test_no_secret_leaves_the_gateway(node: Node) -> None:
    """Neither the caller's token nor the provider's key appears in any answer or event."""
    client = node.client()
    for request in (a_request(), a_request("/v1/nothing"), a_request(method="PUT"), a_request(body=b"{")):
        client.says(request)
        if node.opener.peers:
            node.provider.says(an_answer(status="500 Broken"))
    heard = client.hears()
    journal = b"".join(path.read_bytes() for path in node.directory.iterdir())
    for secret in (TOKEN.encode(), PROVIDER_KEY.encode()):
        assert secret not in heard
        assert secret not in journal
    assert PROVIDER_KEY not in repr(node.services)
    assert TOKEN not in repr(node.listener.clients)


def test_nothing_is_forwarded_before_the_caller_is_known(node: Node) -> None:
    """A body that outgrows every bound while its token is looked up stays here, and stops being read."""
    node.services.bounds = node.services.bounds.__class__(held_body_bytes=10)
    node.link.is_silent = True
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    client = node.client().says(head.encode() + b"50000\r\n" + b" " * 0x50000)
    assert node.opener.peers == []
    assert not client.transport.is_reading()
    node.services.principals.learn(digest(TOKEN.encode()), node.link.tokens[digest(TOKEN.encode())])
    node.settle()
    assert client.transport.is_reading()
    assert len(node.provider.hears()) > 0x50000
