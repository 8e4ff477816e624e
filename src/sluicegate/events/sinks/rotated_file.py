"""A file that lines are added to, and that is set aside under another name when it is full or its time is over.

Rule 1. Lines are whole: what could not be written to the end is taken back; half a line that a crash left is cut off,
        for its event comes again.
Rule 2. A file is full before it has more than so many bytes, unless a single batch has more.
Rule 3. Periods are counted from 1970 in UTC, 86400 seconds are a day: a file is over when it was last written to in an
        earlier period. That takes no memory of when it was begun, so it holds over restarts.
Rule 4. It is `NAME`; those set aside are `NAME.20261121T120000Z`, with `.gz` if they are compressed, and with `-2` and
        so on before that where there are several of one second. Only files of such names are ever deleted.
Rule 5. Whoever else moves or deletes the file, as logrotate does, is followed: the next line begins a new one.
Rule 6. What is no plain file, `/dev/stdout` for one, is written to as `pipe` has it, and neither looked at nor set
        aside.
"""

import fcntl
import gzip
import os
import re
import shutil
import stat
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from sluicegate.events.sinks.pipe import OPENING, Pipe

_SET_ASIDE = re.compile(r"\d{8}T\d{6}Z(?:-\d{1,4})?(?:\.gz)?")
_TAIL_BYTES = 1_048_576
"""Half a line is looked for in so much of the end. Events are a thousand times smaller."""


class Rotation(Struct, frozen=True):
    """When a file is set aside, how many of these are kept (0 for all), and how."""

    largest_bytes: int
    period_seconds: float | None = None
    keep: int = 0
    is_compressed: bool = False
    is_synced: bool = True
    """Whether lines are on the disk before they count as written: they then outlive the machine, not only us."""


class RotatedFile:
    """One file. Its calls block and are made one at a time; other processes may write to the same file."""

    def __init__(self, path: Path, rotation: Rotation, *, now: Callable[[], float]) -> None:
        """Nothing is opened before the first line. `now` gives Unix seconds."""
        self._path = path
        self._rotation = rotation
        self._now = now
        self._file: int | None = None
        self._is_plain = True
        self._pipe = Pipe()
        self.is_untidy = True
        """Whether `tidy` may have something to do; whoever calls that says when not."""

    def __repr__(self) -> str:
        """Tell where it is."""
        return f"<RotatedFile {self._path}>"

    def write(self, lines: Sequence[bytes]) -> None:
        """Add lines, which come without their newlines: all or none. Raises OSError."""
        data = b"".join(line + b"\n" for line in lines)
        file = self._opened()
        if not self._is_plain:
            self._pipe.write(file, data)
            return
        try:
            file = self._current(file, len(data))
            size = os.fstat(file).st_size
            try:
                _write_all(file, data)
                if self._rotation.is_synced:
                    os.fsync(file)
            except OSError:
                os.ftruncate(file, size)
                raise
        finally:
            self._unlock()

    def close(self) -> None:
        """Close the file. The next line opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            self._pipe = Pipe()

    def _current(self, file: int, more: int) -> int:
        """The locked file that has this name, with room for so many bytes more."""
        while True:
            fcntl.flock(file, fcntl.LOCK_EX)
            status = os.fstat(file)
            if not self._is_named(status):
                self.close()
                file = self._opened()
                continue
            _cut_half_line(file, status.st_size)
            size = os.fstat(file).st_size
            if not size or not self._is_over(size, status.st_mtime, more):
                return file
            self._set_aside()

    def _opened(self) -> int:
        if self._file is None:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                status = self._path.stat()
            except FileNotFoundError:
                self._is_plain = True
            else:
                self._is_plain = stat.S_ISREG(status.st_mode)
            self._file = os.open(self._path, flags if self._is_plain else OPENING, 0o600)
        return self._file

    def _unlock(self) -> None:
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _is_named(self, status: os.stat_result) -> bool:
        """Whether the name still leads to what we have open."""
        try:
            return os.path.samestat(status, self._path.stat())
        except FileNotFoundError:
            return False

    def _is_over(self, size: int, written: float, more: int) -> bool:
        rotation = self._rotation
        if size + more > rotation.largest_bytes:
            return True
        period = rotation.period_seconds
        return period is not None and written // period < self._now() // period

    def _set_aside(self) -> None:
        """Give the file another name."""
        moment = datetime.fromtimestamp(self._now(), UTC).strftime("%Y%m%dT%H%M%SZ")
        ages = [self._age(path) for path in self._all_set_aside()]
        # Not a number that has become free: it would make this one older than those that are left.
        number = max((number for second, number in ages if second == moment), default=0) + 1
        suffix = moment if number == 1 else f"{moment}-{number}"
        self._path.rename(self._path.with_name(f"{self._path.name}.{suffix}"))
        self.is_untidy = True

    def tidy(self) -> None:
        """Compress and delete what is set aside, as far as it is to be. Takes seconds; lines may be written meanwhile.

        Raises OSError, and then is to be called again.
        """
        if self._rotation.is_compressed:
            # All: a crash may have left one.
            for path in self._all_set_aside():
                if path.suffix != ".gz":
                    _compress(path)
        if self._rotation.keep:
            for path in self._all_set_aside()[: -self._rotation.keep]:
                path.unlink(missing_ok=True)

    def _all_set_aside(self) -> list[Path]:
        """Oldest first."""
        prefix = f"{self._path.name}."
        found = [
            path
            for path in self._path.parent.iterdir()
            if path.name.startswith(prefix) and _SET_ASIDE.fullmatch(path.name[len(prefix) :])
        ]
        return sorted(found, key=self._age)

    def _age(self, path: Path) -> tuple[str, int]:
        """When a file was set aside, and as which of that second."""
        second, _, number = path.name[len(self._path.name) + 1 :].removesuffix(".gz").partition("-")
        return second, int(number or 1)


def _write_all(file: int, data: bytes) -> None:
    """Write; a disk that is nearly full takes less than it is given, before it says so."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _cut_half_line(file: int, size: int) -> None:
    """Cut off what a writer that died has begun; what may be somebody else's text gets a newline."""
    length = min(size, _TAIL_BYTES)
    if not size or os.pread(file, 1, size - 1) == b"\n":
        return
    tail = os.pread(file, length, size - length)
    begin = tail.rfind(b"\n") + 1
    line = tail[begin:]
    is_whole = not line.startswith(b"{") or (not begin and length < size)
    try:
        msgspec.json.decode(line)
        is_whole = True
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    if is_whole:
        _write_all(file, b"\n")
    else:
        os.ftruncate(file, size - len(line))


def _compress(path: Path) -> None:
    """Replace a file by a compressed one, which has its name only when it is whole."""
    hidden = path.with_name(f".{path.name}.new")
    with path.open("rb") as source:
        # Whoever else writes to the same files tidies up as well: one of us does it.
        fcntl.flock(source, fcntl.LOCK_EX)
        if not path.exists():
            return
        with hidden.open("wb") as target:
            os.fchmod(target.fileno(), stat.S_IMODE(os.fstat(source.fileno()).st_mode))
            with gzip.GzipFile(path.name, "wb", fileobj=target) as packed:
                shutil.copyfileobj(source, packed)
            target.flush()
            os.fsync(target.fileno())
        hidden.rename(path.with_name(f"{path.name}.gz"))
        path.unlink()
