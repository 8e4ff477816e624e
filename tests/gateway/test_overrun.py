"""When a stream has brought more than is set aside. The whole story is told in tests/flows/test_budgets_streams.py."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from sluicegate.domain.bounds import Bound
from sluicegate.domain.pricing import Price, Rates
from sluicegate.gateway.overrun import AHEAD, BYTES_PER_TOKEN, is_overrun
from sluicegate.gateway.purses import TOKENS as TOKENS_METRIC
from sluicegate.gateway.purses import USD, Purse, Reservation, amounts
from tests.gateway.limits import whose


class Purses:
    """Gives more, or does not; notes what was asked."""

    def __init__(self, *, gives: bool) -> None:
        self.gives = gives
        self.asked: list[dict[int, int]] = []

    def extend(self, reservation: Reservation, more: dict[int, int], now: float) -> bool:
        self.asked.append(more)
        return self.gives


def look(produced: int, *, gives: bool, is_held: bool = True) -> tuple[bool, Reservation, Purses]:
    """A look at a stream of so many tokens, of which 10,000 are set aside."""
    purses = Purses(gives=gives)
    services = SimpleNamespace(budgets=purses, clock=lambda: 0.0)
    price = Price("v", Rates(1_000_000, 2_000_000))
    exchange = SimpleNamespace(response_bytes=produced * BYTES_PER_TOKEN, services=services, price=price)
    reservation = Reservation(Purse(whose(), ()), amounts(0, 0))
    reservation.is_held = is_held
    reservation.bound = Bound(11_000, 0, 10_000)
    return is_overrun(cast("Any", exchange), reservation), reservation, purses


def test_enough_is_set_aside() -> None:
    """Nothing is asked for."""
    is_over, _, purses = look(10_000 - AHEAD, gives=False)
    assert not is_over
    assert not purses.asked


@pytest.mark.parametrize("produced", [10_001 - AHEAD, 12_000])
def test_more_is_had(produced: int) -> None:
    """It is set aside with what it may cost, and the stream goes on."""
    is_over, reservation, purses = look(produced, gives=True)
    lacking = produced + AHEAD - 10_000
    assert not is_over
    assert purses.asked == [{TOKENS_METRIC: lacking, USD: 2 * lacking}]
    assert reservation.bound == Bound(11_000 + lacking, 2 * lacking, 10_000 + lacking)


def test_no_more_is_had() -> None:
    """It ends when what is set aside is used, and not before; what is over already is not looked at."""
    assert not look(10_000, gives=False)[0]
    assert look(10_001, gives=False)[0]
    assert not look(10_001, gives=False, is_held=False)[0]
