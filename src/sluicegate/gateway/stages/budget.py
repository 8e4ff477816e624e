"""Budget: every limit of the token, user, project and organisation, set aside before anything is sent.

What is set aside is the most the request can take (`domain/bounds.py`), for the metrics that a limit is about:

- Tokens and dollars only for operations that a model is paid for by the token (`meter.METERED`); all others take one
  request, and a place among those that run at the same time.
- Where the bytes of a body refuse it alone (a token has at least one byte), its tokens are counted, once.
- A body that cannot be read (compressed, too large to be held) is bounded by its length, and has no price.
- A cap is written into the request where the client has none that is low enough. Where none can be written (no JSON, or
  an API without one) the answer is watched while it streams (`gateway/overrun.py`).
- A WebSocket's use cannot be bounded: a hard limit of tokens or dollars refuses it.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from sluicegate.domain.bounds import UNKNOWN_CONTEXT, Asked, Bound, Left, bound_of
from sluicegate.domain.errors import (
    BadRequestError,
    LedgerUnavailableError,
    MaxCostError,
    PriceUnknownError,
    UnmeteredError,
)
from sluicegate.domain.money import AmountError, nano_dollars
from sluicegate.gateway.purses import TOKENS, USD, Purse, Reservation, amounts
from sluicegate.gateway.refusals import refusal_of
from sluicegate.gateway.stages.forward import choose
from sluicegate.gateway.stages.meter import METERED
from sluicegate.wire.caps import Caps, is_self_contained, most_read, read_caps, with_cap
from sluicegate.wire.link import Count, Counted
from sluicegate.wire.peek import PeekError
from sluicegate.wire.tiers import dearer_field

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

NOT_COUNTED: Final = -1
"""The input's tokens were not counted, as the bytes alone did not refuse the request."""
UNCOUNTABLE: Final = -2
"""They cannot be counted."""
AROUND: Final = 32
"""Tokens by which a count is raised: what providers put around messages differs, and the templates of open models begin
with a prompt of their own (SmolLM's with some twenty tokens)."""
_LAST_WAIT: Final = 0.5
"""Seconds that a request whose tokens were counted has for another question to the ledger."""

Waiting = asyncio.Future[None] | None


def budget(exchange: "Exchange") -> Waiting:
    """Set aside what the request may take, or wait for it.

    Raises what choosing a provider does, and RateLimitedError, BudgetSpentError, LedgerUnavailableError,
    PriceUnknownError, MaxCostError, UnmeteredError, ControlUnavailableError.
    """
    if not exchange.principal.limits and not exchange.head.max_cost:
        return None
    return _reserve(exchange)


def _reserve(exchange: "Exchange") -> Waiting:
    reservation = exchange.reservation
    if reservation is not None:
        return _outcome(exchange, reservation)
    if exchange.runtime_or_none is None:
        exchange.runtime = choose(exchange)
    services = exchange.services
    budgets = services.budgets
    purse = budgets.purse_of(exchange.principal)
    if exchange.head.upgrade and purse.has_hard_amounts:
        raise UnmeteredError(
            "a hard limit of tokens or dollars holds for this token, and what a WebSocket uses cannot be bounded:"
            " use the HTTP API, or make the limit soft"
        )
    bound = Bound(0, 0, 0)
    if exchange.route.operation in METERED and (purse.is_measured or exchange.head.max_cost):
        waiting = _wait_for_price(exchange)
        if waiting is not None:
            return waiting
        bound = _bound(exchange, purse)
    if not purse.limits:
        return None
    now = services.clock()
    wait = services.snapshot.limit_wait
    if exchange.counted_input != NOT_COUNTED:
        wait = max(_LAST_WAIT, wait - (now - exchange.ready))
    exchange.reservation = reservation = budgets.reserve(purse, amounts(bound.tokens, bound.usd), now, wait)
    reservation.bound = bound
    if reservation.is_held:
        _admit(exchange, reservation)
    return reservation.future


def _outcome(exchange: "Exchange", reservation: Reservation) -> Waiting:
    """What came of waiting."""
    if reservation.is_held:
        _admit(exchange, reservation)
        return None
    if reservation.has_failed:
        raise LedgerUnavailableError("the limits of this token cannot be checked just now; try again in a moment")
    if exchange.counted_input == NOT_COUNTED and _may_count(exchange, reservation):
        return _count(exchange)
    raise refusal_of(exchange, reservation)


def _admit(exchange: "Exchange", reservation: Reservation) -> None:
    """Write the cap that makes the bound true."""
    purse = reservation.purse
    bound = reservation.bound
    if bound.cap is not None and (purse.has_hard_amounts or exchange.head.max_cost):
        _cap(exchange, bound.cap)
        reservation.is_open = not exchange.is_capped


def _cap(exchange: "Exchange", tokens: int) -> None:
    fields = exchange.route.dialect.cap_fields(exchange.route.operation, exchange.runtime.provider.authority)
    if fields is not None and exchange.is_held and exchange.body_size and not exchange.is_capped:
        exchange.body = [with_cap(exchange.whole_body(), fields, tokens)]
        exchange.is_capped = True


