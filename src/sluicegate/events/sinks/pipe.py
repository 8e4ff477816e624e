"""Lines to what somebody reads meanwhile: a pipe, a terminal, `/dev/stdout`.

Rule 1. Nobody is waited for longer than `patience`: without a reader, or with one that stands still, the lines are
        refused, and come again later.
Rule 2. A line that was begun is finished before anything else, so that no reader gets halves; where the reader is gone
        with the first half, the next one begins with a whole line.
"""

import errno
import os
import select
from typing import Final

_END: Final = ord("\n")
PATIENCE: Final = 3.0
"""Seconds: less than the control process has to end in."""
OPENING: Final = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
"""How it is opened: a pipe that nobody reads would keep whoever opens it waiting otherwise."""


class Pipe:
    """What is under way to one reader."""

    __slots__ = ("_patience", "_rest")

    def __init__(self, *, patience: float = PATIENCE) -> None:
        """Nothing is begun. `patience` is in seconds."""
        self._patience = patience
        self._rest = b""

    def __repr__(self) -> str:
        """Tell whether a line is begun."""
        return f"<Pipe rest={len(self._rest)}>"

    def write(self, file: int, data: bytes) -> None:
        """Write whole lines to a file that does not block. Raises OSError, and some may have been written then."""
        data = self._rest + data
        done = 0
        try:
            while done < len(data):
                done += self._write_some(file, memoryview(data)[done:])
        except BrokenPipeError:
            self._rest = b""
            raise
        except OSError:
            if done:
                self._rest = b"" if data[done - 1] == _END else data[done : data.index(b"\n", done) + 1]
            raise
        self._rest = b""

    def _write_some(self, file: int, data: memoryview) -> int:
        try:
            return os.write(file, data)
        except BlockingIOError:
            room = select.poll()
            room.register(file, select.POLLOUT)
            if not room.poll(self._patience * 1000):
                raise OSError(errno.ETIMEDOUT, "nobody reads it") from None
            return 0
