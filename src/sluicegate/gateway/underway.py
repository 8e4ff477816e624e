"""A worker's table of exchanges that were sent and are not recorded: a mapped file, which outlives a killed process.

To note one costs two stores into memory and no system call. The byte that says that a place is taken is stored last,
so what dies in the middle of a note has noted nothing, and has not sent anything either.
"""

import mmap
import os
from pathlib import Path
from typing import Final

from sluicegate.domain.underway import FREE, PLACE_BYTES, PLACES, TAKEN

NO_PLACE: Final = -1
"""No note could be made."""


class Table:
    """The file of one incarnation. Whoever holds its segments' lock alone writes to it."""

    __slots__ = ("_free", "_map", "_path", "_places")

    def __init__(self, path: Path, places: int = PLACES) -> None:
        """Make the file (mode 0600). Raises OSError.

        Its blocks are reserved now: to store into a hole of a mapped file on a full disk would end this process.
        """
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, places * PLACE_BYTES)
            self._map = mmap.mmap(file, places * PLACE_BYTES)
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(file)
        self._path = path
        self._places = places
        # The one freed last is taken first: few pages are ever touched.
        self._free = list(range((places - 1) * PLACE_BYTES, -1, -PLACE_BYTES))

    def __repr__(self) -> str:
        """Tell how many places are taken."""
        return f"<Table {self._path.name} taken={self.taken} of {self._places}>"

    @property
    def taken(self) -> int:
        """Exchanges under way."""
        return self._places - len(self._free)

    def put(self, entry: bytes) -> int:
        """Note an entry; return its place, NO_PLACE where there is none, or none that is large enough."""
        size = len(entry)
        if size >= PLACE_BYTES or not self._free:
            return NO_PLACE
        place = self._free.pop()
        self._map[place + 1 : place + 1 + size] = entry
        self._map[place] = TAKEN
        return place

    def clear(self, place: int) -> None:
        """The exchange is recorded."""
        self._map[place] = FREE
        self._free.append(place)

    def close(self) -> None:
        """Write no more. The file stays only where somebody must still tell of something in it. Raises OSError."""
        self._map.close()
        if not self.taken:
            self._path.unlink()
