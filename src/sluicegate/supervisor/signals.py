"""Signals as bytes to read, so that one selector waits for them together with everything else."""

import os
import signal
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType
from typing import Any, Self

_Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None
"""What `signal.signal` takes, and what it returns: what was in force before."""


class SignalPipe:
    """While entered, the named signals arrive at `fileno()` instead of doing what they do. Main thread only."""

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        """Change nothing yet."""
        self._numbers = tuple(numbers)
        self._before: list[_Handler] = []
        self._reading, self._writing = -1, -1
        self._wakeup_before = -1

    def __repr__(self) -> str:
        """Tell which signals."""
        return f"<SignalPipe {' '.join(number.name for number in self._numbers)}>"

    def __enter__(self) -> Self:
        """Take over the signals."""
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup_before = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self._before = [signal.signal(number, _nothing) for number in self._numbers]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let them do what they did before."""
        for number, handler in zip(self._numbers, self._before, strict=True):
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reading)
        os.close(self._writing)

    def fileno(self) -> int:
        """The descriptor that becomes readable."""
        return self._reading

    def read(self) -> list[signal.Signals]:
        """The signals that arrived since the last call, in order; those not asked for are left out."""
        try:
            arrived = os.read(self._reading, 512)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in arrived if number in self._numbers]


def _nothing(number: int, frame: FrameType | None) -> None:
    """A handler must exist for the interpreter to write to the pipe."""
