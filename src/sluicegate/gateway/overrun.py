"""Answers that nothing but this gateway bounds: where a hard limit holds and no cap could be written into the request.

Twice a second what a stream has brought is compared with what is set aside. As long as more can be had it is set aside
as well, and noted, so that all of it is charged if this process dies; where it cannot, the stream is ended as if the
model had reached its cap. A soft limit never ends a stream: it admits while anything is left, and is charged what it
was.
"""

from typing import TYPE_CHECKING, Final

from sluicegate.domain.pricing import highest_cost
from sluicegate.gateway.purses import TOKENS, USD, Reservation
from sluicegate.gateway.stages.publish import intend

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

BYTES_PER_TOKEN: Final = 32
"""Of a stream with its events' frames: fewer than any API needs for a token that comes alone."""
AHEAD: Final = 4_096
"""Tokens to set aside beyond what is there: more than a model writes between two looks."""


def is_overrun(exchange: "Exchange", reservation: Reservation) -> bool:
    """Whether a stream has brought more than is set aside, and no more can be had. Sets aside more where it can.

    What is lacking is asked for, so that the next look may find it: until then it may run on by what is ahead.
    """
    produced = exchange.response_bytes // BYTES_PER_TOKEN
    lacking = produced + AHEAD - reservation.bound.output
    if lacking <= 0 or not reservation.is_held:
        return False
    price = exchange.price
    usd = 0 if price is None else highest_cost(price, 0, lacking)
    if exchange.services.budgets.extend(reservation, {TOKENS: lacking, USD: usd}, exchange.services.clock()):
        bound = reservation.bound
        reservation.bound = type(bound)(bound.tokens + lacking, bound.usd + usd, bound.output + lacking)
        intend(exchange, reservation)
        return False
    return produced > reservation.bound.output
