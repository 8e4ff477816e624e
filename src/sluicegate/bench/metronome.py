"""A beat for requests at a fixed rate: the kernel's timer, because the event loop's own knows whole milliseconds only.

`timerfd` has been in Python since 3.13; until that is the oldest we support, the C library is asked directly
(timerfd_create(2)).
"""

import ctypes
import os
from types import TracebackType
from typing import Self

_CLOCK_MONOTONIC = 1
_NONBLOCK_CLOEXEC = 0o2004000
"""TFD_NONBLOCK | TFD_CLOEXEC."""
_NANOSECONDS = 1_000_000_000


class _TimeSpec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _TimerSpec(ctypes.Structure):
    _fields_ = [("interval", _TimeSpec), ("first", _TimeSpec)]


class Metronome:
    """Counts intervals of `interval` seconds from now on, without drift; a context manager that closes it."""

    __slots__ = ("descriptor",)

    def __init__(self, interval: float) -> None:
        beat = _time_spec(interval)
        library = ctypes.CDLL(None, use_errno=True)
        self.descriptor: int = library.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC)
        """Readable once an interval has passed."""
        setting = _TimerSpec(beat, beat)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "the kernel has no timer for us")
        # Cannot fail: the descriptor is a timer's and the nanoseconds are below a second (timerfd_settime(2)).
        library.timerfd_settime(self.descriptor, 0, ctypes.byref(setting), None)

    def __repr__(self) -> str:
        return f"<Metronome descriptor={self.descriptor}>"

    def beats(self) -> int:
        """How many intervals have passed since the last call."""
        try:
            return int.from_bytes(os.read(self.descriptor, 8), "little")
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Stop."""
        os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _time_spec(seconds: float) -> _TimeSpec:
    """At least one nanosecond: zero would switch the timer off."""
    return _TimeSpec(*divmod(max(1, round(seconds * _NANOSECONDS)), _NANOSECONDS))
