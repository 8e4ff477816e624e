"""What a database says when it refuses to write, told in the store's own words."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CursorResult, Executable, UniqueConstraint
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.store.errors import AlreadyExistsError, MissingError, StoreError
from sluicegate.store.schema import METADATA

_SQLITE_UNIQUE = "UNIQUE constraint failed: "

_UNIQUE_FIELDS = {
    str(constraint.name): [column.name for column in constraint.columns][-1]
    for table in METADATA.tables.values()
    for constraint in table.constraints
    if isinstance(constraint, UniqueConstraint)
}
"""Constraint → the field that an error names: the last one, those before it are whose it is."""


async def execute_or_refuse(
    connection: AsyncConnection, statement: Executable, rows: Sequence[dict[str, Any]] | None = None
) -> CursorResult[Any]:
    """Execute inside a savepoint: what is refused leaves the transaction usable, on PostgreSQL too.

    Raises AlreadyExistsError, and MissingError where something referred to does not exist.
    """
    savepoint = await connection.begin_nested()
    try:
        result = await connection.execute(statement, rows)
    except IntegrityError as error:
        await savepoint.rollback()
        raise refusal(error) from None
    await savepoint.commit()
    return result


def refusal(error: IntegrityError) -> StoreError:
    """What an error of the driver means."""
    constraint = getattr(getattr(error.orig, "__cause__", None), "constraint_name", None)
    message = str(error.orig)
    if constraint is not None:
        if constraint.startswith("fk_"):
            return MissingError("what it belongs to does not exist")
        return AlreadyExistsError(_UNIQUE_FIELDS.get(constraint) or _primary(constraint))
    if message.startswith(_SQLITE_UNIQUE):
        return AlreadyExistsError(_sqlite_field(message.removeprefix(_SQLITE_UNIQUE)))
    return MissingError("what it belongs to does not exist")


def _primary(constraint: str) -> str:
    """The field of a primary key's constraint."""
    table = METADATA.tables[constraint.removeprefix("pk_")]
    return next(iter(table.primary_key)).name


def _sqlite_field(columns: str) -> str:
    """The field that SQLite's message names: `users.organization_id, users.email` → `email`."""
    names = [column.partition(".") for column in columns.split(", ")]
    table, _, last = names[-1]
    is_primary = [name for _, _, name in names] == [column.name for column in METADATA.tables[table].primary_key]
    return names[0][2] if is_primary else last
