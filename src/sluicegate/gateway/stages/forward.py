"""Forward: choose who answers, swap the credential, send."""

from typing import TYPE_CHECKING

from sluicegate.domain.errors import (
    BadRequestError,
    ModelForbiddenError,
    ModelUnknownError,
    NoProviderError,
)
from sluicegate.domain.routing import choose_target, split_model
from sluicegate.gateway.heads import RequestHead
from sluicegate.gateway.providers import ProviderRuntime
from sluicegate.gateway.taps import UsageFilter
from sluicegate.wire import headers
from sluicegate.wire.peek import Peek, PeekError, peek, with_included_usage, with_model

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange
    from sluicegate.gateway.upstream import UpstreamConnection

_JOINED = 65_536
"""Bodies up to this are copied behind the head into one buffer: cheaper than a second one in the system call."""


def forward(exchange: "Exchange") -> None:
    """Start the request at a provider; its answer comes to the exchange by itself.

    Raises BadRequestError, ModelUnknownError, ModelForbiddenError, NoProviderError, PathUnknownError,
    MethodForbiddenError, OverloadedError.
    """
    exchange.runtime = runtime = choose(exchange)
    exchange.route.head_for(runtime)  # refuses what the provider's allowlist lacks, before a connection is taken
    dispatch(exchange)


def dispatch(exchange: "Exchange", *, fresh: bool = False) -> None:
    """Send on an idle connection, or wait for one. `fresh` insists on a connection that was never used."""
    pool = exchange.runtime.pool
    exchange.attempts += 1
    connection = None if fresh else pool.take()
    if connection is None:
        exchange.is_waiting = True
        pool.wait(exchange, exchange.services.clock(), fresh=fresh)
    else:
        send(exchange, connection)


def choose(exchange: "Exchange") -> ProviderRuntime:
    """Which provider answers, and as which model; edits the held body where it must name another."""
    route = exchange.route
    if route.kind == "control":
        return exchange.services.control
    runtime = route.provider
    seen = _peek(exchange)
    if seen is None:
        if route.dialect.has_model_in_path:
            exchange.model = exchange.requested_model = route.dialect.model_in_path(route.rest) or ""
        _check_model(exchange)
        exchange.is_stream_request = route.streams
        if runtime is None:
            raise NoProviderError(f"no provider of the {route.dialect.name} dialect is configured for {route.endpoint}")
        return runtime
    exchange.is_stream_request = seen.stream or route.streams
    requested = seen.model or (route.dialect.model_in_path(route.rest) or "" if route.dialect.has_model_in_path else "")
    exchange.requested_model = exchange.model = requested
    _check_model(exchange)
    if route.kind == "model":
        runtime = _by_model(exchange, runtime)
    if runtime is None:
        raise ModelUnknownError(
            f"no provider serves the model {requested!r}: name it provider/model, or configure a default provider"
        )
    if seen.stream and not seen.includes_usage and route.dialect.can_include_usage(route.operation):
        if runtime.provider.ask_usage:
            _edit(exchange, with_included_usage(exchange.whole_body()))
            exchange.filter = UsageFilter(route.dialect)
    return runtime


def _peek(exchange: "Exchange") -> Peek | None:
    """Read model and stream from a held JSON body. Raises BadRequestError."""
    if not exchange.is_held or not exchange.body_size:
        return None
    try:
        seen = peek(exchange.whole_body())
    except PeekError as error:
        raise BadRequestError(str(error), parameter=error.field) from None
    if seen is None and exchange.route.kind == "model":
        raise BadRequestError("the body is not a JSON object; check its quotes, commas and encoding")
    return seen


def _check_model(exchange: "Exchange") -> None:
    allowed = exchange.principal.models
    if allowed and exchange.requested_model and exchange.requested_model not in allowed:
        raise ModelForbiddenError(
            f"the token may not use the model {exchange.requested_model!r}; it may use {', '.join(allowed)}"
        )


def _by_model(exchange: "Exchange", default: ProviderRuntime | None) -> ProviderRuntime | None:
    """The provider that a model's name stands for: an alias, `provider/model`, else the default."""
    services = exchange.services
    by_name = services.providers.by_name
    alias = services.aliases.get(exchange.requested_model)
    if alias is not None:
        target = choose_target(alias.targets, services.choose())
        provider, model = target.provider, target.model
    else:
        split = split_model(exchange.requested_model, by_name)
        if split is None:
            return default
        provider, model = split
    exchange.model = model
    _edit(exchange, with_model(exchange.whole_body(), model))
    return by_name[provider]


def _edit(exchange: "Exchange", body: bytes) -> None:
    exchange.body = [body]


def send(exchange: "Exchange", connection: "UpstreamConnection") -> None:
    """Send the request's head, and as much of its body as is here."""
    exchange.is_waiting = False
    exchange.connection = connection
    connection.send(exchange, request_parts(exchange))
    exchange.sent = exchange.services.clock()
    if not exchange.is_held:
        exchange.body = []
        exchange.body_sent()


def request_parts(exchange: "Exchange") -> list[bytes]:
    """The bytes of the request as this provider gets it."""
    head = exchange.head
    key = (exchange.runtime, exchange.is_stream_request)
    prefix = head.prefixes.get(key)
    if prefix is None:
        prefix = head.prefixes[key] = _prefix(head, exchange.runtime, is_stream=exchange.is_stream_request)
    if exchange.route.kind == "control":
        prefix = b"".join([prefix, *exchange.control_fields()])
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
    return [prefix + b"Transfer-Encoding: chunked\r\n\r\n", *[exchange.chunk(data) for data in body]]


def _prefix(head: RequestHead, runtime: ProviderRuntime, *, is_stream: bool) -> bytes:
    """Request line and fields, but for those that say how the body is framed."""
    lines = head.lines
    if runtime.overridden:
        lines = headers.without(lines, runtime.overridden)
    if not head.options <= headers.PLAIN_OPTIONS:
        lines = headers.without(lines, head.options)
    defaults = [field for name, field in runtime.defaults if not headers.has_field(lines, name)]
    fields = [line + b"\r\n" for line in lines]
    return b"".join([head.route.head_for(runtime), *fields, *defaults, _encoding_field(head, is_stream=is_stream)])


def _encoding_field(head: RequestHead, *, is_stream: bool) -> bytes:
    """What the answer may be encoded with: nothing for a stream, else what both the client and our taps can read."""
    offered = head.accept_encoding
    if not offered:
        return b""
    if is_stream:
        return b"Accept-Encoding: identity\r\n"
    if head.route.kind != "control" and (b"br" in offered or b"zstd" in offered):
        return b"Accept-Encoding: gzip, deflate\r\n" if b"gzip" in offered else b"Accept-Encoding: identity\r\n"
    return b"Accept-Encoding: " + offered + b"\r\n"
