"""Two names of files change places in one step (renameat2(2), RENAME_EXCHANGE), where the system can do it.

Renaming over a file would delete what somebody has put there a moment before; after an exchange it is still there to be
looked at.
"""

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path

Exchange = Callable[[Path, Path], bool]
"""Exchanges two names; False where that cannot be done here. Raises OSError where it could be and failed."""

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_CANNOT = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})
"""The kernel is too old, or the file system does not know it: many of those on a network."""


def exchange(one: Path, other: Path, *, library: object | None = None) -> bool:
    """Exchange what two names in one file system stand for; False where that cannot be done. Raises OSError.

    `library` is the C library, by default that of this process; older ones have no such call.
    """
    call = getattr(library or ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    arguments = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), ctypes.c_uint(_RENAME_EXCHANGE))
    if call(*arguments) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), os.fspath(other))
