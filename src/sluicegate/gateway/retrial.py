"""Sending a request again, as long as no byte of an answer has gone to the client.

Rule 1. What was never sent may go elsewhere, whatever it is. What was sent goes again only where its body is held, it
        came by a model's name, and its operation may be repeated; a pass-through path stays what it says it is.
Rule 2. Somebody else is asked at once, the same one after a pause, and only where it does not ask for a longer one than
        is worth waiting for. Who was too slow is not asked again.
Rule 3. Every answer and failure is noted where it belongs: failures of its own with the breaker, 429 as a rest, 4xx as
        the good answers they are; overload with the limit of what is sent at the same time.
Rule 4. A failed attempt costs what its provider reported, and nothing otherwise.
Rule 5. Where a second one is asked beside the first (`hedge`), the first answer that is no failure counts, and the
        other request is ended.
"""

from typing import TYPE_CHECKING, Final

from sluicegate.dialects.first_event import first_failure
from sluicegate.domain.errors import GatewayError, UpstreamTimeoutError, UpstreamUnreachableError
from sluicegate.domain.events import FailedAttempt
from sluicegate.domain.pricing import Price, as_served, cost
from sluicegate.domain.retrying import pause
from sluicegate.domain.usage import total
from sluicegate.gateway import pipeline, verdicts
from sluicegate.gateway.attempts import Retrial, Rival, retrial_of
from sluicegate.gateway.selection import Candidate, Selector
from sluicegate.gateway.stages.forward import enter_again, session_key
from sluicegate.gateway.taps import tap_for
from sluicegate.wire.answers import AnswerHead
from sluicegate.wire.retry_after import drained_for, retry_after

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange
    from sluicegate.gateway.upstream import UpstreamConnection

REPEATABLE: Final = frozenset(
    {
        "chat",
        "completions",
        "responses",
        "messages",
        "generate",
        "embeddings",
        "moderations",
        "rerank",
        "count_tokens",
    }
)
"""Operations that change nothing at the provider: asked twice, they only cost twice."""
LARGEST_START: Final = 65_536
"""Bytes of a stream that are held back until its first event is whole."""


# -- answers


def judge(
    exchange: "Exchange", selector: Selector, connection: "UpstreamConnection", data: bytes, *, is_complete: bool
) -> bytes | None:
    """What is to be passed on of an answer's first read; None where it is not to be passed on (yet)."""
    head = connection.head
    assert head is not None, "the first read told of is the one that completes the head"
    retrial = exchange.retrial
    if retrial is not None and retrial.rival is not None:
        if not _is_first_of_two(exchange, selector, retrial.rival, connection, data):
            _end(connection, is_complete=is_complete)
            return None
    elif connection is not exchange.connection:
        return None
    status = head.status
    if status >= 400:
        if _is_dropped(exchange, selector, status, head, data):
            _end(connection, is_complete=is_complete)
            return None
        return _passed_on(exchange, data)
    if status == 200 and selector.retries.attempts > 1 and _begins_stream(exchange, head):
        start = retrial.start + data if retrial is not None else data
        status = first_failure(start)
        if status < 0 and not is_complete and len(start) <= LARGEST_START:
            retrial_of(exchange).start = start
            return None
        if status > 0 and _is_dropped(exchange, selector, status, head, start):
            _end(connection, is_complete=is_complete)
            return None
        data = start
    if status < 400:
        verdicts.answered_well(exchange, selector, head)
    return _passed_on(exchange, data)


def _passed_on(exchange: "Exchange", data: bytes) -> bytes:
    """Whatever else might have been answered: this is what the client gets."""
    if exchange.retrial is not None:
        exchange.retrial.leave(exchange)
    return data


def _begins_stream(exchange: "Exchange", head: AnswerHead) -> bool:
    """Whether the answer is a stream that another one could still be asked for, if it begins with an error."""
    return head.content_type.startswith(b"text/event-stream") and _may_repeat(exchange)


def _is_dropped(exchange: "Exchange", selector: Selector, status: int, head: AnswerHead, data: bytes) -> bool:
    """Note an answer that is an error; True where the request goes again instead of the answer to the client."""
    wall = exchange.services.wall()
    wait = retry_after(head.lines, wall)
    verdicts.answered_badly(exchange, selector, exchange.runtime, status, wait or drained_for(head.lines, wall))
    if status not in selector.retries.statuses or not _may_repeat(exchange):
        return False
    retrial = retrial_of(exchange)
    before = retrial.usage, retrial.cost
    _note_usage(exchange, exchange.price or exchange.services.prices.get(exchange.price_key), head, data)
    if _again(exchange, selector, FailedAttempt(exchange.runtime.id, exchange.model, status), wait):
        return True
    # The client gets this answer, so that it is metered like any other: not twice.
    retrial.usage, retrial.cost = before
    return False


