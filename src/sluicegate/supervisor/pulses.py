"""Which processes have given no sign of life since the last look, though they had begun to."""

import mmap
import os
from pathlib import Path

from sluicegate.wire.pulse import PULSE_BYTES

_HELD_UP = "TtDZX"
"""States of a process that cannot go on, through no fault of its own: stopped, traced, waiting for a disk, ended."""


class Pulses:
    """Memory that is shared with all processes. Each has a byte in it, by its name."""

    def __init__(self) -> None:
        """Nobody has a place yet."""
        self.descriptor = os.memfd_create("sluicegate-pulses")
        os.ftruncate(self.descriptor, PULSE_BYTES)
        self._memory = mmap.mmap(self.descriptor, PULSE_BYTES)
        self._places: dict[str, int] = {}
        self._last: dict[str, int] = {}

    def __repr__(self) -> str:
        """Tell who has a place."""
        return f"<Pulses {' '.join(self._places)}>"

    def begin(self, name: str) -> str:
        """What the command line of this process, about to be started, names its byte by: `DESCRIPTOR:PLACE`."""
        place = self._places.setdefault(name, len(self._places))
        self._memory[place] = self._last[name] = 0
        return f"{self.descriptor}:{place}"

    def is_still(self, name: str) -> bool:
        """Whether it has not beaten since it was last asked about. Who never began has not stopped either."""
        place = self._places.get(name)
        if place is None:
            return False
        before, now = self._last[name], self._memory[place]
        self._last[name] = now
        return 0 != now == before

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()
        os.close(self.descriptor)


def is_held_up(process: int) -> bool:
    """Whether the kernel, or somebody with a debugger, keeps a process from going on; also where it is gone."""
    try:
        status = Path(f"/proc/{process}/stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rpartition(")")[2].split()[0] in _HELD_UP
