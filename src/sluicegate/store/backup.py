"""Copies of a SQLite database, made while it is served, and putting one back.

A copy is one state of the database, whatever is written meanwhile, and one file that needs no other beside it.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sluicegate.store.errors import DamagedError, InUseError, NewerDatabaseError, StoreUnavailableError
from sluicegate.store.version import VERSIONS

_BUSY_SECONDS = 10.0


def back_up(database: Path, copy: Path) -> int:
    """Copy the database into the new file `copy`, for the owner only; return its size in bytes.

    Raises FileExistsError, FileNotFoundError, OSError, StoreUnavailableError.
    """
    if copy.exists():
        raise FileExistsError(f"{copy} exists already")
    with _unfinished(copy) as unfinished:
        _copy(database, unfinished)
        os.link(unfinished, copy)  # unlike a rename, it never replaces what has come to be there meanwhile
        _sync_directory(copy.parent)
    return copy.stat().st_size


def restore(copy: Path, database: Path) -> Path | None:
    """Put a copy in the database's place, at once; return where the database before is now, if there was one.

    The copy is checked before anything is touched. Nobody may have the database open: raises InUseError. Raises
    DamagedError, NewerDatabaseError, FileNotFoundError, OSError, StoreUnavailableError too.
    """
    _check(copy)
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replaced = database.with_name(f"{database.name}.replaced")
    with _alone(database), _unfinished(database) as unfinished:
        _copy(copy, unfinished)
        had_one = database.exists()
        if had_one:
            _settle(database)
            replaced.unlink(missing_ok=True)
            os.link(database, replaced)
        unfinished.replace(database)
        _sync_directory(database.parent)
    return replaced if had_one else None


def _check(copy: Path) -> None:
    """Raise DamagedError or NewerDatabaseError unless this is a database of ours that is whole."""
    with _opened(copy) as connection:
        problems = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
        if problems != ["ok"]:
            raise DamagedError(f"{copy} is damaged: {'; '.join(problems)}")
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError:
            row = None
    if row is None:
        raise DamagedError(f"{copy} is no database of a gateway")
    if row[0] not in VERSIONS:
        raise NewerDatabaseError(f"{copy} is of version {row[0]}, which this program does not know")


@contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Hold the lock of those who migrate it, as a gateway that starts does."""
    file = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _settle(database: Path) -> None:
    """Bring everything into the one file. Raises InUseError: SQLite does so for the only one who has it open."""
    with _opened(database) as connection:
        try:
            connection.execute("PRAGMA busy_timeout=0")
            mode = connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
        except sqlite3.OperationalError:
            mode = "wal"
    if mode != "delete":
        raise InUseError(f"{database} is in use: stop the gateway first")


def _copy(source: Path, target: Path) -> None:
    """Copy a database page by page, of one moment: all in one step, so that no writer makes it begin anew."""
    with _opened(source) as reading, closing(sqlite3.connect(target)) as writing:
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")
    with target.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}")
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
            yield connection
    except sqlite3.DatabaseError as error:
        raise StoreUnavailableError(f"{path} cannot be read: {error}") from error


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A new file beside `target`, for the owner only, that is gone at the end."""
    path = target.with_name(f"{target.name}.{os.getpid()}.unfinished")
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        yield path
    finally:
        with suppress(FileNotFoundError):
            path.unlink()


def _sync_directory(path: Path) -> None:
    """Have the disk know the new name."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
