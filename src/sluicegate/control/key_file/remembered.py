"""What usage the file has had, to tell an edit that was made from an older copy of it.

Somebody opens the file, the gateway writes usage into it, they save: what they save says what the usage was when they
opened it. That is no wish to take it back. A usage of nothing is: so they can reset a key.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

REMEMBERED = 100
"""States of one key: at a write every few seconds, an edit that took some minutes."""

_FIELDS = ("last_used", "total_lifetime_tokens", "usage_windows")


class Remembered:
    """The states of every key's usage, by the key's digest."""

    __slots__ = ("_earlier", "_latest")

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._latest: dict[bytes, dict[str, Any]] = {}
        self._earlier: dict[bytes, deque[tuple[Any, Any]]] = {}

    def __repr__(self) -> str:
        """Tell how many keys."""
        return f"<Remembered keys={len(self._latest)}>"

    def is_outdated(self, digest: bytes, raw: Mapping[str, Any]) -> bool:
        """Whether an entry says what its usage was some time before the latest."""
        latest = self._latest.get(digest)
        state = _state(raw)
        return latest is not None and state != _state(latest) and state in self._earlier[digest]

    def restore(self, digest: bytes, raw: dict[str, Any]) -> None:
        """Give an entry its latest usage again."""
        raw.update(self._latest[digest])

    def learn(self, digest: bytes, raw: Mapping[str, Any]) -> None:
        """Take what an entry says for its latest usage."""
        earlier = self._earlier.setdefault(digest, deque(maxlen=REMEMBERED))
        latest = self._latest.get(digest)
        if latest is not None and latest.get("total_lifetime_tokens") and _state(latest) != _state(raw):
            earlier.append(_state(latest))
        self._latest[digest] = {field: raw[field] for field in _FIELDS if field in raw}


def _state(raw: Mapping[str, Any]) -> tuple[Any, Any]:
    return raw.get("total_lifetime_tokens"), raw.get("last_used")
