"""Forward: choose who answers, swap the credential, send."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from sluicegate.dialects.base import CONVERSING
from sluicegate.domain.errors import (
    BadRequestError,
    GatewayError,
    ModelForbiddenError,
    ModelUnknownError,
    NoHealthyTargetError,
    NoProviderError,
    OverloadedError,
)
from sluicegate.domain.routing import ANYWHERE
from sluicegate.gateway.attempts import returns_of
from sluicegate.gateway.estimate import estimate, is_estimated, prepare
from sluicegate.gateway.outgoing import prefix_of, price_fields_of, request_parts
from sluicegate.gateway.request_body import HELD_UNCOUNTED
from sluicegate.gateway.selection import Candidate, Selector
from sluicegate.gateway.stages.publish import intend
from sluicegate.gateway.taps import UsageFilter
from sluicegate.wire import headers
from sluicegate.wire.conversation import beginning, user_of
from sluicegate.wire.peek import Peek, peek, with_included_usage, with_model
from sluicegate.wire.stand_ins import stand_ins

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange
    from sluicegate.gateway.purses import Reservation
    from sluicegate.gateway.routes import Route
    from sluicegate.gateway.upstream import UpstreamConnection

_WITHOUT_MODEL = frozenset({"files", "uploads", "models", "stored", "vector_stores", "containers"})
"""Operations whose requests name no model, so that a token bound to some models may use them. Batches name theirs in a
file, or deep inside: nobody sees whether those are among its models."""

_NO_OBJECT = "the body is not a JSON object; check its quotes, commas and encoding"


def forward(exchange: "Exchange") -> "bytes | asyncio.Future[None] | None":
    """Start the request at a provider; its answer comes to the exchange by itself. Or wait for what it must be told.

    What no provider is to answer is answered here (`gateway/estimate.py`).

    Raises BadRequestError, ModelUnknownError, ModelForbiddenError, NoProviderError, PathUnknownError,
    MethodForbiddenError, CredentialUnusableError, NoHealthyTargetError.
    """
    if exchange.runtime_or_none is None:
        choose(exchange)
        if exchange.runtime_or_none is None:
            return estimate(exchange)
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
    exchange.is_fresh = fresh
    connection = None if fresh else pool.take()
    if connection is None:
        exchange.is_waiting = True
        try:
            pool.wait(exchange, exchange.services.clock(), fresh=fresh)
        except OverloadedError as error:
            # Others may have room.
            exchange.not_connected(error)
    else:
        send(exchange, connection)


def choose(exchange: "Exchange") -> None:
    """Set which provider answers, and as which model; edit the held body where it must name another.

    None is set where the gateway itself answers.
    """
    services = exchange.services
    route = exchange.route
    if route.kind == "control":
        exchange.runtime = services.control
        return
    seen = _peek(exchange)
    # What the path says counts, whatever the body says beside it.
    requested = route.model or (seen.model if seen is not None else None)
    exchange.requested_model = exchange.model = requested or ""
    wanted = _wanted_model(exchange)
    exchange.is_stream_request = route.streams or (seen is not None and bool(seen.stream))
    default = route.provider.name if route.provider is not None else None
    if route.kind == "model" and (seen is not None or route.model):
        selector = services.selectors.of_model(wanted, default)
        if route.operation == "count_tokens" and is_estimated(route, selector):
            prepare(exchange, selector, wanted)
            return
        if selector is None:
            raise ModelUnknownError(
                f"no provider serves the model {wanted!r}: name it provider/model, or configure a default provider"
            )
    elif default is None:
        raise NoProviderError(f"no provider of the {route.dialect.name} dialect is configured for {route.endpoint}")
    elif exchange.principal.model is not None and route.operation in CONVERSING:
        selector = _within(exchange, default, wanted, seen)
    else:
        selector = services.selectors.at(default, wanted)
    exchange.selector = selector
    services.retry_budget.requests += 1
    # Who asks for a region is not served elsewhere, even where there is nobody else.
    only = selector.only if exchange.head.narrowing is ANYWHERE else None
    enter(exchange, only or select(exchange, selector))
    if seen is not None and seen.stream:
        _ask_usage(exchange, seen)


def _within(exchange: "Exchange", provider: str, own: str, seen: Peek | None) -> Selector:
    """Who answers as the token's own model, where the path names the provider. What nobody can read names any model.

    Raises BadRequestError, ModelForbiddenError.
    """
    if seen is None and not exchange.route.model:
        raise BadRequestError(_NO_OBJECT)
    selector = exchange.services.selectors.within(provider, own)
    if selector is None:
        raise ModelForbiddenError(
            f"the token is bound to the model {own!r}, which is not served by {provider}, whom the path names: ask by"
            " the path of the API alone, without the provider's name"
        )
    return selector


def select(exchange: "Exchange", selector: Selector) -> Candidate:
    """One of several deployments. Raises NoHealthyTargetError."""
    services = exchange.services
    now = services.clock()
    narrowing = exchange.head.narrowing
    barred = selector.barred(exchange.route) if selector.is_mixed else ()
    key = session_key(exchange, selector)
    candidate = selector.choose(now, services.choose(), key=key, narrowing=narrowing, tried=barred)
    if candidate is not None:
        candidate.runtime.breaker.admit(now, exchange)
        return candidate
    found = selector.soonest(now, narrowing, barred)
    if found is None:
        raise NoHealthyTargetError(
            f"no deployment for {exchange.requested_model!r} is in the region and has the tags asked for"
        )
    candidate, seconds = found
    if selector.opens_last:
        raise NoHealthyTargetError(
            f"everyone who serves {exchange.requested_model!r} is left alone, having failed too often or reached its"
            f" own limit; a request will try again in {seconds:.1f} s",
            retry_after=seconds,
        )
    # The last one is asked, however it fares: a refusal of ours would help nobody.
    candidate.runtime.breaker.admit(now, exchange)
    return candidate


def enter_again(exchange: "Exchange", candidate: Candidate) -> None:
    """Have another candidate answer: what it is sent is made anew of what the client sent."""
    if exchange.unedited is not None:
        exchange.body = [exchange.unedited]
        exchange.is_capped = False
    exchange.model = exchange.requested_model
    exchange.filter = None
    enter(exchange, candidate)
    if exchange.is_stream_request:
        seen = _peek(exchange)
        if seen is not None and seen.stream:
            _ask_usage(exchange, seen)


def _ask_usage(exchange: "Exchange", seen: Peek) -> None:
    """Have the provider tell the usage of a stream, where its API can and the client did not ask."""
    route = exchange.route
    if (
        not seen.includes_usage
        and route.dialect.can_include_usage(route.operation)
        and exchange.runtime.provider.ask_usage
    ):
        edit(exchange, with_included_usage(exchange.whole_body()))
        exchange.filter = UsageFilter(route.dialect)


def enter(exchange: "Exchange", candidate: Candidate) -> None:
    """Have this candidate answer: name its model in the body. A path that names it is made with the request line."""
    exchange.runtime_or_none = candidate.runtime
    model = candidate.model
    was = exchange.model
    if model and model != was:
        exchange.model = model
        if exchange.is_held and exchange.body_size:
            route, body = exchange.route, exchange.whole_body()
            edited = route.dialect.with_model_repeated(body, model) if route.model else with_model(body, model, was)
            if edited is not body:
                edit(exchange, edited)


def session_key(exchange: "Exchange", selector: Selector) -> bytes:
    """What stays the same in requests that are to go to the same deployment; empty for none.

    It begins with the organisation, so that nobody can tell from the way who else asks the same.
    """
    sticky = selector.sticky
    if not sticky:
        return b""
    key = b""
    if sticky == "header":
        key = headers.value_of(exchange.head.lines, selector.sticky_header)
    elif exchange.is_held and exchange.body_size:
        body = exchange.whole_body()
        key = beginning(body) if sticky == "conversation" else user_of(body).encode("utf-8", "surrogatepass")
    principal = exchange.principal
    if not key and sticky == "user":
        key = (principal.user_id or principal.token_id).encode()
    return principal.organization_id.encode() + b" " + key if key else b""


def _wanted_model(exchange: "Exchange") -> str:
    """The model that is to answer: the token's own where it has one, else what the client asked for.

    Raises ModelForbiddenError where the token may not use it, or where it cannot be told which one it is.
    """
    principal = exchange.principal
    requested = exchange.requested_model
    operation = exchange.route.operation
    if principal.model is not None and operation in CONVERSING:
        if exchange.route.model or (exchange.is_held and exchange.body_size):
            _check_stand_ins(exchange, ())
            return principal.model
        if requested != principal.model:
            raise ModelForbiddenError(f"the token is bound to the model {principal.model!r}")
    allowed = principal.models
    if allowed:
        _check_stand_ins(exchange, allowed)
    if allowed and requested not in allowed:
        if requested:
            raise ModelForbiddenError(f"the token may not use the model {requested!r}; it may use {', '.join(allowed)}")
        if exchange.has_body and operation not in _WITHOUT_MODEL:
            raise ModelForbiddenError(
                f"the token may only use {', '.join(allowed)}, and no model can be seen in this request: name it in a"
                " JSON body that is not compressed"
            )
        if exchange.head.upgrade:
            _check_websocket(exchange.route, allowed)
    return requested


def _check_stand_ins(exchange: "Exchange", allowed: tuple[str, ...]) -> None:
    """Refuse what has its provider ask other models than these beside the first. See `wire.stand_ins`.

    Raises PeekError, ModelForbiddenError.
    """
    if exchange.is_held and exchange.body_size:
        named = stand_ins(exchange.whole_body())
        other = next((name for name in named if name not in allowed), None)
        if other is not None:
            raise ModelForbiddenError(
                f"the token may not use the model {other!r}, which this request names beside its own"
            )


def _check_websocket(route: "Route", allowed: tuple[str, ...]) -> None:
    """Raise ModelForbiddenError unless the address names models, as realtime's does, and all of them are among these.

    Conversations over WebSocket name theirs in each message, which nobody reads here.
    """
    named = parse_qs(route.target.query).get("model", ()) if route.operation not in CONVERSING else ()
    if not named or any(name not in allowed for name in named):
        raise ModelForbiddenError(
            f"the token may only use {', '.join(allowed)}, and this WebSocket may be used for others: use the HTTP API,"
            " or name the model in the query, where the API has it there"
        )


def _peek(exchange: "Exchange") -> Peek | None:
    """Read model and stream from a held JSON body. Raises BadRequestError, PeekError."""
    if not exchange.is_held or not exchange.body_size:
        return None
    seen = peek(exchange.whole_body())
    if seen is None and exchange.route.kind == "model":
        raise BadRequestError(_NO_OBJECT)
    return seen


def edit(exchange: "Exchange", body: bytes) -> None:
    """Send this instead of what the client sent, which is kept: another provider is told other things."""
    if exchange.unedited is None:
        exchange.unedited = original = exchange.whole_body()
        if len(original) > HELD_UNCOUNTED:
            exchange.held_size += len(original)
            exchange.services.held_bytes += len(original)
    exchange.body = [body]


def send(exchange: "Exchange", connection: "UpstreamConnection") -> None:
    """Send the request's head, and as much of its body as is here; what has limits, once that is noted."""
    if exchange.is_waiting:
        exchange.is_waiting = False
        exchange.elsewhere += exchange.services.clock() - exchange.waiting_since
    reservation = exchange.reservation
    if reservation is not None and (not reservation.is_sent or reservation.has_grown):
        if not intend(exchange, reservation):
            # At the end of this turn, when the line is written.
            exchange.services.turn.end(
                partial(_send_intended, exchange, reservation, connection, returns_of(exchange)), b""
            )
            return
        reservation.is_sent = True
    _send(exchange, connection)


def _send_intended(
    exchange: "Exchange", reservation: "Reservation", connection: "UpstreamConnection", returns: int, _nothing: bytes
) -> None:
    transport = connection.transport
    is_lost = transport is None or transport.is_closing()
    if exchange.is_ended or returns != returns_of(exchange):
        # An answer came first. It may have been another's: what is known of the exchange is no more of this attempt.
        if not is_lost:
            connection.give_back()
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
    if not exchange.is_held:
        # Before, not behind: what is sent now may be more than the provider takes, and the client then waits again.
        exchange.client.resume_reading()
    connection.send(exchange, request_parts(exchange))
    exchange.sent = exchange.services.clock()
    if not exchange.is_held:
        exchange.body = []
        exchange.body_sent()
