"""What an answer, or that there is none, says of the deployment: noted with its breaker, its limit, its latency.

4xx are good answers: the request was at fault. 429 is a rest, not a failure. 503, 529 and no first byte in time say
that it has too much to do.
"""

from typing import TYPE_CHECKING, Final

from sluicegate.gateway.providers import ProviderRuntime
from sluicegate.gateway.selection import Selector
from sluicegate.wire.answers import AnswerHead
from sluicegate.wire.retry_after import drained_for

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

LIMITED: Final = 429
FAILURES: Final = frozenset({408, 500, 502, 503, 504, 529})
"""Answers that are the deployment's own failure."""
_OVERLOADED: Final = frozenset({503, 529})
"""Answers by which it says that it has too much to do."""
LONGEST_REST: Final = 86_400.0
"""Seconds: no limit of any provider takes longer to reset, and no header may take a deployment away for good."""
_TIMED_OUT: Final = 408
_REST_SECONDS: Final = 1.0
"""How long one that answers 429 rests, where it does not say."""


def answered_well(exchange: "Exchange", selector: Selector, head: AnswerHead) -> None:
    """Note a good answer."""
    runtime = exchange.runtime
    breaker = runtime.breaker
    breaker.answers += 1
    services = exchange.services
    if breaker.is_troubled:
        breaker.succeeded(services.clock())
    limit = runtime.pool.limit
    if limit.is_active:
        limit.answered(runtime.pool.busy)
    if selector.only is None:
        now = services.clock()
        if runtime.latency is not None:
            runtime.latency.observe(now - exchange.sent, now)
        seconds = drained_for(head.lines, services.wall())
        if seconds > 0.0 and not _has_own_key(exchange, runtime):
            breaker.limited(now, exchange, now + min(seconds, LONGEST_REST))


def answered_badly(
    exchange: "Exchange", selector: Selector, runtime: ProviderRuntime, status: int, seconds: float
) -> None:
    """Note an answer of 400 or more; `seconds` is how long it wants to be left alone, 0 where it does not say."""
    now = exchange.services.clock()
    if status == LIMITED:
        if not _has_own_key(exchange, runtime):
            runtime.breaker.limited(now, exchange, now + min(seconds or _REST_SECONDS, LONGEST_REST))
    elif status == _TIMED_OUT and not exchange.is_held:
        # It waited for a body that passes through as the client sends it.
        runtime.breaker.abandoned(now, exchange)
    elif status in FAILURES:
        runtime.breaker.failed(now, exchange, may_eject=selector.has_another(runtime, now))
    else:
        runtime.breaker.answers += 1
        if runtime.breaker.is_troubled:
            runtime.breaker.succeeded(now)
    if status in _OVERLOADED:
        runtime.pool.limit.overloaded(runtime.pool.busy, now, exchange.sent)


def _has_own_key(exchange: "Exchange", runtime: ProviderRuntime) -> bool:
    """Whether the project asks with a key of its own, whose limits are its own, too, and say nothing to others."""
    return any(provider == runtime.name for provider, _ in exchange.principal.credentials)


def failed(exchange: "Exchange", selector: Selector) -> None:
    """Note that no (more) answer came."""
    runtime = exchange.runtime
    now = exchange.services.clock()
    runtime.breaker.failed(now, exchange, may_eject=selector.has_another(runtime, now))


def too_slow(exchange: "Exchange") -> None:
    """Note that no answer began in time, which overload may be the reason of."""
    runtime = exchange.runtime
    runtime.pool.limit.overloaded(runtime.pool.busy, exchange.services.clock(), exchange.sent)
