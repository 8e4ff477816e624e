"""Deadlines, looked at twice a second: cheaper by far than a timer per request, and exact enough for seconds."""

import asyncio
from collections.abc import Callable

SWEEP_SECONDS = 0.5


class Sweep:
    """Calls everyone who has deadlines, as long as the loop runs."""

    __slots__ = ("_clock", "_handle", "_loop", "_sweepers")

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

    def __repr__(self) -> str:
        """Tell how many are called."""
        return f"<Sweep sweepers={len(self._sweepers)}>"

    def start(self) -> None:
        """Sweep from now on."""
        self._handle = self._loop.call_later(SWEEP_SECONDS, self._run)

    def stop(self) -> None:
        """Sweep no more."""
        if self._handle is not None:
            self._handle.cancel()

    def _run(self) -> None:
        now = self._clock()
        for sweeper in self._sweepers:
            sweeper(now)
        self.start()