def _note_usage(exchange: "Exchange", price: Price | None, head: AnswerHead, data: bytes) -> None:
    """Keep what an answer that is not passed on says it cost, at this price."""
    if b"sage" not in data and not head.content_encoding:
        return
    tap = tap_for(exchange.route.dialect, exchange.route.operation, head.content_type, head.content_encoding)
    tap.feed(data)
    reading = tap.reading()
    usage = reading.usage
    if usage is not None:
        retrial = retrial_of(exchange)
        retrial.usage = usage if retrial.usage is None else total(retrial.usage, usage)
        retrial.cost += cost(as_served(price, reading.service), usage) if price is not None else 0


def _end(connection: "UpstreamConnection", *, is_complete: bool) -> None:
    """Be done with an answer that nobody gets; a whole one leaves its connection to be used again."""
    if not is_complete:
        connection.cancel()


# -- failures


def not_connected(exchange: "Exchange", error: GatewayError) -> bool:
    """Note that there is no connection; True where the request goes elsewhere."""
    selector = exchange.selector
    if selector is None:
        return False
    is_its_own = isinstance(error, UpstreamUnreachableError | UpstreamTimeoutError)
    if is_its_own:
        verdicts.failed(exchange, selector)
    else:
        # It was chosen and not sent: where it was the probe, another one may be.
        exchange.runtime.breaker.abandoned(exchange.services.clock(), exchange)
    attempt = FailedAttempt(exchange.runtime.id, exchange.model, 0, error.code)
    # Who finds no room in our own line does not stand in it again.
    return _again(exchange, selector, attempt, None, is_elsewhere=not is_its_own)


def failed(exchange: "Exchange", error: GatewayError, *, was_read: bool) -> bool:
    """Note that no (more) answer comes; True where the request goes again."""
    selector = exchange.selector
    if selector is None:
        return False
    if was_read or exchange.is_fresh:
        # A connection that had grown stale says nothing.
        verdicts.failed(exchange, selector)
    if exchange.is_head_sent or not exchange.is_held or (was_read and not _may_repeat(exchange)):
        return False
    attempt = FailedAttempt(exchange.runtime.id, exchange.model, 0, error.code)
    return _again(exchange, selector, attempt, None, is_elsewhere=isinstance(error, UpstreamTimeoutError))


# -- another attempt


def _may_repeat(exchange: "Exchange") -> bool:
    """Whether the request may be sent again although it was sent."""
    route = exchange.route
    return (
        exchange.is_held
        and route.kind == "model"
        and (route.operation in REPEATABLE or route.method in (b"GET", b"HEAD"))
    )


def _again(
    exchange: "Exchange",
    selector: Selector,
    attempt: FailedAttempt,
    wait: float | None,
    *,
    is_elsewhere: bool = False,
) -> bool:
    """Send it once more, now or after a pause; False where that may not be."""
    retrial = retrial_of(exchange)
    retrial.start = b""
    retrial.cancel_timer()
    if retrial.rival is not None:
        retrial.failed.append(attempt)
        return_to_first(exchange, retrial.rival)
        return True
    services = exchange.services
    retries = selector.retries
    now = services.clock()
    failures = len(retrial.failed) + 1
    if failures >= retries.attempts or services.is_draining:
        return False
    retrial.tried += _asked(exchange, selector)
    candidate = _untried(exchange, selector, retrial, now)
    seconds = 0.0
    if candidate is None:
        # A path that names its provider says at once what came of it.
        is_transparent = exchange.route.kind != "model"
        barred = selector.barred(exchange.route)
        same = None if is_elsewhere or is_transparent else selector.soonest(now, exchange.head.narrowing, barred)
        if same is None:
            return False
        candidate, rest = same
        # What another one asked for says nothing of this one, which may rest itself.
        asked = wait if candidate.runtime is exchange.runtime else rest or None
        paused = pause(retries, failures, services.choose(), asked)
        if paused is None:
            return False
        seconds = paused
        if selector.opens_last and not candidate.is_usable(now + seconds, exchange.head.narrowing):
            return False
    if now + seconds - exchange.started > retries.deadline or not services.retry_budget.may_retry(now):
        return False
    retrial.failed.append(attempt)
    exchange.connection = None
    if seconds > 0.0:
        retrial.handle = services.later(seconds, _go, exchange, candidate)
    else:
        _go(exchange, candidate)
    return True


def _asked(exchange: "Exchange", selector: Selector) -> list[Candidate]:
    """The candidate of the present attempt."""
    return [one for one in selector.candidates if one.runtime is exchange.runtime and one.model == exchange.model]


