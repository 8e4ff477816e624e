"""Segments that the control process writes, for notices: as workers' are, so that whoever reads these reads those.

Rule 1. There is no segment before there is a notice: most starts of a control process have none.
Rule 2. What a failed write left is cut off before anything else is written behind it. Where that fails too, the next
        notices go into the next segment; of the failed ones, those that were written whole are then there twice.
Rule 3. The current segment is locked (flock) from before it has its name until its successor is locked and named: the
        same sign of life that workers give.
"""

import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from sluicegate.domain.events import Notice
from sluicegate.domain.segments import control_incarnation_name, segment_name, unfinished_name

SEGMENT_BYTES: Final = 8 * 1024 * 1024
"""Some 30,000 notices. Smaller than those of workers: a segment goes only as a whole, and once it is closed."""


class NoticeSegments:
    """One run of a control process. `append` raises OSError; one thread at a time."""

    __slots__ = (
        "_directory",
        "_encoder",
        "_file",
        "_incarnation",
        "_is_torn",
        "_number",
        "_segment_bytes",
        "_size",
        "_truncate",
        "_write",
    )

    def __init__(
        self,
        directory: Path,
        boot: str,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        write: Callable[[int, bytes], int] = os.write,
        truncate: Callable[[int, int], None] = os.ftruncate,
    ) -> None:
        """Nothing is touched yet. Raises ValueError where `boot` makes no file name."""
        self._directory = directory
        self._incarnation = control_incarnation_name(boot)
        self._segment_bytes = segment_bytes
        self._write = write
        self._truncate = truncate
        self._encoder = msgspec.json.Encoder()
        self._file: int | None = None
        self._number = 0
        self._size = 0
        self._is_torn = False

    def __repr__(self) -> str:
        """Tell the segment, if there is one."""
        state = "closed" if self._file is None else "torn" if self._is_torn else "open"
        return f"<NoticeSegments {segment_name(self._incarnation, self._number)} {state} size={self._size}>"

    def append(self, notices: Sequence[Notice]) -> None:
        """Write all of them. Raises OSError, and then they are to be given once more."""
        data = self._encoder.encode_lines(notices)
        file = self._opened(len(data))
        done = 0
        try:
            while done < len(data):
                done += self._write(file, data[done:])
        except OSError:
            self._cut(file)
            raise
        self._size += done

    def close(self) -> None:
        """Release the segment: a reader knows then that no line will follow."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _opened(self, size: int) -> int:
        """The segment with room for so many bytes, or with nothing in it yet."""
        file = self._file
        is_full = self._size > 0 and self._size + size > self._segment_bytes
        if file is not None and not self._is_torn and not is_full:
            return file
        new = self._make_segment(self._number + 1)
        if file is not None:
            os.close(file)
        self._file = new
        self._number += 1
        self._size = 0
        self._is_torn = False
        return new

    def _cut(self, file: int) -> None:
        """Make the segment end with its last whole line. Where that fails, nothing more is written to it."""
        try:
            self._truncate(file, self._size)
        except OSError:
            self._is_torn = True

    def _make_segment(self, number: int) -> int:
        """The descriptor of a new, empty segment that was locked before anyone could see it."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / segment_name(self._incarnation, number)
        hidden = self._directory / unfinished_name(self._incarnation, number)
        if path.exists():
            raise FileExistsError(f"{path} exists: an id of a start was used twice")
        file = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            hidden.rename(path)
        except OSError:
            os.close(file)
            raise
        return file
