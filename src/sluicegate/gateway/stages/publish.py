"""Publish: one event per exchange into the journal, before the client has its last byte.

The event carries what the exchange is charged to its limits, and nothing else charges them: control reads it there. A
count that comes later is a later event, so until then the reservation stands, and the `Pending` line carries what would
be charged by the guess: that is what counts if this process dies before. Places among the requests that run at the same
time are free as soon as the exchange is over.
"""

import asyncio
from typing import TYPE_CHECKING, cast

import msgspec

from sluicegate.domain.events import Charge, Metadata, Pending
from sluicegate.domain.events import Exchange as Event
from sluicegate.domain.pricing import Price, as_served, cost
from sluicegate.domain.underway import Sent, lost_event
from sluicegate.domain.usage import Usage, UsageSource, total
from sluicegate.gateway.budgets import Budgets, Spent
from sluicegate.gateway.journal import Facts
from sluicegate.gateway.purses import Reservation
from sluicegate.gateway.stages.meter import merged, unread
from sluicegate.gateway.underway import NO_PLACE
from sluicegate.wire.link import Count, Counted

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

LONGEST_TEXT = 256
"""Characters of a client's own words (model, session) that an event keeps."""

_ESTIMATES = frozenset({"counted", "length"})


def publish(exchange: "Exchange") -> None:
    """Append the event; what must be counted or looked up comes later, in an event that takes its place."""
    services = exchange.services
    price = price_of(exchange)
    usage = exchange.usage
    reservation = exchange.reservation
    money = cost(price, usage) if price is not None and usage is not None else None
    used, paid = (usage, money) if exchange.retrial is None else in_all(exchange, usage, money)
    is_final = exchange.usage_source != "length"
    charges: tuple[Charge, ...] = ()
    if reservation is not None:
        if usage is not None and exchange.counted_input >= 0 and exchange.usage_source == "reported":
            services.budgets.learn_surplus(exchange.price_key, usage.input_tokens - exchange.counted_input)
        spent = spent_on(used, paid)
        charges = (charged if is_final else _charged_so_far)(services.budgets, reservation, spent)
    event = event_of(exchange, price, used, paid, charges)
    telling = _who_tells_the_price(exchange) if price is None else None
    line = event if is_final and telling is None else Pending(event.request_id, event)
    if reservation is not None and reservation.place != NO_PLACE:
        services.journal.tell(line, reservation.place)
    else:
        services.journal.append(line)
    if is_final:
        if telling is not None:
            telling.add_done_callback(lambda _: services.journal.append(_with_price(exchange, event)))
        return
    reported = exchange.reading.usage or Usage()

    def counted(answer: Counted | None) -> None:
        final = event if answer is None else with_count(exchange, event, reported, answer, price_of(exchange))
        if reservation is not None:
            spent = spent_on(final.usage, final.cost)
            final = msgspec.structs.replace(final, charges=charged(services.budgets, reservation, spent))
        services.journal.append(final)

    services.link.count(question_of(exchange), services.clock(), counted)


def intend(exchange: "Exchange", reservation: Reservation) -> bool:
    """Say in advance what an exchange is charged if nobody is left to tell what it took: all that it has set aside.

    Whether it may be sent at once: it is noted. Where it could not be, a line of the journal says it, and it may be
    sent once that is written. The event at its end takes the place of either.
    """
    purse = reservation.purse
    if not purse.is_charged:
        return True
    route = exchange.route
    journal = exchange.services.journal
    facts: Facts = (
        exchange.request_id,
        int(exchange.wall * 1000),
        route.endpoint,
        route.method_name,
        route.kind,
        route.dialect.name,
        route.operation,
        exchange.runtime.name,
        exchange.requested_model[:LONGEST_TEXT],
        exchange.model[:LONGEST_TEXT],
        exchange.attempts,
        exchange.body_size,
        exchange.client.address,
        reservation.limit,
        reservation.is_degraded,
        reservation.has_own,
        reservation.held,
    )
    if reservation.is_degraded:
        facts += (reservation.wanted,)
    place = journal.note(facts, purse.encoded_owner)
    if place != NO_PLACE:
        if reservation.place != NO_PLACE:
            # It goes to somebody else now, where it may take more.
            journal.clear(reservation.place)
        reservation.place = place
        return True
    lost = lost_event(msgspec.convert((0, 0, *facts), Sent), purse.owner)
    if lost.charges:
        journal.append(Pending(lost.request_id, lost))
    return not lost.charges


def price_of(exchange: "Exchange") -> Price | None:
    """What the model costs, as the answer says it was served: the price by which the request was admitted, or the one
    that is known now. Nobody waits for it here.
    """
    price = exchange.price
    if price is None and exchange.usage is not None and exchange.runtime_or_none is not None and exchange.model:
        price = exchange.services.prices.get(exchange.price_key)
    service = exchange.reading.service
    return price if service is None or price is None else as_served(price, service)


def _who_tells_the_price(exchange: "Exchange") -> "asyncio.Future[None] | None":
    """Who was asked by `price_of` what the model costs: nobody but for the first exchanges with it. The others know."""
    if exchange.usage is None or exchange.runtime_or_none is None or not exchange.model:
        return None
    return exchange.services.prices.asked_for(exchange.price_key)


def _with_price(exchange: "Exchange", event: Event) -> Event:
    """The event with its cost, now that the price is known; as it is, where there is none."""
    price, usage = price_of(exchange), exchange.usage
    if price is None or usage is None:
        return event
    _, paid = in_all(exchange, usage, cost(price, usage))
    return msgspec.structs.replace(event, cost=paid, price_version=price.version)


