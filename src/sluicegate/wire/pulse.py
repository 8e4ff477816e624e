"""The sign of life that a process gives its supervisor: a byte of memory they share, counted up once a second or so."""

import mmap
from typing import Final

PULSE_BYTES: Final = 4_096
"""Of the shared memory: more than there may be processes."""
_HIGHEST: Final = 255


class Pulse:
    """One process's byte. It is 0 until the first beat, and never again."""

    __slots__ = ("_memory", "_place")

    def __init__(self, memory: mmap.mmap, place: int) -> None:
        """Nothing has beaten yet. `place` is that of the byte in `memory`."""
        self._memory = memory
        self._place = place

    def __repr__(self) -> str:
        """Tell which byte."""
        return f"<Pulse {self._place}>"

    @classmethod
    def of(cls, text: str) -> "Pulse":
        """The pulse that a command line names as `DESCRIPTOR:PLACE`. Raises ValueError, OSError."""
        descriptor, _, place = text.partition(":")
        return cls(mmap.mmap(int(descriptor), PULSE_BYTES), int(place))

    def beat(self) -> None:
        """Show that this process goes on."""
        self._memory[self._place] = self._memory[self._place] % _HIGHEST + 1
