"""What the machine itself loses while a test measures seconds: processors that others have, a disk that stands still.

A test of how long the gateway takes measures beside it how long nothing at all takes here: one thread only pauses, and
one only writes to the disk. What they lose, the gateway may lose too; all else is the gateway's own.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.polling import eventually

_PAUSE = 0.02
"""Seconds between two looks: short beside what tests measure."""
SLACK = 0.03
"""Seconds that a pause or a write may take: so much is no stall."""


class Lost:
    """What is lost by who does the same thing again and again, which takes next to no time."""

    def __init__(self, what: Callable[[], object], clock: Callable[[], float]) -> None:
        """Nothing yet; `clock` tells seconds."""
        self._what, self._clock = what, clock
        self._sum = 0.0
        self._began: float | None = None

    def __repr__(self) -> str:
        """Tell what was lost."""
        return f"<Lost {self.seconds:.3f} s>"

    def again(self) -> None:
        """Do it once more."""
        self._began = began = self._clock()
        self._what()
        # In this order: who asks in between, in another thread, is told too little rather than the same loss twice.
        self._began = None
        self._sum += self._late(began)

    @property
    def seconds(self) -> float:
        """Seconds lost so far, also by what is under way."""
        began = self._began
        return self._sum + (self._late(began) if began is not None else 0.0)

    def _late(self, began: float) -> float:
        return max(0.0, self._clock() - began - SLACK)


class Stalls:
    """Measures as long as its block runs."""

    def __init__(self) -> None:
        """Begin with the block."""
        self._file, name = tempfile.mkstemp()
        Path(name).unlink()
        self._is_over = threading.Event()
        self._losts = [Lost(lambda: self._is_over.wait(_PAUSE), time.monotonic), Lost(self._write, time.monotonic)]
        self._threads = [threading.Thread(target=self._measure, args=(lost,)) for lost in self._losts]

    def __repr__(self) -> str:
        """Tell what was lost."""
        return f"<Stalls {self.seconds:.3f} s>"

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()
        os.close(self._file)

    @property
    def seconds(self) -> float:
        """Seconds lost since the block began."""
        return sum(lost.seconds for lost in self._losts)

    def _measure(self, lost: Lost) -> None:
        while not self._is_over.is_set():
            lost.again()
            self._is_over.wait(_PAUSE)

    def _write(self) -> None:
        os.pwrite(self._file, b"x", 0)
        os.fsync(self._file)


def seconds_until(condition: Callable[[], object]) -> float:
    """How many seconds of a machine that does not stall go by until `condition` holds."""
    with Stalls() as stalls:
        began = time.monotonic()
        eventually(condition)
        return time.monotonic() - began - stalls.seconds
