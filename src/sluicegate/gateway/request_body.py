"""A request's body on its way in: held whole where it must be read or may be sent twice, else passed on as it comes."""

from typing import TYPE_CHECKING, Final

from sluicegate.domain.errors import BodyTooLargeError, OverloadedError
from sluicegate.gateway.stages.meter import METERED

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

UNCODED: Final = frozenset({b"", b"identity"})
"""Content codings of a body that is as it says (RFC 9110 section 8.4)."""
LARGEST_UNSENT: Final = 262_144
"""Bytes of a streaming body that wait for the provider's connection before the client is made to wait."""
HELD_UNCOUNTED: Final = 16_384
"""Bytes of a held body up to which it is not counted among all that are held: as many as are open cannot be much."""


def can_be_held(exchange: "Exchange") -> bool:
    """Whether the body is kept whole: what we must read or may send twice, as long as it is small enough.

    What a model is asked is JSON by whatever name it goes: providers read it, and so must we, for its caps.
    """
    if not exchange.has_body:
        return True
    if max(exchange.content_length, exchange.body_size) > exchange.services.bounds.held_body_bytes:
        return False
    head = exchange.head
    is_json = b"json" in head.content_type or exchange.route.operation in METERED
    return is_json and (not head.content_encoding or head.content_encoding.lower() in UNCODED)


def hold(exchange: "Exchange", size: int) -> None:
    """Count a large body among all that are held; refuse it where they would be too much."""
    services = exchange.services
    services.held_bytes += size - exchange.held_size
    exchange.held_size = size
    if services.held_bytes > services.bounds.all_held_bytes:
        exchange.refuse(
            OverloadedError("the bodies of all requests under way are more than is held at a time", retry_after=1.0)
        )


def take(exchange: "Exchange", data: bytes) -> None:
    """The client sent more of it."""
    exchange.body_size += len(data)
    bounds = exchange.services.bounds
    if exchange.is_ended:
        return
    if exchange.body_size > bounds.body_bytes:
        exchange.refuse(BodyTooLargeError(f"the body is longer than {bounds.body_bytes} bytes, the limit"))
        return
    if not exchange.is_held and exchange.connection is not None:
        exchange.connection.write(chunk(data) if exchange.is_chunked else data)
        return
    exchange.body.append(data)
    if exchange.is_held:
        _take_held(exchange, bounds.held_body_bytes)
    elif exchange.body_size > LARGEST_UNSENT:
        exchange.client.pause_reading()


def _take_held(exchange: "Exchange", largest: int) -> None:
    size = exchange.body_size
    if not exchange.is_admitted:
        if size > LARGEST_UNSENT:
            exchange.client.pause_reading()
        return
    if size > HELD_UNCOUNTED and size > exchange.held_size:
        hold(exchange, size)
    if size > largest and not exchange.is_forwarding and not exchange.is_ended:
        exchange.is_held = False
        exchange.services.held_bytes -= exchange.held_size
        exchange.held_size = 0
        exchange.forward()


def chunk(data: bytes) -> bytes:
    """One chunk of a body whose length is unknown (RFC 9112 section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)
