"""Limits that are used up to one of the configured shares of their maximum.

Rule 1. A share is told once in a calendar window, and once for ever where the window is a lifetime, unless what was
        used is reset or the maximum changed. In a rolling window, which never begins anew, it is told again when it is
        reached again and the window's length has passed since.
Rule 2. Who passes several shares at one step is told of the highest.

Workers say what a limit's maximum is when they ask for a lease, and the ledger what is used with every answer: that is
all this knows. Whatever is used of a limit has been asked for, so nothing is missed.
"""

from collections.abc import Callable
from math import inf
from typing import Final

from sluicegate.control.limits.charges import window_of_account
from sluicegate.control.notices.notices import Telling
from sluicegate.control.notices.remembered import FOR_EVER
from sluicegate.domain.events import Fact
from sluicegate.domain.limits import Calendar, Lifetime, Rolling, Window, window_text
from sluicegate.domain.windows import ends_at, slot_of

MOST_ACCOUNTS: Final = 100_000
"""Beyond it all are forgotten: workers ask again within seconds."""
_DAY: Final = 86_400_000
"""Milliseconds."""


class _Account:
    """What is known of one. As long as what is used lies from `floor` to below `ceiling`, nothing is to be told."""

    __slots__ = ("ceiling", "floor", "maximum", "organization", "percents", "window")

    def __init__(self, window: Window, maximum: int, organization: str, percents: tuple[int, ...]) -> None:
        self.window = window
        self.maximum = maximum
        self.organization = organization
        self.percents = percents
        self.floor: float = inf
        self.ceiling: float = inf


class Budgets:
    """Watches all accounts of the ledger that this node's workers use."""

    __slots__ = ("_accounts", "_most", "_notices", "_now", "_percents")

    def __init__(
        self,
        notices: Telling,
        *,
        percents: Callable[[], tuple[int, ...]],
        now: Callable[[], int],
        most_accounts: int = MOST_ACCOUNTS,
    ) -> None:
        """`percents` gives the shares in force, in any order; `now` is Unix milliseconds."""
        self._notices = notices
        self._percents = percents
        self._now = now
        self._most = most_accounts
        self._accounts: dict[str, _Account] = {}

    def __repr__(self) -> str:
        """Tell how many are watched."""
        return f"<Budgets {len(self._accounts)}>"

    def asked(self, account: str, maximum: int, organization: str, used: int) -> None:
        """A worker asked for a lease under this maximum, and the ledger said what is used."""
        known = self._accounts.get(account)
        percents = self._percents()
        if known is None or known.maximum != maximum or known.percents is not percents:
            known = self._watched(account, maximum, organization, percents)
        if known is not None and not known.floor <= used < known.ceiling:
            self._step(account, known, used)

    def used(self, account: str, used: int) -> None:
        """The ledger said what is used."""
        known = self._accounts.get(account)
        if known is not None and not known.floor <= used < known.ceiling:
            self._step(account, known, used)

    def _watched(self, account: str, maximum: int, organization: str, percents: tuple[int, ...]) -> _Account | None:
        window = window_of_account(account)
        if window is None or maximum <= 0 or account.split("|")[1] == "concurrency":
            self._accounts.pop(account, None)
            return None
        if len(self._accounts) >= self._most:
            self._accounts.clear()
        known = self._accounts[account] = _Account(window, maximum, organization, percents)
        return known

    def _step(self, account: str, known: _Account, used: int) -> None:
        """Tell what is reached, if that is new, and find out between which shares it lies."""
        shares = {percent: -(-known.maximum * percent // 100) for percent in sorted(known.percents)}
        reached = [percent for percent, units in shares.items() if used >= units]
        ahead = [percent for percent in shares if percent not in reached]
        known.floor = shares[reached[-1]] if reached else 0
        known.ceiling = shares[ahead[0]] if ahead else inf
        if isinstance(known.window, Lifetime):
            for percent in ahead:
                self._notices.forget(_key(account, percent, known.maximum, 0))
        now = self._now()
        period, until = _period(known.window, now)
        slot = period if isinstance(known.window, Calendar) else 0
        # All of them, so that those below the highest are not told later.
        new = [p for p in reached if self._notices.is_new(_key(account, p, known.maximum, slot), until)]
        if new and new[-1] == reached[-1]:
            self._tell(account, known, new[-1], used, period)

    def _tell(self, account: str, known: _Account, percent: int, used: int, period: int) -> None:
        scope_id, metric, _ = account.split("|", 2)
        facts: dict[str, Fact] = {
            "account": account,
            "metric": metric,
            "window": window_text(known.window),
            "percent": percent,
            "used": used,
            "maximum": known.maximum,
        }
        self._notices.tell(
            "budget.threshold",
            scope_id,
            occasion=_key(account, percent, known.maximum, period),
            organization_id=known.organization,
            facts=facts,
        )


def _key(account: str, percent: int, maximum: int, period: int) -> str:
    return f"budget|{account}|{percent}|{maximum}|{period}"


def _period(window: Window, now: int) -> tuple[int, int]:
    """A number for the present, the same on every node, and until when what is told in it is remembered.

    What is told again has another one. Of a lifetime it is the day: it may be told again when it was reset.
    """
    match window:
        case Rolling(seconds):
            return now // (seconds * 1000), now + seconds * 1000
        case Lifetime():
            return now // _DAY, FOR_EVER
        case Calendar():
            return slot_of(window, now), ends_at(window, {}, now) or FOR_EVER
