"""How much a declared key was used, as the file has it, and adding to it.

The rolling five hours are kept in slots of five minutes: the oldest slot counts whole, so that a limit errs on the safe
side. Windows that another program has written are kept as they are until they are over.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from sluicegate.control.key_file.entries import seconds

WINDOW = 5 * 3600
"""Seconds over which `token_limit_per_5h` counts."""
SLOT = WINDOW // 60
"""Seconds of one entry of `usage_windows` that we write."""


class Usage(Struct, frozen=True):
    """What to add: tokens by the beginning of their slot, in Unix seconds, and when the key was last used."""

    tokens: Mapping[int, int] = {}
    last_used: float = 0.0

    def and_then(self, tokens: int, at: float) -> "Usage":
        """This and one more use. `at` is in Unix seconds."""
        slot = int(at) // SLOT * SLOT
        added = {**self.tokens, slot: self.tokens.get(slot, 0) + tokens}
        return Usage(added, max(self.last_used, at))

    def and_all(self, other: "Usage") -> "Usage":
        """This and all of another."""
        slots = self.tokens.keys() | other.tokens.keys()
        tokens = {slot: self.tokens.get(slot, 0) + other.tokens.get(slot, 0) for slot in slots}
        return Usage(tokens, max(self.last_used, other.last_used))


def add(raw: dict[str, Any], usage: Usage, *, now: float) -> None:
    """Add to an entry of the file, in place; windows that are over at `now`, in Unix seconds, are left out."""
    windows = [dict(window) for window in raw.get("usage_windows") or ()]
    by_start = {seconds(window["window_start"]): window for window in windows}
    for slot, tokens in sorted(usage.tokens.items()):
        window = by_start.get(float(slot))
        if window is None:
            window = by_start[float(slot)] = {"window_start": written(slot), "tokens_used": 0}
            windows.append(window)
        window["tokens_used"] += tokens
    raw["usage_windows"] = [window for window in windows if _is_current(window, now)]
    raw["total_lifetime_tokens"] = (raw.get("total_lifetime_tokens") or 0) + sum(usage.tokens.values())
    before = seconds(raw["last_used"]) if raw.get("last_used") else None
    if before is None or usage.last_used > before:
        raw["last_used"] = written(usage.last_used)


def used(raw: Mapping[str, Any], now: float) -> int:
    """Tokens of the rolling five hours that end at `now`, in Unix seconds."""
    return sum(window["tokens_used"] for window in raw.get("usage_windows") or () if _is_current(window, now))


def written(moment: float) -> str:
    """A time as the file has it: ISO 8601 in UTC, to the millisecond."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _is_current(window: Mapping[str, Any], now: float) -> bool:
    start = seconds(window["window_start"])
    return start is not None and start + SLOT + WINDOW > now
