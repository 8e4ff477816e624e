"""What a provider's answer is held to while it is on its way: the route's timeouts, and what is set aside for it."""

from typing import TYPE_CHECKING

from sluicegate.domain.errors import LimitReachedError, UpstreamTimeoutError
from sluicegate.domain.snapshot import Timeouts
from sluicegate.gateway import relay, retrial, verdicts
from sluicegate.gateway.overrun import is_overrun

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange
    from sluicegate.gateway.upstream import UpstreamConnection


def look_at(exchange: "Exchange", now: float) -> None:
    """Ask another one where no answer begins in time; refuse, or end, what takes longer than its route allows."""
    connection = exchange.connection
    if exchange.is_ended:
        return
    if connection is None:
        if exchange.is_waiting:
            _look_at_waiting(exchange, now)
        return
    reservation = exchange.reservation
    if reservation is not None and reservation.is_open and exchange.is_stream and is_overrun(exchange, reservation):
        _end_at_length(exchange)
        return
    timeouts = _timeouts(exchange)
    if now - exchange.started > timeouts.total:
        exchange.refuse(_too_slow(exchange, "did not finish", timeouts.total))
    elif not connection.has_answer_begun:
        if not exchange.is_request_complete:
            _look_at_body(exchange, connection, timeouts.between_bytes, now)
        elif now - exchange.sent > timeouts.first_byte:
            _did_not_begin(exchange, _too_slow(exchange, "did not begin its answer", timeouts.first_byte))
    elif connection.reads != exchange.seen_reads or connection.is_paused:
        exchange.seen_reads = connection.reads
        exchange.seen = now
    elif now - exchange.seen > timeouts.between_bytes:
        error = _too_slow(exchange, "sent nothing more", timeouts.between_bytes)
        if exchange.is_head_sent:
            exchange.refuse(error)
        else:
            _did_not_begin(exchange, error)


def _look_at_waiting(exchange: "Exchange", now: float) -> None:
    """A model's own time for connecting: the connector itself knows only the provider's."""
    selector = exchange.selector
    timeouts = selector.timeouts if selector is not None else None
    if timeouts is not None and now - exchange.waiting_since > timeouts.connect:
        exchange.leave_connection()
        exchange.not_connected(_too_slow(exchange, "gave no connection", timeouts.connect))


def _look_at_body(exchange: "Exchange", connection: "UpstreamConnection", longest: float, now: float) -> None:
    """The client is made to wait by a provider that takes nothing more of its body; one that pauses itself may."""
    # Below zero, so that it is never taken for a number of reads.
    taken = -1 - max(0, exchange.body_size - connection.unsent)
    if not connection.is_full or taken != exchange.seen_reads:
        exchange.seen_reads = taken
        exchange.seen = now
    elif now - exchange.seen > longest:
        _did_not_begin(exchange, _too_slow(exchange, "took nothing more of the request", longest))


def _timeouts(exchange: "Exchange") -> Timeouts:
    """The model's own, else the provider's."""
    selector = exchange.selector
    return (selector.timeouts if selector is not None else None) or exchange.runtime.provider.timeouts


def _did_not_begin(exchange: "Exchange", error: UpstreamTimeoutError) -> None:
    verdicts.too_slow(exchange)
    exchange.leave_connection()
    if not retrial.failed(exchange, error, was_read=True):
        exchange.refuse(error)


def _end_at_length(exchange: "Exchange") -> None:
    """The limit is reached in the middle of a stream: end it as if the model had reached its cap."""
    ending = relay.length_ending(exchange)
    if ending is None:
        assert exchange.reservation is not None, "only reservations are overrun"
        limit = exchange.reservation.limit
        exchange.refuse(LimitReachedError(f"the limit {limit} was reached while the answer came"))
    else:
        exchange.cut(ending)


def _too_slow(exchange: "Exchange", what: str, seconds: float) -> UpstreamTimeoutError:
    return UpstreamTimeoutError(f"provider {exchange.runtime.name} {what} within {seconds:g} s")
