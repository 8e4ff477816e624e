"""Many charges made into few operations."""

from sluicegate.control.limits.charges import settles, window_of_account
from sluicegate.control.limits.trail import Spent
from sluicegate.domain.events import Charge
from sluicegate.domain.leases import Settle
from sluicegate.domain.limits import Rolling
from tests.control.limits.journals import charge

NOW = 1_800_000_000_000


def spent(place: int, *charges: Charge, at: int = NOW) -> Spent:
    """What an exchange was charged."""
    return Spent(place, at, tuple((each.account, each.amount, each.leased) for each in charges))


def test_one_operation_for_each_account() -> None:
    """Amounts are added up; the last place counts."""
    operations = settles(
        "n/1",
        [
            spent(10, charge("a|requests|lifetime", 1), charge("b|tokens|day", 70, 50)),
            spent(20, charge("b|tokens|day", 7)),
        ],
        {},
        now=NOW,
    )
    assert operations == [
        Settle("a|requests|lifetime", "n/1", 0, 10, 1, 1, NOW),
        Settle("b|tokens|day", "n/1", 0, 20, 77, 57, NOW),
    ]


def test_slots_are_kept_apart() -> None:
    """Each goes on from where the one before ends; within a slot the latest moment counts."""
    account = "a|requests|1h"
    operations = settles(
        "n/1",
        [
            spent(10, charge(account, 1), at=NOW + 10_000),
            spent(20, charge(account, 1), at=NOW + 5_000),
            spent(30, charge(account, 1), at=NOW + 60_000),
            spent(40, charge(account, 1), at=NOW),
        ],
        {},
        now=NOW + 100_000,
    )
    assert operations == [
        Settle(account, "n/1", 0, 20, 2, 2, NOW + 10_000),
        Settle(account, "n/1", 20, 30, 1, 1, NOW + 60_000),
        Settle(account, "n/1", 30, 40, 1, 1, NOW),
    ]


def test_what_is_settled_is_left_out() -> None:
    """Account by account: each has a position of its own."""
    operations = settles(
        "n/1",
        [spent(10, charge("a|requests|1h", 1), charge("b|requests|1h", 1)), spent(20, charge("a|requests|1h", 2))],
        {"a|requests|1h": 10, "b|requests|1h": 10},
        now=NOW,
    )
    assert operations == [Settle("a|requests|1h", "n/1", 10, 20, 2, 2, NOW)]


def test_two_charges_of_one_exchange_on_one_account_are_both_made() -> None:
    """They share a place."""
    operations = settles("n/1", [spent(10, charge("a|usd|day", 1), charge("a|usd|day", 2))], {}, now=NOW)
    assert operations == [Settle("a|usd|day", "n/1", 0, 10, 3, 3, NOW)]


def test_times_are_the_ledgers() -> None:
    """Corrected by how far the clocks are apart, and never in its future, nor before all time."""
    times = [
        settles("n/1", [spent(10, charge("a|usd|month", 1), at=at)], {}, now=NOW, skew=skew)[0].at
        for at, skew in ((NOW - 50, 20), (NOW - 50, 80), (1 << 60, 0), (5, -10))
    ]
    assert times == [NOW - 30, NOW, NOW, 0]


def test_what_is_no_account_is_left_out() -> None:
    """One charge that no ledger could take must not keep the others from being settled."""
    charges = [charge(account, 1) for account in ("x", "o|usd|fallback", "o|usd|day@Nowhere/City", "o|usd|day")]
    assert [each.account for each in settles("n/1", [spent(10, *charges)], {}, now=NOW)] == ["o|usd|day"]
    assert window_of_account("o|usd|5s") == Rolling(5)
