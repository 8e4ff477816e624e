"""Answers that a browser lets its pages read (Fetch standard, section 3.2: CORS), for the origins that may.

Rule 1. A preflight is answered here, before anybody asks who is calling: browsers send it without the credential.
Rule 2. What a provider says of its own origins is dropped: it means its own pages.
Rule 3. No cookies: callers have tokens, so `*` may stand for every origin, and for every field that may be read.
"""

from typing import TYPE_CHECKING, Final

from sluicegate.gateway.replies import status_line
from sluicegate.wire import headers

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


def preflight(exchange: "Exchange") -> bytes | None:
    """The answer to a browser that asks whether a page may send a request; None where this is no such question."""
    head = exchange.head
    asked = headers.value_of(head.lines, b"access-control-request-method")
    if head.method != b"OPTIONS" or not asked:
        return None
    allowed = fields_of(exchange)
    identity = exchange.request_id.encode()
    parts = [status_line(204), allowed, b"x-request-id: %b\r\nrequest-id: %b\r\n" % (identity, identity)]
    if b"access-control-allow-origin" in allowed:
        wanted = headers.value_of(head.lines, b"access-control-request-headers") or b"*"
        seconds = int(exchange.services.snapshot.cors_seconds)
        parts.append(
            b"access-control-allow-methods: %b\r\naccess-control-allow-headers: %b\r\naccess-control-max-age: %d\r\n"
            % (_METHODS, wanted, seconds)
        )
    if not exchange.keeps_alive:
        parts.append(b"Connection: close\r\n")
    return b"".join([*parts, b"\r\n"])


def fields_of(exchange: "Exchange") -> bytes:
    """What an answer to this request says of who may read it; `Vary` also where nobody may."""
    origins = exchange.services.snapshot.cors_origins
    if "*" in origins:
        return b"access-control-allow-origin: *\r\naccess-control-expose-headers: *\r\n"
    origin = exchange.head.origin
    if origin.decode("latin-1") not in origins:
        return b"Vary: Origin\r\n"
    return b"access-control-allow-origin: %b\r\naccess-control-expose-headers: *\r\nVary: Origin\r\n" % origin


def without_foreign(lines: list[bytes]) -> list[bytes]:
    """The lines of an answer less those of its provider's own rules."""
    return [line for line in lines if not line[:15].lower().startswith(b"access-control-")]
