"""Budget: every limit of the token, user, project and organisation, set aside before anything is sent.

What is set aside is the most the request can take (`domain/bounds.py`), for the metrics that a limit is about:

- Tokens and dollars only for operations that a model is paid for by the token (`meter.METERED`), and tokens for images
  and sound; all others take one request, and a place among those that run at the same time.
- Where the bytes of a body refuse it alone (a token has at least one byte), its tokens are counted, once.
- A body that cannot be read is bounded by its length (too large to be held), or by what any model can read
  (compressed), may have the longest answers, and has no price.
- A cap is written into the request where the client has none that is low enough. Where none can be written (no JSON, or
  an API without one) the answer is watched while it streams (`gateway/overrun.py`).
- A WebSocket's use cannot be bounded: a hard limit of tokens or dollars refuses it. So is what runs later, and what
  is paid for by something else than tokens (`gateway/unmetered.py`).
"""

import asyncio
from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from sluicegate.domain.bounds import UNKNOWN_CONTEXT, Asked, Bound, Left, bound_of, usual_bound
from sluicegate.domain.errors import (
    LedgerUnavailableError,
    LimitReachedError,
    MaxCostError,
    PriceUnknownError,
)
from sluicegate.domain.money import AmountError, nano_dollars
from sluicegate.gateway.budgets import ASK_AGAIN_SECONDS
from sluicegate.gateway.purses import TOKENS, USD, Purse, Reservation, amounts
from sluicegate.gateway.refusals import refusal_of
from sluicegate.gateway.request_body import UNCODED
from sluicegate.gateway.stages.forward import choose, edit
from sluicegate.gateway.stages.meter import METERED
from sluicegate.gateway.unmetered import (
    in_advance,
    price_at_most,
    refuse_background,
    refuse_paid_tools,
    refuse_stand_ins,
    refuse_unmetered,
    refuse_websocket,
)
from sluicegate.wire.caps import CapFields, Caps, is_usual, read_caps, with_cap
from sluicegate.wire.link import Count, Counted
from sluicegate.wire.reach import reach_of
from sluicegate.wire.stated import Stated, runs_in_background, stated_in

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

NOT_COUNTED: Final = -1
"""The input's tokens were not counted, as the bytes alone did not refuse the request."""
UNCOUNTABLE: Final = -2
"""They cannot be counted."""
AROUND: Final = 32
"""Tokens by which a count is raised: what providers put around messages differs, and the templates of open models begin
with a prompt of their own (SmolLM's with some twenty tokens). Where it is longer, the provider's `prompt_overhead`."""
LONGEST_UNREAD: Final = 1_000_000
"""Tokens that an answer to what we cannot read may have: some of the longest that any model writes."""
_NO_CAPS: Final = Caps(None, 1)
_USUAL_CAPS: Final = CapFields(("max_tokens", "max_completion_tokens", "max_output_tokens"), choices=("n", "best_of"))
_NOTHING: Final = Bound(0, 0, 0)
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
        choose(exchange)
    services = exchange.services
    budgets = services.budgets
    purse = budgets.purse_of(exchange.principal)
    if exchange.head.upgrade:
        refuse_websocket(exchange, purse)
    bound = _NOTHING
    if exchange.route.operation not in METERED:
        refuse_unmetered(exchange, purse)
        bound = in_advance(exchange)
    elif purse.is_measured or exchange.head.max_cost:
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
    if reservation.is_held and (bound.cap is not None or not exchange.is_held):
        _admit(exchange, reservation)
    return reservation.future


