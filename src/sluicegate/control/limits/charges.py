"""Many charges made into few operations: one for each account and slot of its window."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import inf

from sluicegate.control.limits.trail import Spent
from sluicegate.domain.leases import Settle
from sluicegate.domain.limits import Lifetime, Rolling, Window, WindowError, parts_of
from sluicegate.domain.windows import began_at, check, leaves_at, slot_of


class _Sum:
    """What one account is charged in one slot, which lasts from `begin` to `end`, Unix milliseconds."""

    __slots__ = ("amount", "at", "begin", "end", "leased", "place", "since")

    def __init__(self, since: int, begin: float = 0, end: float = 0) -> None:
        """Nothing yet, behind `since`. Without a beginning and an end it is no slot, and no moment lies in it."""
        self.since = since
        self.begin = begin
        self.end = end
        self.place = 0
        self.amount = 0
        self.leased = 0
        self.at = 0


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
    current: dict[str, _Sum] = {}
    # A few steps for each charge, of which there are tens of thousands in a second: accounts are looked into only when
    # they come first, and windows only where a slot ends.
    for place, began, charges in spent:
        at = min(began + skew, now)
        if at < 0:
            at = 0
        for account, amount, leased in charges:
            mine = current.get(account)
            if mine is None:
                mine = current[account] = _Sum(positions.get(account, 0))
            if place <= mine.since:
                continue
            if not mine.begin <= at < mine.end:
                window = window_of_account(account)
                if window is None:
                    continue
                mine = current[account] = _Sum(mine.place or mine.since, *_bounds(window, at))
                sums.setdefault(account, []).append(mine)
            mine.place = place
            mine.amount += amount
            mine.leased += leased
            if at > mine.at:
                mine.at = at
    return [
        Settle(account, holder, each.since, each.place, each.amount, each.leased, each.at)
        for account, slots in sums.items()
        for each in slots
    ]


@lru_cache(maxsize=65_536)
def window_of_account(account: str) -> Window | None:
    """The window in an account's name; None where it is the name of none, or of one that this machine cannot tell."""
    try:
        _, _, window = parts_of(account)
        check(window)
    except WindowError:
        return None
    return window


def _bounds(window: Window, at: int) -> tuple[float, float]:
    """When the slot of a moment begins, and when the next one does."""
    slot = slot_of(window, at)
    begin = began_at(window, slot)
    match window:
        case Rolling():
            return begin, began_at(window, slot + 1)
        case Lifetime():
            return begin, inf
        case _:
            end = leaves_at(window, at)
            return begin, inf if end is None else end
