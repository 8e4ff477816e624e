"""Answers of our own: errors in the shape of the route's API, and what a worker says by itself."""

from functools import cache
from http import HTTPStatus
from math import ceil

from sluicegate.dialects.base import Dialect
from sluicegate.domain.errors import GatewayError, LimitError, MethodForbiddenError


@cache
def status_line(status: int) -> bytes:
    """`HTTP/1.1 200 OK` and CRLF; providers' unregistered codes get an empty phrase."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


LONGEST_RETRY = 60.0
"""Seconds after which an SDK may try again by itself: the official ones ignore a longer `retry-after` and would try at
once."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def plain_reply(
    status: int, content_type: bytes, body: bytes, *, request_id: str, closes: bool, is_head: bool, extra: bytes = b""
) -> bytes:
    """A whole answer. A HEAD request gets the length of the body it would have had, and no body."""
    identity = request_id.encode()
    head = b"".join(
        (
            status_line(status),
            b"Content-Type: ",
            content_type,
            b"\r\nx-request-id: ",
            identity,
            b"\r\nrequest-id: ",
            identity,
            b"\r\n",
            extra,
            b"Connection: close\r\n" if closes else b"",
            b"Content-Length: %d\r\n\r\n" % len(body),
        )
    )
    return head if is_head else head + body


def error_fields(error: GatewayError) -> bytes:
    """The header fields that tell clients and their SDKs what to do about an error."""
    fields = [b"x-gateway-error-source: ", error.source.encode(), b"\r\n"]
    seconds = error.retry_after
    if seconds is None and error.is_retryable and not isinstance(error, LimitError):
        seconds = 1.0
    if seconds is not None and error.status in (429, 503):
        fields.append(b"retry-after: %d\r\nretry-after-ms: %d\r\n" % (ceil(seconds), ceil(seconds * 1000)))
    if not error.is_retryable or (isinstance(error, LimitError) and (seconds is None or seconds > LONGEST_RETRY)):
        fields.append(b"x-should-retry: false\r\n")
    if isinstance(error, MethodForbiddenError) and error.allowed:
        fields.append(b"Allow: %b\r\n" % ", ".join(error.allowed).encode())
    if error.status == 401:
        fields.append(b'WWW-Authenticate: Bearer realm="sluicegate"\r\n')
    return b"".join(fields)


def error_reply(
    error: GatewayError, dialect: Dialect, *, request_id: str, closes: bool, is_head: bool, extra: bytes = b""
) -> bytes:
    """A whole answer that carries one of our errors."""
    return plain_reply(
        error.status,
        dialect.error_type,
        dialect.error_body(error, request_id),
        request_id=request_id,
        closes=closes or error.closes_connection,
        is_head=is_head,
        extra=error_fields(error) + extra,
    )