# -- bounds


def _wait_for_price(exchange: "Exchange") -> Waiting:
    prices = exchange.services.prices
    key = exchange.price_key
    if not exchange.model:
        return None
    waiting = prices.wait_for(key)
    exchange.price = prices.get(key) if waiting is None else None
    return waiting


def _bound(exchange: "Exchange", purse: Purse) -> Bound:
    own = _own_limit(exchange)
    price = exchange.price
    is_about_money = own is not None or purse.has_enforced_usd
    if price is None and is_about_money and (own is not None or exchange.services.snapshot.unknown_price == "refuse"):
        raise PriceUnknownError(
            f"there is a limit in dollars, and no price is known for the model {exchange.model!r} of provider"
            f" {exchange.runtime.name!r}: add one under prices: in the configuration, or with"
            " 'sluicegate prices', or set limits.unknown_price: free",
            parameter="model",
        )
    if own is not None or purse.least(USD) is not None:
        _refuse_dearer(exchange)
    bound = bound_of(_asked(exchange), Left(purse.least(TOKENS), purse.least(USD), own), price)
    if own is not None and bound.usd > own:
        raise MaxCostError(
            f"the request may cost up to ${bound.usd / 1e9:.6f}, more than x-gateway-max-cost-usd allows",
            parameter="x-gateway-max-cost-usd",
        )
    if own is not None and not purse.limits and bound.cap is not None:
        _cap(exchange, bound.cap)
    return bound


def _refuse_dearer(exchange: "Exchange") -> None:
    """Raise PriceUnknownError where the model's price is not the most that the request's tokens may cost."""
    if not exchange.is_held:
        if exchange.price is None:
            return
        raise PriceUnknownError(
            "there is a hard limit in dollars, and this body cannot be read: it may ask for a service_tier beyond the"
            " model's price. Send JSON, not compressed and below server.limits.held_body_bytes, or make the limit soft",
            parameter="service_tier",
        )
    try:
        dearer = dearer_field(exchange.whole_body())
    except PeekError as error:
        raise BadRequestError(str(error), parameter=error.field) from None
    if dearer is not None:
        raise PriceUnknownError(
            f"there is a hard limit in dollars, and what this {dearer} makes of the price of the model"
            f" {exchange.model!r} is not known: leave {dearer} out, or make the limit soft",
            parameter=dearer,
        )


def _own_limit(exchange: "Exchange") -> int | None:
    text = exchange.head.max_cost
    if not text:
        return None
    try:
        return nano_dollars(text.decode("latin-1").strip())
    except AmountError as error:
        raise MaxCostError(f"x-gateway-max-cost-usd {error}", parameter="x-gateway-max-cost-usd") from None


def _asked(exchange: "Exchange") -> Asked:
    route = exchange.route
    writes = route.operation != "embeddings"
    if not exchange.is_held or not exchange.body_size:
        size = exchange.content_length if exchange.content_length >= 0 else UNKNOWN_CONTEXT
        return Asked(max(size, exchange.body_size), writes=writes)
    body = exchange.whole_body()
    fields = route.dialect.cap_fields(route.operation, exchange.runtime.provider.authority)
    try:
        caps = read_caps(body, fields) if fields is not None else Caps(None, 1)
    except PeekError as error:
        raise BadRequestError(str(error), parameter=error.field) from None
    if exchange.counted_input >= 0:
        tokens = exchange.counted_input
    elif is_self_contained(body):
        tokens = most_read(body, route.dialect.image_tokens(exchange.model)) + AROUND
    else:
        tokens = UNKNOWN_CONTEXT
    return Asked(tokens, caps.tokens, caps.choices, writes)


# -- counting what the bytes alone refuse


def _may_count(exchange: "Exchange", reservation: Reservation) -> bool:
    """Whether it was refused by an amount, and consists of text alone."""
    purse = reservation.purse
    if not any(
        account is reservation.refused_by and is_hard and metric in (TOKENS, USD)
        for account, metric, is_hard in zip(purse.accounts, purse.metrics, purse.is_hard, strict=True)
    ):
        return False
    if (
        not exchange.is_held
        or not exchange.body_size
        or not exchange.route.dialect.is_countable(exchange.route.operation)
    ):
        return False
    body = exchange.whole_body()
    return is_self_contained(body) and most_read(body, 1) == len(body)


def _count(exchange: "Exchange") -> "asyncio.Future[None]":
    """Have the input counted, and begin anew."""
    services = exchange.services
    future: asyncio.Future[None] = services.loop.create_future()
    exchange.reservation = None
    exchange.counted_input = UNCOUNTABLE
    before = exchange.whole_body()

    def counted(answer: Counted | None) -> None:
        if answer is not None and answer.source == "counted":
            counted = answer.input_tokens + answer.input_tokens // 16 + AROUND
            exchange.counted_input = min(counted, len(before)) + services.budgets.surplus.get(exchange.price_key, 0)
        if not future.done():
            future.set_result(None)

    route = exchange.route
    question = Count(0, route.dialect.name, route.operation, exchange.model, before, b"", is_text=True)
    services.link.count(question, services.clock(), counted)
    return future
