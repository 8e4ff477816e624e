"""Limits on callers, and where they are counted."""

from typing import Literal

from pydantic import model_validator

from sluicegate.config import fields
from sluicegate.config.schema.section import Section
from sluicegate.domain.money import nano_dollars
from sluicegate.domain.snapshot import Snapshot

MOST_COUNTED = 2**53 - 1
"""Largest number that every reader of JSON keeps."""

_SNAPSHOT = Snapshot(version=0)


class LimitSettings(Section):
    """A limit: at most so much of something in a window."""

    metric: Literal["requests", "tokens", "usd", "concurrency"]
    """What is counted; `concurrency` counts requests that run at the same time."""
    window: fields.WindowText
    """`90s`, `15m`, `5h` or `30d` roll; `day` and `month` are of the calendar in UTC, or in a zone:
    `month@Europe/Berlin`; `lifetime`, the only one for `concurrency`, never ends."""
    maximum: fields.Amount
    """A whole number; of `usd`, dollars."""
    enforcement: Literal["hard", "soft", "shadow"] = "hard"
    """`hard` is never exceeded; `soft` admits while anything is left, and counts what it was; `shadow` only reports."""

    @model_validator(mode="after")
    def _fits(self) -> "LimitSettings":
        if self.metric == "concurrency" and self.window != "lifetime":
            raise ValueError("has the metric concurrency, which is counted at the moment only: its window is lifetime")
        self.amount()
        return self

    def amount(self) -> int:
        """The maximum, of usd in nano-dollars. Raises ValueError."""
        if self.metric == "usd":
            return nano_dollars(self.maximum)
        text = str(self.maximum)
        if not text.isascii() or not text.isdigit() or int(text) > MOST_COUNTED:
            raise ValueError("has a maximum that is no whole number, 0 or more")
        return int(text)


class LimitDefaults(Section):
    """Limits for every one of a kind that has no other on the same metric and window."""

    organizations: tuple[LimitSettings, ...] = ()
    """Of every organisation."""
    projects: tuple[LimitSettings, ...] = ()
    """Of every project."""
    users: tuple[LimitSettings, ...] = ()
    """Of every user."""
    tokens: tuple[LimitSettings, ...] = ()
    """Of every token."""


class LimitsSettings(Section):
    """What bounds callers, and what happens at the bounds."""

    defaults: LimitDefaults = LimitDefaults()
    """Limits for whoever has no others."""
    wait: fields.SecondsOrNone = _SNAPSHOT.limit_wait
    """How long a request may wait, in seconds, while others hold what it needs of a limit."""
    unknown_price: Literal["refuse", "free"] = _SNAPSHOT.unknown_price
    """What becomes of a request under a limit on dollars whose model has no price, or that is not paid for by tokens
    whose number can be bounded: batches, images, sound."""


class Redis(Section):
    """Where limits are counted, in place of the database."""

    address: fields.RedisUrl
    """`redis://user:password@host:port/0`, `rediss://…` with TLS, `redis+cluster://host:port,host:port` or
    `unix:///path`; Redis or Valkey from version 7 on."""
