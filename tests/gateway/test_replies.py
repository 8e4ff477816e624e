"""Answers of our own."""

import pytest

from sluicegate.dialects.table import DIALECTS
from sluicegate.domain.errors import (
    CredentialMissingError,
    GatewayError,
    MalformedRequestError,
    MethodForbiddenError,
    NoConnectionError,
    UpstreamBrokenError,
)
from sluicegate.gateway.replies import error_fields, error_reply, plain_reply, status_line
from tests.gateway.node import parts


def test_status_lines_have_their_phrase() -> None:
    """Registered codes are named, others have an empty phrase."""
    assert status_line(200) == b"HTTP/1.1 200 OK\r\n"
    assert status_line(599) == b"HTTP/1.1 599 \r\n"


def test_a_head_answer_has_the_length_and_no_body() -> None:
    """HEAD is told what GET would get."""
    raw = plain_reply(200, b"text/plain", b"body", request_id="req_1", closes=True, is_head=True)
    status, fields, body = parts(raw)
    assert (status, fields["content-length"], fields["connection"], body) == (200, "4", "close", b"")


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (CredentialMissingError("x"), b"WWW-Authenticate: Bearer"),
        (CredentialMissingError("x"), b"x-should-retry: false"),
        (MethodForbiddenError("x", allowed=("GET", "POST")), b"Allow: GET, POST\r\n"),
        (NoConnectionError("x", retry_after=1.5), b"retry-after: 2\r\nretry-after-ms: 1500\r\n"),
        (NoConnectionError("x"), b"retry-after: 1\r\nretry-after-ms: 1000\r\n"),
        (UpstreamBrokenError("x"), b"x-gateway-error-source: upstream"),
    ],
)
def test_errors_tell_clients_what_to_do(error: GatewayError, field: bytes) -> None:
    """Retry advice, allowed methods, the scheme of authentication, and who failed."""
    assert field in error_fields(error)


def test_a_retryable_error_of_a_provider_leaves_the_pace_to_the_sdk() -> None:
    """502 has no Retry-After; nothing says not to retry."""
    fields = error_fields(UpstreamBrokenError("x"))
    assert b"retry-after" not in fields
    assert b"x-should-retry" not in fields


def test_an_error_that_ends_the_connection_says_so() -> None:
    """Whatever the caller thinks of the connection."""
    raw = error_reply(
        MalformedRequestError("x"),
        DIALECTS["openai"],
        request_id="req_1",
        closes=False,
        is_head=False,
        extra=b"a: b\r\n",
    )
    status, fields, body = parts(raw)
    assert (status, fields["connection"], fields["a"], fields["x-request-id"]) == (400, "close", "b", "req_1")
    assert body == DIALECTS["openai"].error_body(MalformedRequestError("x"), "req_1")
