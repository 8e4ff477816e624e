"""Files that whoever writes to them, or runs, has locked (`flock`) as long as it lives: the kernel lets go of them."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

_TRIES: Final = 10
_MOMENT: Final = 0.1
"""Seconds between two of them: nobody looks that long."""


def is_locked(path: Path) -> bool | None:
    """Whether somebody has locked a file; None where there is none. Raises OSError.

    It is held for a moment meanwhile, which `is_taken` knows; but shared, so that who looks is not taken for a writer
    by others who look.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def is_taken(file: int, *, pause: Callable[[float], None]) -> bool:
    """Lock an open file for as long as it is open; False where somebody else has it, and not just looks at it."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pause(_MOMENT)
        else:
            return True
    return False
