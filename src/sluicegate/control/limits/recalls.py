"""Who is to be reminded of what another waits for, and not too often."""

from collections.abc import Hashable, Iterable
from typing import Final

from sluicegate.domain.leases import Ask, Outcome

PAUSE: Final = 0.05
"""Seconds between two recalls of one account: who waits asks again as often."""
_MANY: Final = 1_000
"""Accounts beyond which those that were recalled long ago are forgotten."""


def is_short(ask: Ask, outcome: Outcome) -> bool:
    """Whether others hold what it would have had: it got less than it needs, and not because it is used up."""
    return outcome.granted - ask.seen < ask.needed and outcome.used + ask.needed <= ask.maximum


class Recalls:
    """When each account was recalled last."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        """Nothing was yet."""
        self._last: dict[str, float] = {}

    def __repr__(self) -> str:
        """Tell how many are remembered."""
        return f"<Recalls {len(self._last)}>"

    def due(self, short: Iterable[tuple[str, Hashable]], now: float) -> dict[frozenset[Hashable], list[str]]:
        """The accounts to be recalled from everybody but those who are short of them, by these. `now` is monotonic."""
        askers: dict[str, set[Hashable]] = {}
        for account, asker in short:
            if now - self._last.get(account, -PAUSE) >= PAUSE:
                askers.setdefault(account, set()).add(asker)
        accounts: dict[frozenset[Hashable], list[str]] = {}
        for account, who in askers.items():
            self._last[account] = now
            # Of two who are short of it, either may have set more aside than the other needs.
            accounts.setdefault(frozenset(who) if len(who) == 1 else frozenset(), []).append(account)
        if len(self._last) > _MANY:
            self._last = {account: last for account, last in self._last.items() if now - last < PAUSE}
        return accounts
