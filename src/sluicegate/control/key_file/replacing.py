"""A new content in the place of a file's old one, so that no reader finds half of it and no other writer's is lost.

Rule 1. The new content is complete and on the disk before it has the file's name.
Rule 2. Of programs that do as this one does, one at a time replaces the file: it reads what the one before has written.
Rule 3. Others, such as editors, know no lock. So the new file and the old one change places, and if what comes out is
        not what the new content was made from, it is put back, and everything is done again from there.
Rule 4. Whoever is killed in between leaves a note of what was about to happen; the next one ends it or takes it back.
"""

import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from sluicegate.control.key_file.exchanging import Exchange, exchange

ATTEMPTS = 20
"""Edits that may come between, one after the other, before we leave it for the next time."""


class BusyError(OSError):
    """Somebody changes the file faster than we can."""


class Replacing:
    """The turn of one writer. Made by `replacing`."""

    def __init__(self, path: Path, descriptor: int, exchange: Exchange) -> None:
        """`descriptor` is the open lock file, which also holds the note."""
        self._path = path
        self._new = path.with_name(f".{path.name}.new")
        self._note = descriptor
        self._exchange = exchange

    def __repr__(self) -> str:
        """Tell which file it is about."""
        return f"<Replacing {self._path}>"

    def replace(self, make: Callable[[bytes], bytes]) -> bytes:
        """Put `make(content)` in the place of the file's content, and return it; `make` may be called several times.

        Raises what `make` raises, and OSError; the file is then as it was.
        """
        for _ in range(ATTEMPTS):
            old = self._path.read_bytes()
            content = make(old)
            try:
                self.prepare(old, content)
                if self.finish(old, content):
                    return content
            except OSError:
                # The next one would mend it too, but may not come soon, and a copy of all keys is left lying about.
                with suppress(OSError):
                    self.recover()
                raise
        raise BusyError(f"{self._path} was changed {ATTEMPTS} times while it was being written")

    def prepare(self, old: bytes, content: bytes) -> None:
        """Write the new file beside the old one, with its mode and owner, and note what is about to happen."""
        status = self._path.stat()
        descriptor = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            # Whoever may not give a file away owned it before, or may not keep others out of it anyway.
            with suppress(PermissionError):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
            file.write(content)
            file.flush()
            os.fsync(descriptor)
            inode = os.fstat(descriptor).st_ino
        self._write_note(json.dumps({"new": inode, "old": sha256(old).hexdigest()}).encode())

    def finish(self, old: bytes, content: bytes) -> bool:
        """Give the new file its name; False where the file was not `old` any more: then it is as somebody left it."""
        if not self._exchange(self._new, self._path):
            is_same = self._path.read_bytes() == old
            if is_same:
                self._new.replace(self._path)
            self._settle()
            return is_same
        is_same = self._new.read_bytes() == old
        if not is_same:
            self._exchange(self._new, self._path)
            if self._new.read_bytes() != content:
                # Somebody was faster still, and replaced ours: theirs is the newest of all.
                self._exchange(self._new, self._path)
        self._settle()
        return is_same

    def recover(self) -> None:
        """End or take back what somebody was killed in the middle of."""
        if not self._new.exists():
            self._write_note(b"")
            return
        note = self._read_note()
        is_exchanged = note is not None and self._path.exists() and self._path.stat().st_ino == note[0]
        if note is not None and is_exchanged and sha256(self._new.read_bytes()).hexdigest() != note[1]:
            # An edit came out: it was to be put back.
            self._exchange(self._new, self._path)
        self._settle()

    def _settle(self) -> None:
        self._new.unlink(missing_ok=True)
        _sync(self._path.parent)
        self._write_note(b"")

    def _write_note(self, text: bytes) -> None:
        os.ftruncate(self._note, 0)
        os.pwrite(self._note, text, 0)
        os.fsync(self._note)

    def _read_note(self) -> tuple[int, str] | None:
        """Inode of the new file and digest of the old content; None where nothing was about to happen yet."""
        try:
            note = json.loads(os.pread(self._note, 4_096, 0))
        except ValueError:
            return None
        return note["new"], note["old"]


@contextmanager
def replacing(path: Path, *, exchange: Exchange = exchange) -> Iterator[Replacing]:
    """Wait for a turn to replace this file, links followed, and for whatever another left unfinished to be mended.

    Blocks: not for an event loop. Raises OSError.
    """
    path = path.resolve()
    lock = path.with_name(f".{path.name}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        turn = Replacing(path, descriptor, exchange)
        turn.recover()
        yield turn
    finally:
        os.close(descriptor)


def _sync(directory: Path) -> None:
    """Make new names in `directory` outlive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
