"""An answer on its way from provider to client: its head rewritten, its body re-framed and otherwise untouched."""

from typing import TYPE_CHECKING, Final

from sluicegate.domain.errors import GatewayError
from sluicegate.gateway import cors
from sluicegate.gateway.refusals import limit_fields
from sluicegate.gateway.replies import status_line
from sluicegate.gateway.taps import StreamTap, tap_for
from sluicegate.wire.answers import AnswerHead

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

NO_BODY: Final = 0
SIZED: Final = 1
CHUNKED: Final = 2
UNTIL_CLOSE: Final = 3

_LAST_CHUNK = b"0\r\n\r\n"
_STREAM_FIELDS = (
    b"Content-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n"
)
"""What keeps browsers, proxies and CDNs behind us from holding events back."""

_FROM_UPSTREAM = b"x-gateway-error-source: upstream\r\n"
_FROM_GATEWAY = b"x-gateway-error-source: gateway\r\n"
"""Who failed; the control process is a part of the gateway."""

_ENDED_STREAMS = frozenset({"chat", "completions", "responses", "messages", "generate"})
"""Operations whose streams have a last event; a clean close without it would look like success to an SDK."""


def begin(exchange: "Exchange", head: AnswerHead, data: bytes, *, is_complete: bool) -> bytes:
    """The head of the client's answer; decides how the body is framed and who watches it."""
    services = exchange.services
    now = services.clock()
    route = exchange.route
    exchange.is_head_sent = True
    exchange.status = exchange.upstream_status = status = head.status
    if head.request_id:
        exchange.upstream_request_id = head.request_id.decode("latin-1")
    content_type = head.content_type
    exchange.is_stream = is_stream = content_type.startswith(b"text/event-stream")
    is_control = route.kind == "control"
    if not is_control:
        exchange.tap = tap_for(route.dialect, route.operation, content_type, head.content_encoding)
    if not is_stream or status >= 400:
        exchange.filter = None
    parts = [status_line(status)]
    lines = head.lines
    if exchange.head.origin and services.snapshot.cors_origins:
        lines = cors.without_foreign(lines)
    if lines:
        text = b"\r\n".join(lines)
        if exchange.reservation is not None and b"ratelimit-" in text.lower():
            # Ours take the place of what the provider says of the limits of our key with it.
            text = b"\r\n".join([line for line in lines if b"ratelimit-" not in line[:24].lower()])
        if text:
            parts += (text, b"\r\n")
    if is_stream:
        parts.append(_STREAM_FIELDS)
    else:
        if content_type:
            parts.append(b"Content-Type: %b\r\n" % content_type)
        if head.cache_control:
            parts.append(b"Cache-Control: %b\r\n" % head.cache_control)
    parts.append(_framing(exchange, head, len(data), is_complete=is_complete))
    if not exchange.keeps_alive or exchange.framing == UNTIL_CLOSE or services.is_draining:
        exchange.keeps_alive = False
        parts.append(b"Connection: close\r\n")
    elif exchange.head.is_http10:
        parts.append(b"Connection: keep-alive\r\n")
    if status >= 400:
        parts.append(_FROM_GATEWAY if is_control else _FROM_UPSTREAM)
    exchange.overhead_us = int((exchange.sent - exchange.ready - exchange.elsewhere + services.clock() - now) * 1e6)
    identity = exchange.request_id.encode()
    parts.append(b"%bx-request-id: %b\r\nrequest-id: %b\r\n\r\n" % (gateway_fields(exchange), identity, identity))
    return b"".join(parts)


def gateway_fields(exchange: "Exchange") -> bytes:
    """What we say of ourselves on every answer."""
    runtime = exchange.runtime_or_none
    readable = cors.fields_of(exchange) if exchange.head.origin and exchange.services.snapshot.cors_origins else b""
    if runtime is exchange.services.control:
        return readable
    limits = limit_fields(exchange, exchange.reservation.purse) if exchange.reservation is not None else b""
    selector = exchange.selector
    alias = selector.alias if selector is not None else ""
    return b"%b%b%bx-gateway-attempts: %d\r\nx-gateway-cache: bypass\r\nx-gateway-overhead-us: %d\r\n" % (
        readable,
        limits,
        exchange.services.identity(exchange.model, alias, runtime),
        exchange.attempts,
        max(exchange.overhead_us, 0),
    )


