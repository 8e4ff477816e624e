"""Accept: a well-formed request, inside the limits, for a route we know."""

from typing import TYPE_CHECKING

from sluicegate.domain.errors import BodyTooLargeError, ExpectationFailedError, MalformedRequestError
from sluicegate.gateway.cors import preflight
from sluicegate.gateway.heads import RequestHead
from sluicegate.gateway.local import local_answer
from sluicegate.gateway.replies import plain_reply
from sluicegate.wire.headers import has_field
from sluicegate.wire.target import TargetError, is_authority

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange


def accept(exchange: "Exchange") -> bytes | None:
    """Find the route; answer health checks. Raises MalformedRequestError, ExpectationFailedError, BodyTooLargeError."""
    services = exchange.services
    head = exchange.head
    if head.judged_by is not services.routes:
        _judge(exchange, head)
    exchange.route = route = head.route
    if head.origin and services.snapshot.cors_origins:
        answer = preflight(exchange)
        if answer is not None:
            return answer
    largest = services.bounds.body_bytes
    if exchange.content_length > largest:
        raise BodyTooLargeError(f"the body has {exchange.content_length} bytes, the limit is {largest}")
    if route.kind == "local":
        status, content_type, body = local_answer(
            route.endpoint,
            is_ready=not services.is_draining,
            version=services.version,
            timestamp=lambda: services.timestamp(services.wall()),
        )
        return plain_reply(
            status,
            content_type,
            body,
            request_id=exchange.request_id,
            closes=not exchange.keeps_alive,
            is_head=exchange.method == b"HEAD",
        )
    return None


def _judge(exchange: "Exchange", head: RequestHead) -> None:
    """Check what holds for every request that such a head begins, and find its route."""
    routes = exchange.services.routes
    head.prefixes.clear()
    try:
        exchange.route = head.route = routes.find(
            head.method, head.raw_target, is_anthropic=has_field(head.lines, b"anthropic-version")
        )
    except TargetError as error:
        raise MalformedRequestError(str(error)) from None
    if head.fault:
        raise MalformedRequestError(head.fault)
    if head.method in (b"CONNECT", b"TRACE"):
        raise MalformedRequestError(f"the method {head.method.decode()} is not served")
    if head.upgrade and (head.content_length > 0 or head.is_chunked):
        raise MalformedRequestError("a request to switch to WebSocket has no body")
    _check_host(head, head.route.target.authority)
    if head.expect and head.expect.lower() != b"100-continue":
        raise ExpectationFailedError("the only expectation served is 100-continue")
    head.judged_by = routes


def _check_host(head: RequestHead, authority: bytes | None) -> None:
    """Exactly one valid Host (RFC 9112 section 3.2); HTTP/1.0 may have none."""
    hosts = head.hosts
    if len(hosts) > 1:
        raise MalformedRequestError("the request has more than one Host field")
    if not hosts and not head.is_http10:
        raise MalformedRequestError("the request has no Host field")
    for host in (*hosts, authority):
        if host is not None and not is_authority(host):
            raise MalformedRequestError("the Host field is not a host and a port")
