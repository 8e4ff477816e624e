"""Getting a database to the program's version."""

import asyncio
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy.exc import DBAPIError

from sluicegate.domain.tenants import DEFAULT_ORGANIZATION, DEFAULT_PROJECT, Organization
from sluicegate.store.database import Database
from sluicegate.store.errors import (
    BrokenReferencesError,
    DatabaseUrlError,
    NewerDatabaseError,
    OldestVersionError,
    StoreUnavailableError,
)
from sluicegate.store.upgrade import State, downgrade, state, upgrade
from sluicegate.store.version import NEWEST, VERSIONS
from tests.store.place import Place

_UPGRADE = """
import asyncio, sys
from pathlib import Path
from sluicegate.store.upgrade import upgrade
sys.stdin.read()
print(asyncio.run(upgrade(sys.argv[1], Path(sys.argv[2]))).found)
"""


def _upgrade(place: Place) -> State:
    return asyncio.run(upgrade(place.url, place.directory))


def _downgrade(place: Place) -> State:
    return asyncio.run(downgrade(place.url, place.directory))


def _state(place: Place) -> State:
    return asyncio.run(state(place.url, place.directory))


def test_an_upgrade_makes_the_tables(empty_place: Place) -> None:
    """Where there is nothing, an upgrade makes everything, with the default organisation and project in it."""

    async def use(database: Database) -> None:
        async with database.reading() as session:
            assert [organization.id for organization in await session.organizations.list()] == [DEFAULT_ORGANIZATION]
            project = await session.projects.get(DEFAULT_PROJECT)
            assert project is not None
            assert project.organization_id == DEFAULT_ORGANIZATION
            assert await session.projects.list(search="default") == [project]

    assert _upgrade(empty_place) == State(None)
    empty_place.run(use)


def test_a_second_upgrade_does_nothing(place: Place) -> None:
    """An upgrade of a database that is as it should be tells so and changes nothing."""
    before = place.execute("SELECT * FROM organizations")
    assert _upgrade(place) == State(NEWEST)
    assert _upgrade(place).is_current
    assert place.execute("SELECT * FROM organizations") == before


def test_programs_may_upgrade_at_once(empty_place: Place) -> None:
    """Of many that upgrade at the same time one does it, and the others find it done."""
    together = Barrier(4)

    def run(_: int) -> str | None:
        together.wait(60)
        return _upgrade(empty_place).found

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(run, range(4)))
    assert sorted(found, key=str) == sorted([None, *[NEWEST] * 3], key=str)
    assert _state(empty_place).is_current


def test_processes_may_upgrade_at_once(empty_place: Place) -> None:
    """Programs that start at the same time are as many processes."""
    command = [sys.executable, "-c", _UPGRADE, empty_place.url, str(empty_place.directory)]
    programs = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for program in programs:
        assert program.stdin is not None
        program.stdin.close()
        program.stdin = None
    said = [program.communicate(timeout=60) for program in programs]
    assert sorted(output.strip() for output, _ in said) == sorted([NEWEST, "None"]), said


def test_the_last_migration_can_be_undone_and_done_again(place: Place) -> None:
    """Down to the version before and up again, no row is lost."""

    async def add(database: Database) -> None:
        async with database.writing() as session:
            await session.organizations.add(Organization(id="org_1", name="One", created_at=1, updated_at=1))

    async def read(database: Database) -> list[Organization]:
        async with database.reading() as session:
            return await session.organizations.list()

    place.run(add)
    before = place.run(read)
    assert len(before) == 2
    assert _downgrade(place) == State(NEWEST)
    assert _state(place) == State(VERSIONS[-2])
    assert not _state(place).is_current
    assert _upgrade(place) == State(VERSIONS[-2])
    assert place.run(read) == before


def test_there_is_nothing_before_the_first_version(place: Place, empty_place: Place) -> None:
    """The first version cannot be undone: with it would go everything."""
    for _ in VERSIONS[1:]:
        _downgrade(place)
    for oldest in (place, empty_place):
        with pytest.raises(OldestVersionError, match="no version of the database before this one"):
            _downgrade(oldest)
    assert _state(place) == State(VERSIONS[0])
    assert _state(empty_place) == State(None)


def test_a_newer_database_is_refused(place: Place) -> None:
    """A database of a later program is refused by everything that could change it, and left as it is."""
    place.execute("UPDATE alembic_version SET version_num = '9999'")
    for refused in (_upgrade, _downgrade, _state):
        with pytest.raises(NewerDatabaseError, match="version 9999, which this program does not know"):
            refused(place)
    assert place.execute("SELECT version_num FROM alembic_version") == [("9999",)]


def test_a_migration_that_fails_leaves_nothing(empty_place: Place) -> None:
    """What a migration has made before it failed is undone, and when the cause is gone it can be done again."""
    empty_place.execute("CREATE TABLE tokens (id integer)")
    with pytest.raises((DBAPIError, StoreUnavailableError)):
        _upgrade(empty_place)
    assert _state(empty_place) == State(None)
    with pytest.raises((DBAPIError, StoreUnavailableError)):
        empty_place.execute("SELECT * FROM organizations")
    empty_place.execute("DROP TABLE tokens")
    assert _upgrade(empty_place) == State(None)
    assert _state(empty_place).is_current


def test_what_is_no_address_is_refused(tmp_path: Path) -> None:
    """An address of some other kind is refused before anything is done."""
    for use in (upgrade, downgrade, state):
        with pytest.raises(DatabaseUrlError):
            asyncio.run(use("mysql://h/d", tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_files_are_made_for_us_alone(tmp_path: Path) -> None:
    """A directory that is not there yet is made, and nobody else may look into it nor into the database."""
    place = Place("sqlite", tmp_path / "a" / "b")
    assert _upgrade(place) == State(None)
    assert stat.S_IMODE(place.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.directory.iterdir()} == {0o600}


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_migration_may_not_leave_rows_without_their_owner(place: Place) -> None:
    """Foreign keys are not in force while tables are replaced, so they are checked before a migration is committed."""
    _downgrade(place)
    with sqlite3.connect(place.directory / "sluicegate.db") as connection:
        connection.execute("DELETE FROM organizations")
    connection.close()
    with pytest.raises(BrokenReferencesError, match="1 rows, of projects, belong to nothing"):
        _upgrade(place)
    assert _state(place) == State(VERSIONS[-2])


def test_state_makes_nothing(tmp_path: Path) -> None:
    """To ask what a database is like does not make one."""
    assert _state(Place("sqlite", tmp_path / "none")) == State(None)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """Where there can be no database, that is told without the path."""
    (tmp_path / "file").touch()
    for change in (_upgrade, _downgrade):
        with pytest.raises(StoreUnavailableError, match="directory cannot be used: ") as refused:
            change(Place("sqlite", tmp_path / "file" / "canary"))
        assert "canary" not in str(refused.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    """A file with something else in it is refused and left as it is."""
    (tmp_path / "sluicegate.db").write_bytes(b"not a database" * 100)
    for use in (_upgrade, _downgrade, _state):
        with pytest.raises(StoreUnavailableError, match="not a database"):
            use(Place("sqlite", tmp_path))
    assert (tmp_path / "sluicegate.db").read_bytes() == b"not a database" * 100