def refit(exchange: "Exchange") -> Waiting:
    """Where a request goes again to somebody else, whose prices may be others: set aside what it may take more there.

    Raises PriceUnknownError, MaxCostError, LimitReachedError.
    """
    reservation = exchange.reservation
    if exchange.route.operation not in METERED or (reservation is not None and not reservation.is_held):
        return None
    if reservation is None and not exchange.head.max_cost:
        return None
    purse = reservation.purse if reservation is not None else exchange.services.budgets.purse_of(exchange.principal)
    if not purse.is_measured and not exchange.head.max_cost:
        return None
    waiting = _wait_for_price(exchange)
    if waiting is not None:
        return waiting
    # What is set aside already is this request's own to spend, but for what failed attempts took of it.
    spent = _spent(exchange)
    held = _NOTHING if reservation is None else reservation.bound
    bound = _bound(exchange, purse, Bound(held.tokens - spent.tokens, held.usd - spent.usd, 0))
    if reservation is None:
        return None
    bound = Bound(bound.tokens + spent.tokens, bound.usd + spent.usd, bound.output, bound.cap)
    waiting = _extend(exchange, reservation, bound)
    if waiting is not None:
        return waiting
    before = reservation.bound
    # What is set aside stays so; the cap is what makes the bound true for whoever is asked now.
    reservation.bound = Bound(max(bound.tokens, before.tokens), max(bound.usd, before.usd), bound.output, bound.cap)
    _admit(exchange, reservation)
    return None


def _spent(exchange: "Exchange") -> Bound:
    """What failed attempts took, as far as their providers have said."""
    retrial = exchange.retrial
    if retrial is None or retrial.usage is None:
        return _NOTHING
    return Bound(retrial.usage.total_tokens, retrial.cost, 0)


def _extend(exchange: "Exchange", reservation: Reservation, bound: Bound) -> Waiting:
    """Set aside what the bound is more than before, or wait a moment for it. Raises LimitReachedError."""
    before = reservation.bound
    wanted = ((TOKENS, bound.tokens - before.tokens), (USD, bound.usd - before.usd))
    more = {metric: amount for metric, amount in wanted if amount > 0}
    if not more:
        return None
    services = exchange.services
    now = services.clock()
    if services.budgets.extend(reservation, more, now):
        reservation.has_grown = True
        reservation.more_until = 0.0
        return None
    reservation.more_until = reservation.more_until or now + _LAST_WAIT
    if now < reservation.more_until:
        # It was asked for: a lease holds only what requests take one by one.
        future: asyncio.Future[None] = services.loop.create_future()
        services.later(ASK_AGAIN_SECONDS, _wake, future)
        return future
    raise LimitReachedError(
        f"the provider failed, and too little is left of the limit {reservation.limit} to ask"
        f" {exchange.runtime.name} for {exchange.model!r} instead"
    )


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


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
    elif bound.output and not exchange.is_held and exchange.route.operation in METERED:
        reservation.is_open = purse.has_hard_amounts


def _cap(exchange: "Exchange", tokens: int) -> None:
    fields = exchange.route.dialect.cap_fields(exchange.route.operation, exchange.runtime.provider.authority)
    if fields is not None and exchange.is_held and exchange.body_size and not exchange.is_capped:
        edit(exchange, with_cap(exchange.whole_body(), fields, tokens))
        exchange.is_capped = True


# -- bounds


def _wait_for_price(exchange: "Exchange") -> Waiting:
    if not exchange.model:
        return None
    prices = exchange.services.prices
    key = exchange.price_key
    exchange.price = price = prices.known.get(key)
    return None if price is not None else prices.wait_for(key)


def _bound(exchange: "Exchange", purse: Purse, held: Bound = _NOTHING) -> Bound:
    """What the request may take, of what is left and what it has set aside already (`held`)."""
    if (
        exchange.price is not None
        and exchange.is_held
        and not exchange.head.max_cost
        and exchange.counted_input == NOT_COUNTED
        and exchange.route.operation != "embeddings"
    ):
        # The usual request is text, and states nothing of what it may take.
        body = exchange.whole_body()
        if is_usual(body):
            tokens, usd = purse.left()
            if held is not _NOTHING:
                tokens, usd = _with(tokens, held.tokens), _with(usd, held.usd)
            bound = usual_bound(len(body) + _around(exchange), 1, tokens, usd, exchange.price)
            if bound is not None:
                return bound
    return _any_bound(exchange, purse, held)


def _around(exchange: "Exchange") -> int:
    """Tokens that are read besides the request's own."""
    return AROUND + exchange.runtime.provider.prompt_overhead


def _with(left: int | None, held: int) -> int | None:
    return None if left is None else left + held


