"""Watches whether this process can open files: each connection is one, and the system allows so many."""

import errno
import os
from collections.abc import Callable

OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What the system says where this machine has no room for another connection, whoever it would be to."""


def probe() -> None:
    """Open a file and close it. Raises OSError."""
    os.close(os.dup(0))


class Files:
    """Says that there is none left, and that there are some again. The loop itself then closes new clients' connections
    without a word."""

    __slots__ = ("_is_out", "_probe", "_say")

    def __init__(self, say: Callable[[str], None], probe: Callable[[], None] = probe) -> None:
        """`say` writes to the log; `probe` raises OSError where no file can be opened."""
        self._say = say
        self._probe = probe
        self._is_out = False

    def __repr__(self) -> str:
        """Tell how it looked the last time."""
        return f"<Files {'none left' if self._is_out else 'left'}>"

    def sweep(self, _now: float) -> None:
        """Look."""
        try:
            self._probe()
        except OSError as error:
            if not self._is_out and error.errno in OURS:
                self._is_out = True
                self._say(f"no file can be opened, new clients are turned away: {error.strerror}; see ulimit -Hn")
        else:
            if self._is_out:
                self._is_out = False
                self._say("over: files can be opened again")
