"""Starts that cannot succeed: one line says what is wrong and what helps."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.program import run


def newer(data: Path) -> None:
    """A database of a later version of the program."""
    assert run("db", "upgrade", f"--data-dir={data}").returncode == 0
    with sqlite3.connect(data / "sluicegate.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()


def garbage(data: Path) -> None:
    """A file that is no database."""
    data.mkdir()
    (data / "sluicegate.db").write_bytes(b"no database" * 1000)


@pytest.mark.parametrize(("spoil", "words"), [(newer, "is of version 9999"), (garbage, "file is not a database")])
def test_a_database_that_cannot_be_used(spoil: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    """The start is given up with status 2; no traceback hides the reason."""
    data = tmp_path / "data"
    spoil(data)
    ended = run("serve", "--demo", "--port=0", f"--data-dir={data}", seconds=60)
    assert ended.returncode == 2, ended.stderr
    assert words in ended.stderr
    assert "control cannot start" in ended.stderr
    assert "Traceback" not in ended.stderr