def _any_bound(exchange: "Exchange", purse: Purse, held: Bound) -> Bound:
    own = _own_limit(exchange) if exchange.head.max_cost else None
    price = exchange.price
    is_about_money = own is not None or purse.has_enforced_usd
    if price is None and is_about_money and (own is not None or exchange.services.snapshot.unknown_price == "refuse"):
        raise PriceUnknownError(_without_price(exchange), parameter="model")
    stated = stated_in(exchange.whole_body()) if exchange.is_held and exchange.body_size else None
    if stated is None or stated.background is not UNSET:
        _check_background(exchange, purse)
    if own is not None or purse.hard[USD]:
        price = price_at_most(exchange, stated)
        refuse_stand_ins(exchange, stated)
        refuse_paid_tools(exchange, stated)
    left = Left(_with(purse.least(TOKENS), held.tokens), _with(purse.least(USD), held.usd), own)
    bound = bound_of(_asked(exchange, stated), left, price)
    if own is not None and bound.usd > own:
        raise MaxCostError(
            f"the request may cost up to ${bound.usd / 1e9:.6f}, more than x-gateway-max-cost-usd allows",
            parameter="x-gateway-max-cost-usd",
        )
    if own is not None and not purse.limits and bound.cap is not None:
        _cap(exchange, bound.cap)
    return bound


def _without_price(exchange: "Exchange") -> str:
    if not exchange.model:
        return (
            "there is a limit in dollars, and the request names no model that can be read: name one in a JSON body,"
            " and send that uncompressed"
        )
    return (
        f"there is a limit in dollars, and no price is known for the model {exchange.model!r} of provider"
        f" {exchange.runtime.name!r}: add one under prices: in the configuration, or for one organization with"
        " POST /manage/prices, or set limits.unknown_price: free"
    )


def _check_background(exchange: "Exchange", purse: Purse) -> None:
    """Raise UnmeteredError where the answer would tell nothing of what is produced after it; PeekError."""
    if not exchange.is_held or not exchange.body_size:
        return
    if runs_in_background(exchange.whole_body()):
        refuse_background(exchange, purse)


def _own_limit(exchange: "Exchange") -> int:
    text = exchange.head.max_cost
    try:
        return max(0, nano_dollars(text.decode("latin-1").strip()) - _spent(exchange).usd)
    except AmountError as error:
        raise MaxCostError(f"x-gateway-max-cost-usd {error}", parameter="x-gateway-max-cost-usd") from None


def _asked(exchange: "Exchange", stated: Stated | None) -> Asked:
    route = exchange.route
    writes = route.operation != "embeddings"
    if not exchange.is_held or not exchange.body_size:
        is_known = exchange.content_length >= 0 and exchange.head.content_encoding.lower() in UNCODED
        size = max(exchange.content_length if is_known else UNKNOWN_CONTEXT, exchange.body_size)
        # It may state any cap, and for any number of choices.
        cap = None if exchange.is_held else LONGEST_UNREAD
        return Asked(size + exchange.runtime.provider.prompt_overhead, cap, writes=writes)
    body = exchange.whole_body()
    fields = route.dialect.cap_fields(route.operation, exchange.runtime.provider.authority)
    if fields is None:
        # An API that is not known: what it seems to say is believed, and what it does not say is bounded as usual.
        caps = read_caps(body, _USUAL_CAPS, stated) if stated is not None else _NO_CAPS
    else:
        caps = read_caps(body, fields, stated)
    if exchange.counted_input >= 0:
        return Asked(exchange.counted_input, caps.tokens, caps.choices, writes)
    reach = reach_of(body, stated, route.dialect.image_tokens(exchange.model))
    tokens = UNKNOWN_CONTEXT if reach.tokens is None else reach.tokens + _around(exchange)
    return Asked(tokens, caps.tokens, caps.choices, writes, reach.is_repeated)


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
    return reach_of(body, stated_in(body), 0).is_text


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
            more = exchange.runtime.provider.prompt_overhead + services.budgets.surplus.get(exchange.price_key, 0)
            exchange.counted_input = min(counted, len(before)) + more
        if not future.done():
            future.set_result(None)

    route = exchange.route
    question = Count(0, route.dialect.name, route.operation, exchange.model, before, b"", is_text=True)
    services.link.count(question, services.clock(), counted)
    return future
