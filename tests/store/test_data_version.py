"""Whether anybody has committed to a SQLite file."""

import sqlite3
from pathlib import Path

import pytest

from sluicegate.store.address import SQLiteAddress
from sluicegate.store.data_version import DataVersion


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database in WAL mode with one table; its name needs quoting."""
    path = tmp_path / "a b?.db"
    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("CREATE TABLE t (x)")
    writer.commit()
    writer.close()
    return path


def test_it_differs_after_a_commit_alone(path: Path) -> None:
    """What is not committed yet, or looked at only, changes nothing."""
    version, writer = DataVersion(SQLiteAddress(path)), sqlite3.connect(path)
    first = version.look()
    assert first is not None
    writer.execute("INSERT INTO t VALUES (1)")
    assert version.look() == first
    writer.commit()
    second = version.look()
    assert second not in {None, first}
    writer.execute("SELECT * FROM t").fetchall()
    assert version.look() == second
    writer.close()
    version.close()
    version.close()


def test_it_holds_nobody_up(path: Path) -> None:
    """The whole log can be written back and emptied between two looks, so no snapshot is held."""
    version, writer = DataVersion(SQLiteAddress(path)), sqlite3.connect(path)
    version.look()
    writer.execute("INSERT INTO t VALUES (1)")
    writer.commit()
    assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall() == [(0, 0, 0)]
    writer.close()
    version.close()


def test_without_a_file_it_cannot_be_told(tmp_path: Path) -> None:
    """None is made, either."""
    path = tmp_path / "none.db"
    version = DataVersion(SQLiteAddress(path))
    assert version.look() is None
    assert not path.exists()
    assert "none.db" in repr(version)
