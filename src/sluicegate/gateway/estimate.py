"""Tokens of a request, estimated here where no provider can count them: `/v1/messages/count_tokens`.

Rule 1. A provider that speaks Anthropic's API counts for the models that lead to it. For all others, and where there is
        none, the tokenizer of the control process counts as it does for their answers; without it the length decides.
Rule 2. An answer of ours says so, by `x-gateway-estimated: true`.
Rule 3. It takes one request of the caller's limits, and no tokens.
"""

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw, Struct

from sluicegate.domain.errors import BadRequestError
from sluicegate.gateway.relay import gateway_fields
from sluicegate.gateway.replies import plain_reply
from sluicegate.gateway.routes import Route
from sluicegate.gateway.selection import Selector
from sluicegate.gateway.stages.meter import BYTES_PER_TOKEN
from sluicegate.wire.link import Count, Counted

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

_PATH: Final = "messages/count_tokens"
ESTIMATED: Final = b"x-gateway-estimated: true\r\n"


class _Asked(Struct):
    """What the API requires of a request to count."""

    messages: list[Raw]


_decode = msgspec.json.Decoder(_Asked).decode


def is_estimated(route: Route, selector: Selector | None) -> bool:
    """Whether a count that may be had of `selector` is to be made here."""
    if route.method != b"POST" or route.rest != _PATH:
        return False
    if selector is None:
        return True
    candidates = selector.candidates
    return bool(candidates) and candidates[0].runtime.dialect is not route.dialect


def prepare(exchange: "Exchange", selector: Selector | None, wanted: str) -> None:
    """Set the model that is counted for. Raises BadRequestError where Anthropic would refuse the request."""
    if not wanted:
        raise BadRequestError("model: name the model whose tokens are to be counted", parameter="model")
    try:
        messages = _decode(exchange.whole_body()).messages
    except msgspec.MsgspecError:
        messages = []
    if not messages:
        raise BadRequestError("messages: a list of at least one message is required", parameter="messages")
    exchange.selector = selector
    exchange.model = (selector.candidates[0].model if selector is not None else "") or wanted


def estimate(exchange: "Exchange") -> "bytes | asyncio.Future[None]":
    """The answer, once the tokens are counted; a future until then."""
    if exchange.counted_input >= 0:
        return _answer(exchange, exchange.counted_input)
    services = exchange.services
    future: asyncio.Future[None] = services.loop.create_future()
    body = exchange.whole_body()

    def counted(answer: Counted | None) -> None:
        exchange.counted_input = answer.input_tokens if answer is not None else -(-len(body) // BYTES_PER_TOKEN)
        future.set_result(None)

    if exchange.reservation is not None:
        # From here on it is charged as a request, as if a provider had it.
        exchange.reservation.is_sent = True
    question = Count(0, exchange.route.dialect.name, "messages", exchange.model, body, b"", is_text=True)
    services.link.count(question, services.clock(), counted)
    return future


def _answer(exchange: "Exchange", tokens: int) -> bytes:
    if exchange.services.is_draining:
        exchange.keeps_alive = False
    return plain_reply(
        200,
        b"application/json",
        b'{"input_tokens":%d}' % tokens,
        request_id=exchange.request_id,
        closes=not exchange.keeps_alive,
        is_head=False,
        extra=ESTIMATED + gateway_fields(exchange),
    )
