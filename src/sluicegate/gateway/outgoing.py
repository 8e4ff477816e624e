"""A request as its provider gets it: request line and credential are ours, fields and body the client's."""

import asyncio
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from sluicegate.domain.errors import CredentialUnusableError
from sluicegate.domain.pricing import Price
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import Fact
from sluicegate.gateway.heads import RequestHead
from sluicegate.gateway.providers import ProviderRuntime
from sluicegate.gateway.request_body import chunk
from sluicegate.wire import headers

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

_JOINED: Final = 65_536
"""Bodies up to this are copied behind the head into one buffer: cheaper than a second one in the system call."""
_ABOUT_BODY: Final = frozenset({b"content-type", b"content-encoding"})
"""Fields without which the provider could not read the body: they travel whatever a token allows."""
_ORIGIN: Final = frozenset({b"origin"})
_CLAIMED: Final = frozenset({b"x-request-id"})
"""What control is told by us, and would take from the client, whose fields come first."""
_READABLE: Final = frozenset({b"gzip", b"x-gzip", b"deflate", b"identity", b""})
"""Content codings that our taps undo. Of any other, and so of `*`, the answer's usage could not be read."""
_TABLE: Final = "genai-prices"
"""What the versions of prices begin with that are nobody's own."""
_MOST_PRICE_FIELDS: Final = 1_024
"""Prices of one provider whose fields are kept; then all are made anew."""
_PER_TOKEN: Final = -15
"""The power of ten that makes nano-dollars for a million tokens dollars for one."""


def prefix_of(exchange: "Exchange") -> bytes:
    """Request line and fields of an exchange whose provider is chosen, but for those that say how its body is framed.

    Raises CredentialUnusableError, PathUnknownError, MethodForbiddenError.
    """
    head = exchange.head
    if head.prefixed_for is not exchange.principal:
        head.prefixes.clear()
        head.prefixed_for = exchange.principal
    model = exchange.model if head.route.model else ""
    key = (exchange.runtime, exchange.is_stream_request, model)
    prefix = head.prefixes.get(key)
    if prefix is None:
        lines = head.lines
        if head.origin and exchange.services.snapshot.cors_origins:
            # The browser was answered for: its provider would take the origin for a page that may not ask.
            lines = headers.without(lines, _ORIGIN)
        line = head.route.line_for(exchange.runtime, model)
        fields = _fields(head, lines, exchange.runtime, exchange.principal, is_stream=exchange.is_stream_request)
        prefix = line + fields
        head.prefixes[key] = prefix
    return prefix


def price_fields_of(exchange: "Exchange") -> "bytes | asyncio.Future[None]":
    """The fields that tell the provider what the model costs, where that is a price of ours; or who will tell it.

    Where nobody can tell, the request goes without them.
    """
    prices = exchange.services.prices
    if not exchange.model:
        return b""
    if exchange.price is None:
        waiting = None if exchange.prefix else prices.wait_for(exchange.price_key)
        if waiting is not None:
            return _patiently(waiting)
        exchange.price = prices.get(exchange.price_key)
    price = exchange.price
    if price is None or price.version.startswith(_TABLE):
        return b""
    known = exchange.runtime.price_fields
    fields = known.get(price.version)
    if fields is None:
        if len(known) >= _MOST_PRICE_FIELDS:
            known.clear()
        known[price.version] = fields = _price_fields(exchange.runtime, price)
    return fields


def request_parts(exchange: "Exchange") -> list[bytes]:
    """The request, in as few pieces as are worth it."""
    head = exchange.head
    prefix = exchange.prefix
    if exchange.route.kind == "control":
        prefix = b"".join([prefix, *_control_fields(exchange)])
    if head.upgrade:
        return [prefix + b"Connection: Upgrade\r\nUpgrade: " + head.upgrade + b"\r\n\r\n"]
    body = exchange.body
    if exchange.is_held:
        size = len(body[0]) if len(body) == 1 else sum(map(len, body))
        if not size and not exchange.has_body:
            return [prefix + b"\r\n"]
        if len(body) == 1 and size <= _JOINED:
            return [b"%bContent-Length: %d\r\n\r\n%b" % (prefix, size, body[0])]
        return [b"%bContent-Length: %d\r\n\r\n" % (prefix, size), *body]
    if exchange.content_length >= 0:
        return [b"%bContent-Length: %d\r\n\r\n" % (prefix, exchange.content_length), *body]
    return [prefix + b"Transfer-Encoding: chunked\r\n\r\n", *map(chunk, body)]


