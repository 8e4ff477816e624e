"""DATA_DIR/run: the lock that makes a node the only one on its data, its pid file, address and sockets.

It is for the owner only.
Where the path is too long for a Unix socket, the sockets go into a short directory of their own, whose name is recorded
beside the pid file, so that the next start can remove what a crash left behind.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from sluicegate.supervisor.pid_file import PidFile

PID_FILE = "sluicegate.pid"
ADDRESS_FILE = "address"
"""Where the node listens, as a URL for this machine: for `sluicegate health` and `sluicegate manage`."""
_RECORD = "sockets"
_PREFIX = "sluicegate-"
LONGEST_SOCKET_PATH = 103
"""Bytes: `sun_path` has 108 on Linux and 104 elsewhere, its ending zero included."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """Paths of the Unix sockets on which control listens."""

    link: Path
    http: Path


class RunDirectory:
    """Held by one supervisor for its whole life."""

    def __init__(self, data_dir: Path, *, process: int, short_dirs: tuple[Path, ...], salt: str) -> None:
        """Make and lock the directory. Raises AlreadyRunningError, OSError.

        `short_dirs` are where short paths can be had, best first; `salt` makes a name there nobody can guess.
        """
        self.path = data_dir / "run"
        # Parents that `mkdir` makes on the way get the usual mode, but journals and credentials are nobody else's.
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        data_dir.mkdir(mode=0o700, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)
        self.path.chmod(0o700)
        self._pid_file = PidFile(self.path / PID_FILE, process)
        self._record = self.path / _RECORD
        self._remove_sockets()
        directory = self.path
        if len(os.fsencode(directory / "control.sock")) > LONGEST_SOCKET_PATH:
            directory = next(path for path in short_dirs if os.access(path, os.W_OK | os.X_OK)) / f"{_PREFIX}{salt}"
            self._record.write_text(str(directory), "utf-8")
            directory.mkdir(mode=0o700)
        self.sockets = Sockets(directory / "link.sock", directory / "control.sock")

    def __repr__(self) -> str:
        """Tell where it is."""
        return f"<RunDirectory {self.path} sockets={self.sockets.link.parent}>"

    def tell_address(self, address: str) -> None:
        """Put on record where the node listens. Raises OSError."""
        (self.path / ADDRESS_FILE).write_text(f"{address}\n", "utf-8")

    def remove(self) -> None:
        """Leave nothing behind; the directory itself stays."""
        (self.path / ADDRESS_FILE).unlink(missing_ok=True)
        self._remove_sockets()
        for path in (self.sockets.link, self.sockets.http):
            path.unlink(missing_ok=True)
        self._pid_file.remove()

    def _remove_sockets(self) -> None:
        """Remove a short directory that is on record, provided that it is ours."""
        try:
            directory = Path(self._record.read_text("utf-8"))
            status = directory.lstat()
        except FileNotFoundError:
            self._record.unlink(missing_ok=True)
            return
        if directory.name.startswith(_PREFIX) and stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
            for name in ("link.sock", "control.sock"):
                (directory / name).unlink(missing_ok=True)
            directory.rmdir()
        self._record.unlink()


def recorded_address(data_dir: Path, *, by: int | None = None) -> str | None:
    """Where the node on this data directory listens, None where no record can be read.

    With `by`, only what this user has written: who is sent a secret shall not be named by somebody else's directory.
    """
    try:
        with (data_dir / "run" / ADDRESS_FILE).open(encoding="utf-8") as file:
            if by is not None and os.fstat(file.fileno()).st_uid != by:
                return None
            return file.read().strip() or None
    except (OSError, UnicodeDecodeError):
        return None
