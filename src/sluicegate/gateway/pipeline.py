"""The stages of a request, in order. This list is the authority.

A stage is a function of the exchange. It returns None (go on), bytes (the whole answer: stop here), or a future (go on
when it is done); or it raises a GatewayError, or a PeekError for what nobody can read of the body (stop here, with the
error in the route's dialect).
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from sluicegate.domain.errors import BadRequestError, GatewayError, InternalError
from sluicegate.gateway.attempts import returns_of
from sluicegate.gateway.bodies import hand_over
from sluicegate.gateway.stages.accept import accept
from sluicegate.gateway.stages.authenticate import authenticate
from sluicegate.gateway.stages.budget import budget, refit
from sluicegate.gateway.stages.cache import cache
from sluicegate.gateway.stages.forward import forward
from sluicegate.gateway.stages.meter import meter
from sluicegate.gateway.stages.publish import publish
from sluicegate.wire.peek import PeekError

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

Outcome = bytes | asyncio.Future[Any] | None
Stage = Callable[["Exchange"], Outcome]
Ending = Callable[["Exchange"], None]

STAGES: tuple[Callable[["Exchange"], object], ...] = (accept, authenticate, budget, cache, forward, meter, publish)

ON_HEAD: tuple[Stage, ...] = (accept, authenticate)
"""Run when the request's head is in: strangers are refused before their body is held."""
ON_BODY: tuple[Stage, ...] = (budget, cache, forward)
"""Run when the body is in, or, where it streams, right behind the head; behind `Plugins.before` where there are plugins
(`Services.on_body`)."""
ON_RETRY: tuple[Stage, ...] = (refit, forward)
"""Run when a request is sent again: to somebody else, whose prices may be others."""
ON_END: tuple[Ending, ...] = (meter, publish)
"""Run exactly once, however the exchange ended; before `Plugins.after` (`Services.on_end`)."""
ON_END_KEEPING: tuple[Ending, ...] = (*ON_END, hand_over)
"""The same where bodies are kept."""


def advance(exchange: "Exchange", stages: tuple[Stage, ...], at: int = 0) -> None:
    """Run `stages` from number `at`; then tell the exchange that all passed, unless one stopped it."""
    for number in range(at, len(stages)):
        try:
            outcome = stages[number](exchange)
        except GatewayError as error:
            exchange.stopped(stages, error)
            return
        except PeekError as error:
            exchange.stopped(stages, BadRequestError(str(error), parameter=error.field))
            return
        except Exception:  # a defect of ours: without an answer the client would wait for ever
            logging.getLogger(__name__).exception("a stage failed; request %s", exchange.request_id)
            exchange.stopped(stages, InternalError("the gateway failed at this request; its log tells why"))
            return
        if outcome is None:
            continue
        if isinstance(outcome, bytes):
            exchange.reply(outcome)
        else:
            outcome.add_done_callback(partial(_resume, exchange, stages, number, returns_of(exchange)))
        return
    exchange.passed(stages)


def _resume(
    exchange: "Exchange", stages: tuple[Stage, ...], number: int, returns: int, future: "asyncio.Future[Any]"
) -> None:
    """Run the stage that waited once more: it now finds what it waited for, or the error it waited to hear."""
    error = future.exception()
    if exchange.is_ended or returns != returns_of(exchange):
        return
    if isinstance(error, GatewayError):
        exchange.stopped(stages, error)
    else:
        advance(exchange, stages, number)
