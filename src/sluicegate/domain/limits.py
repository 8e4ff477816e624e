"""Limits: how much of what, in which window, for whom; and the name of the account that the ledger keeps for it.

Rule. A limit's usage belongs to its scope, metric and window: changing its maximum or its enforcement keeps the usage,
      and no two limits share all three.
"""

import re
from typing import Literal

from msgspec import Struct

Metric = Literal["requests", "tokens", "usd", "concurrency"]
"""`usd` is counted in nano-dollars, `concurrency` in requests that run at the same time."""
Enforcement = Literal["hard", "soft", "shadow"]
"""`hard`: never exceeded. `soft`: admit while anything is left, settle later. `shadow`: only reported."""
Scope = Literal["organization", "project", "user", "token"]

LONGEST_ROLLING = 366 * 86_400
"""Seconds."""

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_CALENDAR_UNITS: dict[str, Literal["day", "month"]] = {"day": "day", "month": "month"}
_ROLLING = re.compile(r"([1-9][0-9]{0,8})([smhd])", re.ASCII)


class WindowError(ValueError):
    """Not a window. The message says what one is."""


class Rolling(Struct, frozen=True, tag="rolling"):
    """The last so many seconds."""

    seconds: int


class Calendar(Struct, frozen=True, tag="calendar"):
    """The day or month of a time zone (an IANA name)."""

    unit: Literal["day", "month"]
    time_zone: str = "UTC"


class Lifetime(Struct, frozen=True, tag="lifetime"):
    """For ever."""


Window = Rolling | Calendar | Lifetime


def window_text(window: Window) -> str:
    """A window as it is written: `5h`, `90s`, `day`, `month@Europe/Berlin`, `lifetime`."""
    match window:
        case Rolling(seconds):
            for unit in ("d", "h", "m"):
                if seconds % _UNITS[unit] == 0:
                    return f"{seconds // _UNITS[unit]}{unit}"
            return f"{seconds}s"
        case Calendar(unit, time_zone):
            return unit if time_zone == "UTC" else f"{unit}@{time_zone}"
        case Lifetime():
            return "lifetime"


def window_of(text: str) -> Window:
    """The window of a text that `window_text` could have written. Raises WindowError.

    Whether a time zone exists is not looked at here: `domain.windows` knows them.
    """
    if text == "lifetime":
        return Lifetime()
    unit, at, time_zone = text.partition("@")
    if unit in _CALENDAR_UNITS and bool(at) == bool(time_zone):
        return Calendar(_CALENDAR_UNITS[unit], time_zone or "UTC")
    matched = _ROLLING.fullmatch(text)
    if matched is not None:
        seconds = int(matched[1]) * _UNITS[matched[2]]
        if seconds <= LONGEST_ROLLING:
            return Rolling(seconds)
    raise WindowError(
        "must be a number of seconds, minutes, hours or days up to 366 days (90s, 15m, 5h, 30d), day or month, with a"
        " time zone if it is not UTC (month@Europe/Berlin), or lifetime"
    )


class Limit(Struct, frozen=True, omit_defaults=True):
    """At most `maximum` of a metric in a window, for one organisation, project, user or token."""

    scope: Scope
    scope_id: str
    metric: Metric
    window: Window
    maximum: int
    enforcement: Enforcement = "hard"

    @property
    def account(self) -> str:
        """The ledger's account: `tok_x|tokens|5h`."""
        return f"{self.scope_id}|{self.metric}|{window_text(self.window)}"


def parts_of(account: str) -> tuple[str, str, Window]:
    """Scope id, metric and window of an account's name. Raises WindowError."""
    scope_id, _, rest = account.partition("|")
    metric, _, window = rest.partition("|")
    return scope_id, metric, window_of(window)
