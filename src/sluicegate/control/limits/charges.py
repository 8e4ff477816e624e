"""Many charges made into few operations: one for each account and slot of its window."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from sluicegate.control.limits.trail import Spent
from sluicegate.domain.leases import Settle
from sluicegate.domain.limits import Window, WindowError, parts_of
from sluicegate.domain.windows import check, slot_of


class _Sum(NamedTuple):
    place: int
    slot: int
    amount: int
    leased: int
    at: int


def settles(
    holder: str, spent: Iterable[Spent], positions: Mapping[str, int], *, now: int, skew: int = 0
) -> list[Settle]:
    """What settles these charges of one holder, in order for each account.

    `positions` says how far accounts are settled already: what lies before is left out. An account that is not in it
    is tried from the start; where that is wrong, the ledger says so, and nothing has happened. `now` is
    the ledger's time, Unix milliseconds, and `skew` how far it is ahead of the journal's. A charge to what is no
    account is left out.
    """
    sums: dict[str, list[_Sum]] = {}
    for place, began, charges in spent:
        at = max(0, min(began + skew, now))
        for charge in charges:
            account = charge.account
            window = window_of_account(account)
            if window is None or place <= positions.get(account, 0):
                continue
            slot = slot_of(window, at)
            mine = sums.setdefault(account, [])
            if mine and mine[-1].slot == slot:
                last = mine[-1]
                both = _Sum(place, slot, last.amount + charge.amount, last.leased + charge.leased, max(at, last.at))
                mine[-1] = both
            else:
                mine.append(_Sum(place, slot, charge.amount, charge.leased, at))
    return [settle for account, mine in sums.items() for settle in _chain(holder, account, mine, positions)]


@lru_cache(maxsize=65_536)
def window_of_account(account: str) -> Window | None:
    """The window in an account's name; None where it is the name of none, or of one that this machine cannot tell."""
    try:
        _, _, window = parts_of(account)
        check(window)
    except WindowError:
        return None
    return window


def _chain(holder: str, account: str, sums: Iterable[_Sum], positions: Mapping[str, int]) -> Iterable[Settle]:
    since = positions.get(account, 0)
    for each in sums:
        yield Settle(account, holder, since, each.place, each.amount, each.leased, each.at)
        since = each.place
