"""What a worker holds of an account's units, and what becomes of them: plain integers, no clock, no waiting.

Rule 1. `granted` and `returned` are cumulative over the worker's life, and so is `taken`, what charges have used up of
        its lease. What is neither given back, nor taken, nor free is reserved for exchanges under way.
Rule 2. Units are reserved only while the lease is good (`open_until`) and nobody waits for them in line: then
        `open_until` is 0.
Rule 3. What was reserved is settled or released once. More than was reserved is taken only of what is free here, so
        that no unit of another holder is used.
"""

from collections.abc import Iterable, Sequence
from typing import Final

NOT_HELD: Final = 0
HELD: Final = 1
HELD_LOW: Final = 2
"""What comes of `reserve`."""


class Holding:
    """One account, as one worker sees it. `used` and `frees_at` (Unix milliseconds) are what the ledger said last."""

    __slots__ = (
        "account",
        "free",
        "frees_at",
        "granted",
        "low",
        "maximum",
        "open_until",
        "returned",
        "taken",
        "taken_before",
        "used",
        "valid_until",
    )

    def __init__(self, account: str, maximum: int) -> None:
        """Nothing is held yet; `maximum` is the limit's."""
        self.account = account
        self.maximum = maximum
        self.granted = self.returned = self.taken = self.free = 0
        self.taken_before = 0
        """What of `taken` is in `used`."""
        self.low = 0
        """Below this much free more is asked for ahead of need."""
        self.valid_until = 0.0
        self.open_until = 0.0
        self.used = 0
        self.frees_at: int | None = None

    def __repr__(self) -> str:
        """Tell all figures."""
        return (
            f"<Holding {self.account} granted={self.granted} returned={self.returned} taken={self.taken}"
            f" reserved={self.reserved} free={self.free}>"
        )

    @property
    def reserved(self) -> int:
        """Units set aside for exchanges under way."""
        return self.granted - self.returned - self.taken - self.free

    @property
    def in_use(self) -> int:
        """What counts against the maximum, as far as is known here: used before, charged since, or reserved."""
        # That is used + (taken - taken_before) + reserved, in one expression: it is asked for several times a request.
        return self.used - self.taken_before + self.granted - self.returned - self.free

    @property
    def remaining(self) -> int:
        """What is left of the maximum, as far as is known here."""
        return max(0, self.maximum - self.in_use)

    def lent(
        self, granted: int, used: int, frees_at: int | None, valid_until: float, *, settled: int | None = None
    ) -> int:
        """Take the ledger's word: cumulative grants, and until when they are good. Return how many units are new.

        `settled` is what `used` has of this lease, None for all that was taken: charges reach the ledger later.
        """
        more = max(0, granted - self.granted)
        self.granted += more
        self.free += more
        self.used = used
        # A ledger that had forgotten the lease takes what is reserved for settled.
        self.taken_before = self.taken if settled is None else min(settled, self.taken)
        self.frees_at = frees_at
        self.valid_until = max(self.valid_until, valid_until)
        return more

    def give_back(self, keep: int = 0) -> int:
        """Give back what is free beyond `keep`; return how many units that are."""
        idle = max(0, self.free - keep)
        self.free -= idle
        self.returned += idle
        return idle


def reserve(places: Sequence[tuple[Holding, int]], amounts: Sequence[int], now: float) -> int:
    """Reserve all amounts or none: NOT_HELD where an account has not enough free, is not good now, or is waited for.

    Each place is a holding, and which of the amounts is taken of it. HELD_LOW says that more should be asked for ahead
    of need: some account has less than `low` free. `now` is of the clock that `Holding.open_until` is of.
    """
    outcome = HELD
    for holding, index in places:
        free = holding.free - amounts[index]
        # `low` is never below 0, so the usual request takes one comparison here.
        if free < holding.low:
            outcome = HELD_LOW
        if (outcome == HELD_LOW and free < 0) or now >= holding.open_until:
            _undo(places, amounts, holding)
            return NOT_HELD
        holding.free = free
    return outcome


def all_remaining(holdings: Iterable[Holding]) -> list[int]:
    """What is left of each: `remaining`, written out, as every request and every answer asks for several."""
    return [
        max(0, each.maximum - each.used + each.taken_before - each.granted + each.returned + each.free)
        for each in holdings
    ]


def _undo(places: Sequence[tuple[Holding, int]], amounts: Sequence[int], last: Holding) -> None:
    """Give back what was taken of those before `last`."""
    for holding, index in places:
        if holding is last:
            return
        holding.free += amounts[index]


def settle(holding: Holding, reserved: int, used: int, *, is_hard: bool) -> int:
    """`used` units were used where `reserved` were set aside; return how many of the lease are over for it.

    Where a hard limit's reservation was too small, the rest is taken of what is free, as far as that goes. What was
    used beyond the lease counts here at once; and where nothing is left by that, nothing stays free: the ledger is to
    say whether another exchange may begin.
    """
    over = used
    if used > reserved:
        over = reserved + min(used - reserved, holding.free) if is_hard else reserved
    # What was not used is free again.
    holding.free += reserved - over
    holding.taken += over
    if used > over:
        holding.used += used - over
        if not holding.remaining:
            holding.give_back()
    return over
