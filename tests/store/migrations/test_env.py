"""What alembic runs to migrate."""

import asyncio
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine

from sluicegate.store import engines
from sluicegate.store.address import parse
from sluicegate.store.schema import METADATA, is_in
from sluicegate.store.version import NEWEST
from tests.store.place import Place


def _differences(connection: Connection) -> list[Any]:
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_object": lambda item, *_: is_in(connection.dialect.name, item),
    }
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


def test_nothing_is_left_to_migrate(place: Place) -> None:
    """Alembic finds no difference between an upgraded database and the schema that its environment names."""

    async def compared() -> list[Any]:
        engine = engines.migrator(parse(place.url, place.directory))
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(_differences)
        finally:
            await engine.dispose()

    assert asyncio.run(compared()) == []
    assert place.execute("SELECT version_num FROM alembic_version") == [(NEWEST,)]


@pytest.mark.parametrize("kind", ["sqlite"])
def test_what_is_missing_would_be_found(place: Place) -> None:
    """The comparison tells columns and indexes apart: without them it would find them missing."""
    place.execute("DROP INDEX ix_tokens_user")
    place.execute("ALTER TABLE tokens DROP COLUMN tier")
    engine = create_engine(f"sqlite:///{place.directory}/sluicegate.db")
    with engine.connect() as connection:
        assert [difference[0] for difference in _differences(connection)] == ["add_column", "add_index"]
    engine.dispose()