def _framing(exchange: "Exchange", head: AnswerHead, size: int, *, is_complete: bool) -> bytes:
    """Choose the framing towards the client (RFC 9112 section 6) and return its field."""
    length = head.content_length
    status = head.status
    if exchange.method == b"HEAD" or status in (204, 304):
        exchange.framing = NO_BODY
        return b"Content-Length: %d\r\n" % length if length >= 0 and status != 204 else b""
    if exchange.filter is None and (length >= 0 or (is_complete and not exchange.is_stream)):
        exchange.framing = SIZED
        return b"Content-Length: %d\r\n" % (length if length >= 0 else size)
    if exchange.head.is_http10:
        exchange.framing = UNTIL_CLOSE
        return b""
    exchange.framing = CHUNKED
    return b"Transfer-Encoding: chunked\r\n"


def framed(exchange: "Exchange", data: bytes) -> bytes:
    """One read of the provider's body as the client gets it, where it is more than a chunk of its own."""
    if exchange.filter is not None:
        data = exchange.filter.feed(data)
    if exchange.framing == CHUNKED:
        return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
    return data if exchange.framing != NO_BODY else b""


def ending(exchange: "Exchange") -> bytes:
    """What follows the last read of a whole answer."""
    rest = b""
    if exchange.filter is not None:
        rest = exchange.filter.flush()
    if exchange.framing != CHUNKED:
        return rest
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(rest), rest) if rest else _LAST_CHUNK


def is_truncated(exchange: "Exchange") -> bool:
    """Whether a stream of a kind that has a last event ended without it."""
    tap = exchange.tap
    if exchange.status != 200 or exchange.route.operation not in _ENDED_STREAMS or not isinstance(tap, StreamTap):
        return False
    reading = tap.reading()
    return not reading.is_complete and reading.error is None


def broken_ending(exchange: "Exchange", error: GatewayError) -> bytes | None:
    """The end of an answer that broke: an error event where it is a stream; None where only a cut tells the client."""
    tap = exchange.tap
    if not exchange.is_stream or not isinstance(tap, StreamTap) or exchange.framing == SIZED:
        return None
    tap.reading()  # digests what is pending, so that the count of events is true
    event = exchange.route.dialect.stream_error(error, exchange.request_id, exchange.route.operation, tap.events)
    # A blank line first: the provider may have stopped in the middle of an event.
    event = b"\n\n" + event
    exchange.filter = None
    if exchange.framing == CHUNKED:
        return b"%x\r\n%b\r\n0\r\n\r\n" % (len(event), event)
    return event


def length_ending(exchange: "Exchange") -> bytes | None:
    """The end of a stream that is cut as if the model had reached its cap; None where its API has no such end."""
    tap = exchange.tap
    if not isinstance(tap, StreamTap) or exchange.framing == SIZED:
        return None
    reading = tap.reading()
    events = exchange.route.dialect.length_ending(exchange.request_id, exchange.route.operation, reading, tap.events)
    if not events:
        return None
    exchange.filter = None
    events = b"\n\n" + events
    if exchange.framing == CHUNKED:
        return b"%x\r\n%b\r\n0\r\n\r\n" % (len(events), events)
    return events


def upgrade_head(exchange: "Exchange", head: AnswerHead) -> bytes:
    """The 101 answer."""
    exchange.is_head_sent = True
    exchange.status = exchange.upstream_status = 101
    identity = exchange.request_id.encode()
    return b"".join(
        (
            status_line(101),
            *[line + b"\r\n" for line in head.lines],
            b"Connection: Upgrade\r\nUpgrade: " + (head.upgrade or exchange.head.upgrade) + b"\r\n",
            gateway_fields(exchange),
            b"x-request-id: %b\r\nrequest-id: %b\r\n\r\n" % (identity, identity),
        )
    )
