"""Backups of a SQLite database that is in use, and restoring one."""

import sqlite3
import stat
from pathlib import Path

import pytest

from sluicegate.store.backup import back_up, restore
from sluicegate.store.database import Database, Session
from sluicegate.store.errors import DamagedError, InUseError, NewerDatabaseError, StoreUnavailableError
from tests.store.place import Place

DIGESTS = (b"a" * 32, b"b" * 32)


@pytest.fixture
def kind() -> str:
    """Only SQLite is backed up by us."""
    return "sqlite"


def file_of(place: Place) -> Path:
    """The database's file."""
    return place.directory / "sluicegate.db"


def note(place: Place, digest: bytes) -> None:
    """Write something that can be found again."""

    async def write(database: Database) -> None:
        async with database.writing() as session:
            await session.changes.append([digest])

    place.run(write)


def noted(place: Place) -> list[bytes | None]:
    """What was written."""

    async def read(database: Database) -> list[bytes | None]:
        async with database.reading() as session:
            return [change.digest for change in await session.changes.since(0, 10)]

    return place.run(read)


def test_a_backup_brings_back_its_moment(place: Place, tmp_path: Path) -> None:
    """What was written after it is gone, and kept beside the database."""
    note(place, DIGESTS[0])
    size = back_up(file_of(place), tmp_path / "copy")
    assert size == (tmp_path / "copy").stat().st_size
    note(place, DIGESTS[1])
    replaced = restore(tmp_path / "copy", file_of(place))
    assert noted(place) == [DIGESTS[0]]
    assert replaced is not None
    assert noted(Place(f"sqlite:///{replaced}", tmp_path)) == list(DIGESTS)


def test_a_backup_is_made_while_somebody_writes(place: Place, tmp_path: Path) -> None:
    """It has what is committed and nothing of what is not, and the writer does not notice."""

    async def write(database: Database) -> None:
        async with database.writing() as session:
            await session.changes.append(DIGESTS[:1])
        async with database.writing() as session:
            await session.changes.append(DIGESTS[1:])
            back_up(file_of(place), tmp_path / "copy")

    place.run(write)
    assert noted(place) == list(DIGESTS)
    assert noted(Place(f"sqlite:///{tmp_path / 'copy'}", tmp_path)) == [DIGESTS[0]]


def test_a_backup_is_one_file_for_its_owner(place: Place, tmp_path: Path) -> None:
    """Nobody else may read it, nothing lies beside it, and what exists is not overwritten."""
    copy = tmp_path / "copies" / "copy"
    copy.parent.mkdir()
    back_up(file_of(place), copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert list(copy.parent.iterdir()) == [copy]
    with pytest.raises(FileExistsError, match="exists already"):
        back_up(file_of(place), copy)
    with pytest.raises(FileNotFoundError):
        back_up(tmp_path / "nothing", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_it_is_restored_where_there_is_none(place: Place, tmp_path: Path) -> None:
    """As after the loss of a machine: the directory is made too."""
    back_up(file_of(place), tmp_path / "copy")
    elsewhere = Place("sqlite", tmp_path / "new" / "data")
    assert restore(tmp_path / "copy", file_of(elsewhere)) is None
    assert noted(elsewhere) == []


def test_nothing_is_restored_below_somebody(place: Place, tmp_path: Path) -> None:
    """Whoever has the database open would go on with the old one; it stays as it is."""
    back_up(file_of(place), tmp_path / "copy")
    note(place, DIGESTS[0])

    async def hold(database: Database) -> None:
        async with database.reading() as session:
            assert isinstance(session, Session)
            with pytest.raises(InUseError, match="stop the gateway first"):
                restore(tmp_path / "copy", file_of(place))

    place.run(hold)
    assert noted(place) == [DIGESTS[0]]
    assert not list(tmp_path.glob("*.unfinished"))


def test_what_is_no_backup_is_refused(place: Place, tmp_path: Path) -> None:
    """Before anything is touched: no file, none of SQLite's, a damaged one, another program's, a later version's."""
    note(place, DIGESTS[0])
    copy = tmp_path / "copy"
    with pytest.raises(FileNotFoundError):
        restore(copy, file_of(place))
    copy.write_bytes(b"not a database" * 500)
    with pytest.raises(StoreUnavailableError, match="not a database"):
        restore(copy, file_of(place))
    copy.unlink()
    back_up(file_of(place), copy)
    content = bytearray(copy.read_bytes())
    content[4096 * 5 : 4096 * 6] = bytes(range(256)) * 16
    (tmp_path / "damaged").write_bytes(content)
    with pytest.raises((DamagedError, StoreUnavailableError)):
        restore(tmp_path / "damaged", file_of(place))
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE alien (x)")
    other.close()
    with pytest.raises(DamagedError, match="no database of a gateway"):
        restore(tmp_path / "other", file_of(place))
    with sqlite3.connect(copy) as later:
        later.execute("UPDATE alembic_version SET version_num = '9999'")
    later.close()
    with pytest.raises(NewerDatabaseError, match="version 9999"):
        restore(copy, file_of(place))
    assert noted(place) == [DIGESTS[0]]