def _control_fields(exchange: "Exchange") -> list[bytes]:
    """What only the control process may see: the caller's credentials and address, and the request's id."""
    head = exchange.head
    fields = [name + b": " + value + b"\r\n" for _, name, value in head.credentials]
    host = head.hosts[0] if head.hosts else b"localhost"
    about = f"x-request-id: {exchange.request_id}\r\nx-forwarded-for: {exchange.client.address or 'unknown'}\r\n"
    own = [line + b"\r\n" for line in head.for_control]
    return [*fields, *own, about.encode(), b"x-forwarded-host: " + host + b"\r\n"]


def _fields(
    head: RequestHead, lines: list[bytes], runtime: ProviderRuntime, principal: Principal, *, is_stream: bool
) -> bytes:
    if head.route.kind == "control":
        lines = headers.without(lines, _CLAIMED)
    if runtime.overridden:
        lines = headers.without(lines, runtime.overridden)
    if not head.options <= headers.PLAIN_OPTIONS:
        lines = headers.without(lines, head.options)
    if principal.request_headers:
        travelling = _ABOUT_BODY.union(name.encode() for name in principal.request_headers)
        lines = [line for line in lines if line.partition(b":")[0].lower() in travelling]
    defaults = [field for name, field in runtime.defaults if not headers.has_field(lines, name)]
    fields = [line + b"\r\n" for line in lines]
    return b"".join(
        [
            _own_fields(runtime, principal),
            *[_json_field(name, _facts(facts, principal)) for name, facts in runtime.provider.caller_headers],
            *fields,
            *defaults,
            _encoding_field(head, is_stream=is_stream),
        ]
    )


def _own_fields(runtime: ProviderRuntime, principal: Principal) -> bytes:
    """Host and credential: the key of the caller's project where it has one, else the configured one."""
    for provider, key in principal.credentials:
        if provider == runtime.name:
            if not key:
                raise CredentialUnusableError(
                    f"the project's own key for provider {provider} cannot be read; set it anew, or remove it"
                )
            return runtime.head_with(key)
    return runtime.head


def _facts(wanted: tuple[tuple[str, Fact], ...], principal: Principal) -> Iterable[tuple[str, str]]:
    known = {
        "user": principal.user_id,
        "organization": principal.organization_id,
        "project": principal.project_id,
        "token": principal.token_id,
    }
    return ((name, json.dumps(known[fact])) for name, fact in wanted if known[fact])


def _price_fields(runtime: ProviderRuntime, price: Price) -> bytes:
    rates = price.rates
    known = {
        "input": rates.input,
        "output": rates.output,
        "cache_read": rates.cache_read,
        "cache_write": rates.cache_write,
    }
    return b"".join(
        _json_field(name, ((key, _per_token(rate)) for key, kind in wanted if (rate := known[kind]) is not None))
        for name, wanted in runtime.provider.price_headers
    )


def _per_token(rate: int) -> str:
    """Dollars for one token, digit by digit: 0.00000015."""
    return f"{Decimal(rate).scaleb(_PER_TOKEN).normalize():f}"


def _json_field(name: str, members: Iterable[tuple[str, str]]) -> bytes:
    """A field whose value is a JSON object in ASCII; the members' values are JSON already."""
    value = ",".join(f"{json.dumps(key)}:{member}" for key, member in members)
    return f"{name}: {{{value}}}\r\n".encode("ascii")


def _patiently(waiting: "asyncio.Future[None]") -> "asyncio.Future[None]":
    """A future that is done when the other is, and never fails."""
    done: asyncio.Future[None] = waiting.get_loop().create_future()
    waiting.add_done_callback(lambda _: done.set_result(None) if not done.done() else None)
    return done


def _encoding_field(head: RequestHead, *, is_stream: bool) -> bytes:
    """What the answer may be encoded with: nothing for a stream, else what both the client and our taps can read."""
    offered = head.accept_encoding
    if not offered:
        return b""
    if is_stream:
        return b"Accept-Encoding: identity\r\n"
    codings = {coding.partition(b";")[0].strip() for coding in offered.split(b",")}
    if head.route.kind != "control" and not codings <= _READABLE:
        return b"Accept-Encoding: gzip, deflate\r\n" if b"gzip" in offered else b"Accept-Encoding: identity\r\n"
    return b"Accept-Encoding: " + offered + b"\r\n"
