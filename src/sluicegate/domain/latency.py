"""How slow a target is now: the peak EWMA of its latency, which rises at once and falls slowly (as in Finagle)."""

from math import exp
from typing import Final

_DECAY: Final = 10.0
"""Seconds in which what was seen before loses all but 1/e of its weight; Finagle's default."""


class PeakEwma:
    """One target's latency. Times are monotonic seconds."""

    __slots__ = ("_at", "_decay", "_seconds")

    def __init__(self, decay: float = _DECAY) -> None:
        """Nothing is known."""
        self._decay = decay
        self._seconds = 0.0
        self._at = 0.0

    def __repr__(self) -> str:
        """Tell what was known when."""
        return f"<PeakEwma {self._seconds:.6f} s at {self._at}>"

    def observe(self, seconds: float, now: float) -> None:
        """Note a latency. One above what is known is believed at once, one below as far as that has faded."""
        if seconds < self._seconds:
            kept = exp(min(0.0, self._at - now) / self._decay)
            seconds += (self._seconds - seconds) * kept
        self._seconds = seconds
        self._at = now

    def value(self, now: float) -> float:
        """Seconds; 0.0 while nothing is known. It fades while nothing is seen, so that a slow one is tried again."""
        return self._seconds * exp(min(0.0, self._at - now) / self._decay)
