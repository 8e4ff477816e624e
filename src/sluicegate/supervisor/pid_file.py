"""A file that says which process runs, and, by its lock, whether it still does.

The kernel drops the lock of a dead process, so a file that stayed behind is recognised whatever its number means now.
"""

import fcntl
import os
from pathlib import Path


class AlreadyRunningError(Exception):
    """Somebody alive holds the file."""

    def __init__(self, path: Path, process: int | None, *, advice: str = "") -> None:
        """`process` is the number in the file, None where there is none; `advice` says what to do."""
        name = "" if process is None else f" as process {process}"
        super().__init__(f"already running{name}: {path} is locked{advice and f'; {advice}'}")
        self.path = path
        self.process = process


class PidFile:
    """This process's own file. The lock is not inherited by children."""

    __slots__ = ("_descriptor", "path")

    def __init__(self, path: Path, process: int) -> None:
        """Write `process` into the file and hold it. Raises AlreadyRunningError, OSError."""
        self.path = path
        self._descriptor = _open_locked(path)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{process}\n".encode(), 0)

    def __repr__(self) -> str:
        """Tell the path."""
        return f"<PidFile {self.path}>"

    def remove(self) -> None:
        """Remove the file, then let go of it: nobody can lock what is about to vanish."""
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def running_process(path: Path) -> int | None:
    """The process that holds the file, or None where nobody does, whatever the file says. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _number(descriptor)
    finally:
        os.close(descriptor)
    return None


def _open_locked(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            process = _number(descriptor)
            os.close(descriptor)
            raise AlreadyRunningError(path, process) from None
        if _is_at(descriptor, path):
            return descriptor
        # Its last owner removed it between our two calls: what we locked has no name any more.
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _number(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else None