def charged(budgets: Budgets, reservation: Reservation, spent: Spent) -> tuple[Charge, ...]:
    """Charge an exchange that is over for good. What never reached a provider takes nothing."""
    if reservation.is_sent:
        return budgets.settle(reservation, spent)
    budgets.release(reservation)
    return ()


def _charged_so_far(budgets: Budgets, reservation: Reservation, spent: Spent) -> tuple[Charge, ...]:
    """What it would be charged by the guess, until its tokens are counted."""
    budgets.leave_places(reservation)
    return budgets.charges_of(reservation, spent)


def in_all(exchange: "Exchange", usage: Usage | None, money: int | None) -> tuple[Usage | None, int | None]:
    """What was used, and its cost in nano-dollars, with what the providers of failed attempts have reported on top."""
    retrial = exchange.retrial
    if retrial is None or retrial.usage is None:
        return usage, money
    used = retrial.usage if usage is None else total(usage, retrial.usage)
    return used, (money or 0) + retrial.cost if money is not None or retrial.cost else None


def spent_on(usage: Usage | None, money: int | None) -> Spent:
    """What an exchange took that reached a provider; `money` is nano-dollars."""
    return 1, usage.total_tokens if usage is not None else 0, money or 0


def event_of(
    exchange: "Exchange",
    price: Price | None = None,
    usage: Usage | None = None,
    cost: int | None = None,
    charges: tuple[Charge, ...] = (),
) -> Event:
    """The record of an exchange that has ended; `usage` and `cost` are of all its attempts."""
    reservation = exchange.reservation
    services = exchange.services
    principal = exchange.principal
    route = exchange.route
    reading = exchange.reading
    retrial = exchange.retrial
    runtime = exchange.runtime_or_none
    model = reading.model or exchange.model
    error = exchange.error
    head = exchange.head
    started = exchange.started
    has_answer = exchange.first_byte > 0.0
    source = exchange.usage_source
    if source == "none" and usage is not None:
        # By failed attempts alone.
        source = "reported"
    # By position, in the order of the fields: naming forty of them costs a microsecond of every request.
    event = Event(
        exchange.request_id,
        services.timestamp(exchange.wall),
        principal.token_id,
        principal.project_id,
        principal.organization_id,
        route.endpoint,
        route.method_name,
        exchange.status,
        _milliseconds(exchange.ended - started),
        metadata_of(model[:LONGEST_TEXT], usage, int(exchange.wall)),
        principal.user_id,
        route.kind,
        route.dialect.name,
        route.operation,
        runtime.name if runtime is not None else "",
        exchange.requested_model[:LONGEST_TEXT],
        model[:LONGEST_TEXT],
        exchange.attempts,
        exchange.is_stream,
        exchange.is_cut,
        _milliseconds(exchange.first_byte - started) if has_answer else None,
        exchange.overhead_us if has_answer else None,
        exchange.body_size,
        exchange.response_bytes,
        usage,
        source,
        source in _ESTIMATES,
        exchange.is_client_gone,
        error.source if error is not None else "upstream" if exchange.upstream_status >= 400 else None,
        error.code if error is not None else reading.error,
        exchange.upstream_status or None,
        exchange.upstream_request_id or None,
        reading.response_id,
        reading.finish_reason,
        head.session[:LONGEST_TEXT] or None,
        exchange.client.address,
        principal.tags,
        cost,
        price.version if price is not None and cost is not None else None,
        reading.provider_cost,
        charges,
        reservation.limit if reservation is not None else None,
        reservation is not None and reservation.is_degraded,
        runtime.provider.deployment if runtime is not None else "",
        tuple(retrial.failed) if retrial is not None else (),
    )
    # Not above: what few requests have is not to be read of each.
    if head.traceparent:
        event = msgspec.structs.replace(event, traceparent=head.traceparent, tracestate=head.tracestate)
    if reading.service is not None:
        event = msgspec.structs.replace(event, service_tier=reading.service)
    return event


def metadata_of(model: str, usage: Usage | None, created: int) -> Metadata:
    """The part of an event that other systems' logs call metadata."""
    if usage is None:
        return Metadata(model=model, created=created)
    used, made = usage.input_tokens, usage.output_tokens
    return Metadata(model, used, made, used + made, created)


def question_of(exchange: "Exchange") -> Count:
    """What the control process needs to count this exchange: text that goes over the link, never into the journal."""
    reading = exchange.reading
    tap = exchange.tap
    is_text = exchange.is_stream or tap is None
    answer = reading.text.encode("utf-8", "replace") if is_text else tap.body() if tap is not None else b""
    body = exchange.whole_body() if exchange.is_held else b""
    return Count(
        0,
        exchange.route.dialect.name,
        exchange.route.operation,
        exchange.model,
        body,
        answer,
        is_text,
        reading.text_dropped + unread(exchange),
    )


def with_count(
    exchange: "Exchange", event: Event, reported: Usage, answer: Counted, price: Price | None = None
) -> Event:
    """The event with its guess replaced by a count."""
    usage = merged(reported, answer.input_tokens, answer.output_tokens)
    used, paid = in_all(exchange, usage, cost(price, usage) if price is not None else None)
    return msgspec.structs.replace(
        event,
        usage=used,
        usage_source=cast("UsageSource", answer.source),
        metadata=metadata_of(event.metadata.model, used, event.metadata.created),
        cost=paid,
    )


def _milliseconds(seconds: float) -> float:
    return int(seconds * 1e6) / 1000
