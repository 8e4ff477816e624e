"""What goes into the scripts and what comes out: operations and windows as arguments, replies as outcomes."""

from collections.abc import Iterable, Iterator, Sequence

from sluicegate.domain import windows
from sluicegate.domain.leases import REMEMBERED, Ask, Balance, Close, Lease, Operation, Outcome, Reset, Settle
from sluicegate.domain.limits import Calendar, Lifetime, Rolling, Window, parts_of

_LONGEST = {"day": 2 * 86_400_000, "month": 32 * 86_400_000}
"""Milliseconds; days of 25 hours and days that are left out included."""

_OUTCOME = 8
_BALANCE = 4


def window_of(account: str) -> Window | None:
    """An account's window; None where it counts requests at the same time. Raises WindowError."""
    _, metric, window = parts_of(account)
    return None if metric == "concurrency" else window


def remembered(window: Window | None, until: int) -> int | None:
    """From when a lease that expires at `until` is surely forgotten (both in Unix milliseconds); None: never.

    Not the exact one, but no earlier.
    """
    match window:
        case Lifetime():
            return None
        case Calendar(unit):
            return until + REMEMBERED + _LONGEST[unit]
        case Rolling():
            return (windows.leaves_at(window, until + REMEMBERED) or 0) + 1
        case None:
            return until + REMEMBERED + 1


def arguments(
    account: str, operations: Iterable[Operation | None], *, clock: str, moments: Iterable[int]
) -> tuple[str, ...]:
    """The arguments of `ledger.lua`; None among the operations stands for a look.

    `moments` are those whose windows the script may have to know, in Unix milliseconds.
    """
    window = window_of(account)
    match window:
        case Rolling(seconds):
            kind = ("rolling", str(seconds * 1000), str(windows.began_at(window, 1)), "")
        case Calendar(unit):
            bounds = {(windows.counts_from(window, moment), windows.leaves_at(window, moment)) for moment in moments}
            kind = ("calendar", "0", str(_LONGEST[unit]), ",".join(f"{begin}-{end}" for begin, end in bounds))
        case Lifetime():
            kind = ("lifetime", "0", "0", "")
        case None:
            kind = ("none", "0", "0", "")
    figures = (str(figure) for operation in operations for figure in _figures(operation))
    return (clock, *kind, str(REMEMBERED), *figures)


def _figures(operation: Operation | None) -> tuple[str | int, ...]:
    match operation:
        case Ask(_, holder, maximum, seen, needed, wanted, returned, expires_at):
            return "A", holder, maximum, seen, needed, wanted, returned, expires_at
        case Settle(_, holder, since, position, amount, leased, at):
            return "S", holder, since, position, amount, leased, at
        case Close(_, holder):
            return "C", holder
        case Reset():
            return ("R",)
        case None:
            return ("L",)


def lacking(reply: Sequence[str]) -> int | None:
    """The moment whose window the script had to know and did not, in Unix milliseconds."""
    return int(reply[1]) if reply and reply[0] == "window" else None


def outcomes(account: str, reply: Sequence[str]) -> Iterator[Outcome]:
    """What came of each operation."""
    for start in range(0, len(reply), _OUTCOME):
        used, leased, granted, position, frees_at, now, is_applied, settled = reply[start : start + _OUTCOME]
        yield Outcome(
            account=account,
            used=int(used),
            leased=int(leased),
            granted=int(granted),
            position=int(position),
            frees_at=_moment(frees_at),
            now=int(now),
            is_applied=is_applied == "1",
            settled=int(settled),
        )


def balance(account: str, reply: Sequence[str]) -> Balance:
    """What came of a look."""
    used, leased, began_at, ends_at = reply[:_BALANCE]
    return Balance(account, int(used), int(leased), _moment(began_at), _moment(ends_at))


def lease(text: str) -> Lease:
    """A lease as the script keeps it."""
    granted, settled, returned, position, expires_at, is_closed = text.split(" ")
    return Lease(
        granted=int(granted),
        settled=int(settled),
        returned=int(returned),
        position=int(position),
        expires_at=int(expires_at),
        is_closed=is_closed == "1",
    )


def _moment(text: str) -> int | None:
    return int(text) if text else None
