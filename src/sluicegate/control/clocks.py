"""The time as the parts of a control process want it told."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Clocks:
    """`monotonic` gives seconds since some moment and never goes back; `now` is the time of day, with its zone."""

    monotonic: Callable[[], float]
    now: Callable[[], datetime]

    def unix(self) -> float:
        """Unix seconds."""
        return self.now().timestamp()

    def unix_milliseconds(self) -> int:
        """Unix milliseconds, whole ones."""
        return int(self.unix() * 1000)
