"""Thousands of rows in one statement, which the drivers take as they are: SQLAlchemy would look at each value."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, Table
from sqlalchemy.ext.asyncio import AsyncConnection

_ARRAYS = ((BigInteger, "bigint"), (Integer, "integer"), (Boolean, "boolean"), (LargeBinary, "bytea"))


async def insert_all(connection: AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows with a value for each column, in the columns' order. The values must fit."""
    await _execute(connection, _insert(table, connection.dialect.name), rows)


async def add_all(
    connection: AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]], *, key: Collection[str]
) -> None:
    """As `insert_all`; where there is a row with this key, what is no part of the key is added to it.

    No two of the rows have the same key.
    """
    names = [column.name for column in table.columns if column.name not in key]
    added = ", ".join(f'"{name}" = {table.name}."{name}" + excluded."{name}"' for name in names)
    keys = ", ".join(f'"{name}"' for name in key)
    statement = f"{_insert(table, connection.dialect.name)} ON CONFLICT ({keys}) DO UPDATE SET {added}"
    await _execute(connection, statement, rows)


async def _execute(connection: AsyncConnection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql(statement, list(rows))
    else:
        # One array for each column: to send rows one by one takes ten times as long.
        await connection.exec_driver_sql(statement, tuple(list(column) for column in zip(*rows, strict=True)))


@lru_cache(maxsize=16)
def _insert(table: Table, dialect: str) -> str:
    columns = list(table.columns)
    if dialect == "sqlite":
        values = ["VALUES", "(", ", ".join("?" for _ in columns), ")"]
    else:
        arrays = [f"${number}::{_type(column.type)}[]" for number, column in enumerate(columns, 1)]
        values = ["SELECT * FROM unnest(", ", ".join(arrays), ")"]
    names = ", ".join(f'"{column.name}"' for column in columns)
    return " ".join(["INSERT INTO", table.name, "(", names, ")", *values])


def _type(kind: object) -> str:
    """The type's name in PostgreSQL."""
    return next((name for known, name in _ARRAYS if isinstance(kind, known)), "text")
