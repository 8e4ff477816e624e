"""Deadlines, looked at twice a second: cheaper by far than a timer per request, and exact enough for seconds.

A process that stood still for a while is told of the time before it is told of what came meanwhile. It would give up on
answers that are there already, so a look that is late is left out: by the next one they have been read.
"""

import asyncio
from collections.abc import Callable

SWEEP_SECONDS = 0.5
LATE_SECONDS = 0.5
"""Beyond what a busy loop takes, and far below any deadline that is looked at."""


class Sweep:
    """Calls everyone who has deadlines, as long as the loop runs."""

    __slots__ = ("_clock", "_due", "_handle", "_is_left_out", "_loop", "_sweepers")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        clock: Callable[[], float],
        sweepers: tuple[Callable[[float], None], ...],
    ) -> None:
        """`sweepers` get the monotonic time."""
        self._loop = loop
        self._clock = clock
        self._sweepers = sweepers
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._is_left_out = False

    def __repr__(self) -> str:
        """Tell how many are called."""
        return f"<Sweep sweepers={len(self._sweepers)}>"

    def start(self) -> None:
        """Sweep from now on."""
        self._due = self._clock() + SWEEP_SECONDS
        self._handle = self._loop.call_later(SWEEP_SECONDS, self._run)

    def stop(self) -> None:
        """Sweep no more."""
        if self._handle is not None:
            self._handle.cancel()

    def _run(self) -> None:
        now = self._clock()
        # Never two in a row: where every look is late, deadlines hold all the same.
        self._is_left_out = now - self._due > LATE_SECONDS and not self._is_left_out
        if not self._is_left_out:
            for sweeper in self._sweepers:
                sweeper(now)
        self.start()
