"""How the mock behaves: the defaults of one mock, and what a single request may ask for instead."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

HEADER_PREFIX = "x-mock-"
"""Request headers of this family override the settings for that one request."""

FAULTS = {
    "status": True,
    "reset-before": False,
    "reset-after": True,
    "stall-before": False,
    "stall-after": True,
    "truncate-after": True,
    "malformed-head": False,
    "malformed-after": True,
    "error-after": True,
}
"""Every fault by name, and whether it takes a number: a status, or after how many events of a stream (bytes of a whole
answer) it strikes."""


class SettingError(ValueError):
    """A setting or an `x-mock-` header that the mock does not understand."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: `kind` is a key of `FAULTS`, `number` its number or 0."""

    kind: str
    number: int = 0

    def __str__(self) -> str:
        """Give it back in the notation that `parse_fault` reads."""
        return f"{self.kind}={self.number}" if FAULTS[self.kind] else self.kind


@dataclass(frozen=True, slots=True)
class MockSettings:
    """Defaults of a mock. Every field but `require_key` can be set for one request by a header `x-mock-` + its name
    with dashes, the faults by `x-mock-fault`, the delay in milliseconds by `x-mock-delay-ms`; of one request,
    `fault_first` means nothing.
    """

    delay: float = 0.0
    """Seconds before the first byte of an answer."""
    rate: float = 0.0
    """Tokens (events of a stream) per second; 0 for one event each turn of the event loop."""
    tokens: int = 16
    """Length of an answer in tokens, unless the request caps it lower."""
    usage: bool = True
    """Whether answers report usage at all."""
    prompt_tokens: int = 9
    """Input tokens reported."""
    cached_tokens: int = 0
    """How many of them are reported as read from a cache."""
    retry_after: int = 0
    """Seconds told in `retry-after` with a faulty status; 0 for none."""
    fault: Fault | None = None
    """What goes wrong with each request."""
    fault_first: int = 0
    """How many requests meet the default fault before all is well; 0 for all of them."""
    require_key: str | None = None
    """Answer 401 to any other credential."""

    def __post_init__(self) -> None:
        """Refuse negative numbers: they would never end."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and value < 0:
                raise SettingError(f"{field.name} must not be negative: {value}")


def parse_fault(text: str) -> Fault | None:
    """Read `status=503`, `reset-before` … ; None for `none`. Raises SettingError."""
    kind, _, number = text.strip().partition("=")
    if kind == "none" and not number:
        return None
    if kind not in FAULTS:
        raise SettingError(f"unknown fault {kind!r}; there are {', '.join(FAULTS)} and none")
    if not FAULTS[kind]:
        if number:
            raise SettingError(f"fault {kind} takes no number")
        return Fault(kind)
    if not number.isascii() or not number.isdigit():
        raise SettingError(f"fault {kind} takes a number: {kind}=N")
    if kind == "status" and not 400 <= int(number) <= 599:
        raise SettingError("the status of a fault lies between 400 and 599")
    return Fault(kind, int(number))


def parse_switch(text: str) -> bool:
    """Read `on` or `off`. Raises SettingError."""
    if text not in {"on", "off"}:
        raise SettingError(f"neither on nor off: {text!r}")
    return text == "on"


_READERS: Mapping[str, Any] = {
    "delay": float,
    "delay-ms": float,
    "rate": float,
    "tokens": int,
    "usage": parse_switch,
    "prompt-tokens": int,
    "cached-tokens": int,
    "retry-after": int,
    "fault": parse_fault,
    "fault-first": int,
}


def overridden(settings: MockSettings, given: Mapping[str, str]) -> MockSettings:
    """Return `settings` with `given` (names without the prefix, lower case) in their place. Raises SettingError."""
    changes: dict[str, Any] = {}
    for name, text in given.items():
        if name not in _READERS:
            raise SettingError(f"unknown setting {name!r}; there are {', '.join(_READERS)}")
        try:
            changes[name.replace("-", "_")] = _READERS[name](text)
        except ValueError as error:
            raise SettingError(f"{name}: {error}") from error
    if "delay_ms" in changes:
        changes["delay"] = changes.pop("delay_ms") / 1000
    if "fault" in changes:
        changes.setdefault("fault_first", 0)
    return replace(settings, **changes)
