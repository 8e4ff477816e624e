"""Which version of the tables a database has."""

import asyncio

import pytest
from alembic.script import ScriptDirectory

from sluicegate.store import engines, migrations
from sluicegate.store.address import parse
from sluicegate.store.errors import NewerDatabaseError, OutdatedDatabaseError, StoreError
from sluicegate.store.version import NEWEST, VERSIONS, check, version_of
from tests.store.place import Place


async def _told(place: Place) -> tuple[str | None, type[StoreError] | None]:
    """The version, and how it is refused."""
    engine = engines.readers(parse(place.url, place.directory))
    try:
        async with engine.connect() as connection:
            found = await version_of(connection)
            try:
                await check(connection)
            except StoreError as error:
                return found, type(error)
            return found, None
    finally:
        await engine.dispose()


def test_versions_are_those_of_the_migrations() -> None:
    """The versions that the program knows are its migrations, in their order."""
    scripts = ScriptDirectory(migrations.__path__[0])
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == VERSIONS


def test_an_empty_database_has_no_version(empty_place: Place) -> None:
    """A database without tables has none, and is not used as it is."""
    assert asyncio.run(_told(empty_place)) == (None, OutdatedDatabaseError)


def test_a_database_without_a_version_is_outdated(place: Place) -> None:
    """A table of versions with nothing in it is no version."""
    place.execute("DELETE FROM alembic_version")
    assert asyncio.run(_told(place)) == (None, OutdatedDatabaseError)


def test_an_upgraded_database_is_of_the_newest_version(place: Place) -> None:
    """After an upgrade the version is the program's."""
    assert asyncio.run(_told(place)) == (NEWEST, None)


def test_an_older_database_says_what_to_do(place: Place) -> None:
    """An older database is refused with both versions and the command that upgrades it."""
    place.execute("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(
        OutdatedDatabaseError, match=rf"version 0001, and {NEWEST} is needed: run `sluicegate db upgrade`"
    ):
        place.run(_nothing)


def test_a_newer_database_says_what_to_do(place: Place) -> None:
    """A newer database is refused with its version and what can be done."""
    place.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(
        NewerDatabaseError, match=rf"version 9999, which .* newest is {NEWEST}: start the program that made"
    ):
        place.run(_nothing)


async def _nothing(_database: object) -> None:
    """Being opened is all that is tried."""
