"""Forward: choose who answers, swap the credential, send."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from sluicegate.domain.errors import (
    BadRequestError,
    GatewayError,
    ModelForbiddenError,
    ModelUnknownError,
    NoProviderError,
)
from sluicegate.domain.routing import choose_target, split_model
from sluicegate.gateway.outgoing import prefix_of, price_fields_of, request_parts
from sluicegate.gateway.providers import ProviderRuntime
from sluicegate.gateway.stages.publish import intend
from sluicegate.gateway.taps import UsageFilter
from sluicegate.wire.peek import Peek, PeekError, peek, with_included_usage, with_model

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange
    from sluicegate.gateway.purses import Reservation
    from sluicegate.gateway.upstream import UpstreamConnection

_CONVERSING = frozenset({"chat", "completions", "responses", "messages", "generate"})
"""Operations that a token's own model answers; for embeddings or speech another kind of model is meant."""
_WITHOUT_MODEL = frozenset({"files", "uploads", "batches", "models", "stored", "vector_stores", "containers"})
"""Operations whose requests name no model, so that a token bound to some models may use them."""


def forward(exchange: "Exchange") -> "asyncio.Future[None] | None":
    """Start the request at a provider; its answer comes to the exchange by itself. Or wait for what it must be told.

    Raises BadRequestError, ModelUnknownError, ModelForbiddenError, NoProviderError, PathUnknownError,
    MethodForbiddenError, CredentialUnusableError, OverloadedError.
    """
    if exchange.runtime_or_none is None:
        exchange.runtime = choose(exchange)
    prefix = prefix_of(exchange)  # refuses what the provider's allowlist lacks, before a connection is taken
    if exchange.runtime.provider.price_headers:
        fields = price_fields_of(exchange)
        exchange.prefix = prefix
        if not isinstance(fields, bytes):
            return fields
        prefix += fields
    exchange.prefix = prefix
    dispatch(exchange)
    return None


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
    requested = seen.model if seen is not None else None
    if not requested and route.dialect.has_model_in_path:
        requested = route.dialect.model_in_path(route.rest)
    exchange.requested_model = exchange.model = requested or ""
    wanted = _wanted_model(exchange)
    exchange.is_stream_request = route.streams or (seen is not None and bool(seen.stream))
    if seen is None:
        if runtime is None:
            raise NoProviderError(f"no provider of the {route.dialect.name} dialect is configured for {route.endpoint}")
        return runtime
    if route.kind == "model":
        runtime = _by_model(exchange, wanted, runtime)
    if runtime is None:
        raise ModelUnknownError(
            f"no provider serves the model {wanted!r}: name it provider/model, or configure a default provider"
        )
    if exchange.model != exchange.requested_model:
        _edit(exchange, with_model(exchange.whole_body(), exchange.model))
    if seen.stream and not seen.includes_usage and route.dialect.can_include_usage(route.operation):
        if runtime.provider.ask_usage:
            _edit(exchange, with_included_usage(exchange.whole_body()))
            exchange.filter = UsageFilter(route.dialect)
    return runtime


def _wanted_model(exchange: "Exchange") -> str:
    """The model that is to answer: the token's own where it has one, else what the client asked for.

    Raises ModelForbiddenError where the token may not use it, or where it cannot be told which one it is.
    """
    principal = exchange.principal
    requested = exchange.requested_model
    operation = exchange.route.operation
    if principal.model is not None and operation in _CONVERSING:
        if exchange.is_held and exchange.body_size and not exchange.route.dialect.has_model_in_path:
            exchange.model = principal.model
            return principal.model
        if requested != principal.model:
            raise ModelForbiddenError(f"the token is bound to the model {principal.model!r}")
    allowed = principal.models
    if allowed and requested not in allowed:
        if requested:
            raise ModelForbiddenError(f"the token may not use the model {requested!r}; it may use {', '.join(allowed)}")
        if exchange.has_body and operation not in _WITHOUT_MODEL:
            raise ModelForbiddenError(
                f"the token may only use {', '.join(allowed)}, and no model can be seen in this request: name it in a"
                " JSON body that is not compressed"
            )
    return requested


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


def _by_model(exchange: "Exchange", wanted: str, default: ProviderRuntime | None) -> ProviderRuntime | None:
    """The provider that a model's name stands for: an alias, `provider/model`, else the default."""
    services = exchange.services
    by_name = services.providers.by_name
    alias = services.aliases.get(wanted)
    if alias is not None:
        target = choose_target(alias.targets, services.choose())
        exchange.model = target.model
        return by_name[target.provider]
    split = split_model(wanted, by_name)
    if split is None:
        return default
    provider, exchange.model = split
    return by_name[provider]


def _edit(exchange: "Exchange", body: bytes) -> None:
    exchange.body = [body]


def send(exchange: "Exchange", connection: "UpstreamConnection") -> None:
    """Send the request's head, and as much of its body as is here; what has limits behind its line in the journal."""
    exchange.is_waiting = False
    reservation = exchange.reservation
    if reservation is not None and not reservation.is_sent:
        # At the end of this turn, when the line is written.
        intend(exchange, reservation)
        exchange.services.turn.end(partial(_send_intended, exchange, reservation, connection), b"")
        return
    _send(exchange, connection)


def _send_intended(
    exchange: "Exchange", reservation: "Reservation", connection: "UpstreamConnection", _nothing: bytes
) -> None:
    transport = connection.transport
    is_lost = transport is None or transport.is_closing()
    if exchange.is_ended:
        if not is_lost:
            exchange.runtime.pool.released(connection)
    elif is_lost:
        # Within the turn: nothing was sent on it.
        try:
            dispatch(exchange, fresh=True)
        except GatewayError as error:
            exchange.refuse(error)
    else:
        reservation.is_sent = True
        _send(exchange, connection)


def _send(exchange: "Exchange", connection: "UpstreamConnection") -> None:
    exchange.connection = connection
    connection.send(exchange, request_parts(exchange))
    exchange.sent = exchange.services.clock()
    if not exchange.is_held:
        exchange.body = []
        exchange.body_sent()
