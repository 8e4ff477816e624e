"""A principal's limits, compiled."""

import asyncio

import msgspec

from sluicegate.domain.limits import Limit
from sluicegate.gateway.purses import TOKENS as TOKENS_METRIC
from sluicegate.gateway.purses import USD as USD_METRIC
from sluicegate.gateway.purses import Account, Purse, Reservation, amounts
from tests.gateway.limits import PLACES, REQUESTS, TOKENS, USD, whose


def a_purse(*limits: Limit) -> Purse:
    principal = whose(*limits)
    return Purse(principal, tuple([Account(limit.account, limit.maximum, principal) for limit in principal.limits]))


def test_six_figures() -> None:
    """Limits that are not hard take one unit in advance, of whatever is not nothing."""
    assert amounts(100, 2000) == (1, 100, 2000, 1, 1, 1)
    assert amounts(0, 0) == (1, 0, 0, 1, 0, 0)


def test_each_limit_finds_its_figure() -> None:
    """By its metric, and whether it is hard."""
    soft = msgspec.structs.replace(USD, enforcement="soft")
    purse = a_purse(REQUESTS, TOKENS, soft, PLACES)
    assert [amounts(100, 2000)[index] for _, index in purse.places] == [1, 100, 1, 1]
    assert (purse.is_measured, purse.has_hard_amounts, purse.has_usd, purse.has_enforced_usd) == (True,) * 4
    assert (purse.least(TOKENS_METRIC), purse.least(USD_METRIC)) == (1000, None)


def test_limits_that_need_no_measuring() -> None:
    """Requests and places are counted, not measured; a shadow enforces nothing."""
    purse = a_purse(REQUESTS, PLACES)
    assert (purse.is_measured, purse.has_hard_amounts) == (False, False)
    assert not a_purse(msgspec.structs.replace(USD, enforcement="shadow")).has_enforced_usd
    assert repr(purse).startswith("<Purse [<Holding tok_1|requests|1h")


def test_the_gate_stays_shut_while_somebody_waits() -> None:
    """Nobody passes those in line."""
    purse = a_purse(REQUESTS)
    (account,) = purse.accounts
    account.lent(5, 0, None, 100.0)
    account.open_gate()
    assert account.open_until == 100.0
    account.queue.append(Reservation(purse, amounts(0, 0)))
    account.open_gate()
    assert account.open_until == 0.0


def test_a_reservation_tells_its_state() -> None:
    """Held, waiting, refused, failed or over."""
    purse = a_purse(REQUESTS)
    reservation = Reservation(purse, amounts(0, 0))
    assert repr(reservation) == "<Reservation held (1, 0, 0, 1, 0, 0)>"
    reservation.is_held = False
    assert repr(reservation).startswith("<Reservation over")
    loop = asyncio.new_event_loop()
    reservation.future = loop.create_future()
    assert repr(reservation).startswith("<Reservation waiting")
    reservation.future.set_result(None)
    loop.close()
    reservation.has_failed = True
    assert repr(reservation).startswith("<Reservation failed")
    reservation.refused_by = purse.accounts[0]
    assert repr(reservation).startswith("<Reservation refused")