def _untried(exchange: "Exchange", selector: Selector, retrial: Retrial, now: float) -> Candidate | None:
    """Somebody else who may be asked, and as a model that can be written into what is sent."""
    if selector.only is not None:
        return None
    candidate = selector.choose(
        now,
        exchange.services.choose(),
        key=session_key(exchange, selector),
        narrowing=exchange.head.narrowing,
        tried=[*retrial.tried, *selector.barred(exchange.route)] if selector.is_mixed else retrial.tried,
    )
    if candidate is not None and not exchange.is_held and candidate.model != exchange.model:
        return None
    return candidate


def _go(exchange: "Exchange", candidate: Candidate) -> None:
    retrial = retrial_of(exchange)
    retrial.handle = None
    if exchange.is_ended:
        return
    if exchange.runtime is not candidate.runtime or exchange.model != candidate.model:
        exchange.price = None
    exchange.prefix = b""
    exchange.seen_reads = 0
    now = exchange.services.clock()
    exchange.elsewhere += now - max(exchange.sent, exchange.waiting_since)
    candidate.runtime.breaker.admit(now, exchange)
    enter_again(exchange, candidate)
    pipeline.advance(exchange, pipeline.ON_RETRY)


# -- a second one beside the first


def hedge_later(exchange: "Exchange", selector: Selector, seconds: float) -> None:
    """Ask another one in so many seconds, unless an answer has begun."""
    if not exchange.is_stream_request and _may_repeat(exchange):
        retrial_of(exchange).handle = exchange.services.later(seconds, _hedge, exchange, selector)


def _hedge(exchange: "Exchange", selector: Selector) -> None:
    retrial = retrial_of(exchange)
    retrial.handle = None
    connection = exchange.connection
    if exchange.is_ended or exchange.is_head_sent or connection is None or retrial.failed:
        return
    services = exchange.services
    now = services.clock()
    retrial.tried += _asked(exchange, selector)
    candidate = _untried(exchange, selector, retrial, now)
    if candidate is None or not services.retry_budget.may_retry(now):
        return
    retrial.tried.append(candidate)
    retrial.rival = Rival(exchange, connection)
    exchange.connection = None
    _go(exchange, candidate)


def return_to_first(exchange: "Exchange", rival: Rival) -> None:
    """The first attempt is the only one again."""
    retrial = retrial_of(exchange)
    retrial.rival = None
    retrial.returns += 1
    exchange.runtime.breaker.abandoned(exchange.services.clock(), exchange)
    exchange.leave_connection()
    exchange.connection = rival.connection
    exchange.runtime = rival.runtime
    exchange.model = rival.model
    exchange.body = rival.body
    exchange.filter = rival.filter
    exchange.prefix = rival.prefix
    exchange.price = rival.price
    exchange.sent = rival.sent
    exchange.elsewhere = rival.elsewhere
    exchange.waiting_since = rival.waiting_since


def _is_first_of_two(
    exchange: "Exchange", selector: Selector, rival: Rival, connection: "UpstreamConnection", data: bytes
) -> bool:
    """Whether this answer counts, of two attempts; the other one is the only one else."""
    head = connection.head
    assert head is not None, "only answers whose head is whole are judged"
    is_failure = head.status in verdicts.FAILURES or head.status == verdicts.LIMITED
    is_second = connection is exchange.connection
    if not is_failure:
        if is_second:
            retrial_of(exchange).leave(exchange)
        elif connection is rival.connection:
            return_to_first(exchange, rival)
        return True
    runtime, model, price = (exchange.runtime, exchange.model, exchange.price) if is_second else rival.asked
    services = exchange.services
    wait = retry_after(head.lines, services.wall()) or drained_for(head.lines, services.wall())
    verdicts.answered_badly(exchange, selector, runtime, head.status, wait)
    key = (runtime.name, model, exchange.principal.organization_id)
    _note_usage(exchange, price or services.prices.get(key), head, data)
    retrial = retrial_of(exchange)
    retrial.failed.append(FailedAttempt(runtime.id, model, head.status))
    if is_second:
        # Its connection is not cancelled by this: whether it can be used again is for who hears of its answer.
        exchange.connection = None
        return_to_first(exchange, rival)
    else:
        retrial.rival = None
    return False


def rival_failed(
    exchange: "Exchange", connection: "UpstreamConnection", error: GatewayError, *, was_read: bool
) -> None:
    """A connection that is not the exchange's failed: of the first attempt, perhaps."""
    retrial = exchange.retrial
    rival = retrial.rival if retrial is not None else None
    if retrial is None or rival is None or rival.connection is not connection or exchange.selector is None:
        return
    retrial.rival = None
    retrial.failed.append(FailedAttempt(rival.runtime.id, rival.model, 0, error.code))
    if was_read:
        now = exchange.services.clock()
        rival.runtime.breaker.failed(now, exchange, may_eject=exchange.selector.has_another(rival.runtime, now))
