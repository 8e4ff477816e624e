"""The tables."""

import asyncio
from typing import Any

from sqlalchemy import Connection, Index, MetaData, Table, Text, inspect
from sqlalchemy.schema import CreateIndex, CreateTable

from sluicegate.domain import tenants
from sluicegate.store import engines, schema
from sluicegate.store.address import parse
from tests.store.place import Place

RECORDS = {
    "organizations": tenants.Organization,
    "projects": tenants.Project,
    "users": tenants.User,
    "tokens": tenants.Token,
    "credentials": tenants.ProviderCredential,
    "limits": tenants.LimitRecord,
    "price_overrides": tenants.PriceOverride,
    "admin_keys": tenants.AdminKey,
    "accounts": tenants.Account,
    "audit": tenants.AuditEntry,
    "changes": tenants.Change,
}


def test_each_field_has_its_column() -> None:
    """A table has a column for each field of its record, and of its own only what is searched and looked for."""
    for name, record in RECORDS.items():
        columns = {column.name for column in schema.METADATA.tables[name].columns}
        fields = set(record.__struct_fields__)
        assert fields <= columns, name
        assert columns - fields <= {"search", "dead_at"}, name


def test_what_is_optional_in_a_record_is_optional_in_its_row() -> None:
    """A column takes NULL exactly where the field may be None."""
    for name, record in RECORDS.items():
        for field, kind in record.__annotations__.items():
            column = schema.METADATA.tables[name].c[field]
            assert column.nullable == (type(None) in getattr(kind, "__args__", ())), f"{name}.{field}"


def test_what_is_indexed_is_bounded() -> None:
    """No index of PostgreSQL is over text of any length: it refuses rows with more than 2,704 bytes of it."""
    for table in schema.METADATA.tables.values():
        for index in table.indexes:
            if schema.is_in("postgresql", index) and index.dialect_options["postgresql"]["using"] != "gin":
                assert not any(isinstance(column.type, Text) for column in index.columns), index.name


def test_foreign_keys_are_indexed() -> None:
    """To delete an owner must not read all rows of what could belong to it."""
    for table in schema.METADATA.tables.values():
        first = {next(iter(index.columns)).name for index in table.indexes}
        first |= {next(iter(unique.columns)).name for unique in table.constraints if hasattr(unique, "columns")}
        for key in table.foreign_keys:
            assert key.parent.name in first, f"{table.name}.{key.parent.name}"


def test_migrations_lead_to_the_schema(place: Place, empty_place: Place) -> None:
    """An upgraded database has the same columns, keys, constraints and indexes as one made of the schema at once."""

    async def told(where: Place, *, make: bool) -> dict[str, Any]:
        engine = engines.writers(parse(where.url, where.directory))
        try:
            async with engine.begin() as connection:
                if make:
                    await connection.run_sync(_make)
                return await connection.run_sync(_tables)
        finally:
            await engine.dispose()

    migrated = asyncio.run(told(place, make=False))
    assert migrated.pop("alembic_version")
    assert migrated == asyncio.run(told(empty_place, make=True))


def _make(connection: Connection) -> None:
    dialect = connection.dialect.name
    for table in schema.METADATA.sorted_tables:
        connection.execute(CreateTable(table))
        for index in table.indexes:
            if schema.is_in(dialect, index):
                connection.execute(CreateIndex(index))


def _tables(connection: Connection) -> dict[str, Any]:
    inspector = inspect(connection)
    return {
        name: {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(name)
            ],
            "primary": inspector.get_pk_constraint(name),
            "foreign": sorted(inspector.get_foreign_keys(name), key=str),
            "unique": sorted(inspector.get_unique_constraints(name), key=str),
            "indexes": sorted((index for index in inspector.get_indexes(name) if _is_ours(index["name"])), key=str),
        }
        for name in inspector.get_table_names()
        if schema.is_in(connection.dialect.name, Table(name, MetaData()))
    }


def _is_ours(name: str | None) -> bool:
    return schema.is_in("postgresql", Index(name))


def test_some_indexes_are_of_one_database_only() -> None:
    """Where the two databases search in different ways, each has indexes that the other has not."""
    indexes = {str(index.name): index for table in schema.METADATA.tables.values() for index in table.indexes}
    told = {
        name: (schema.is_in("sqlite", indexes[name]), schema.is_in("postgresql", indexes[name]))
        for name in ("ix_tokens_search", "ix_tokens_ids", "ix_tokens_user")
    }
    assert told == {
        "ix_tokens_search": (True, False),
        "ix_tokens_ids": (False, True),
        "ix_tokens_user": (True, True),
    }
    assert schema.is_in("sqlite", schema.tokens)
    # Migrations alone make them.
    assert not schema.is_in("sqlite", Table("tokens_trigrams", MetaData()))
    assert not schema.is_in("postgresql", Index("ix_tokens_search_keys"))
