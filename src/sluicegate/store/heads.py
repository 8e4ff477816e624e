"""How far a log has come. Each number is given once, and whoever takes one holds up all others until the commit.

That is why the numbers of a log are in the order of its commits.
"""

from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.store.schema import heads


class Head(NamedTuple):
    """The last line of a log: its number, and its hash where there is one."""

    sequence: int
    hash: bytes


async def read(connection: AsyncConnection, name: str) -> Head:
    """How far the log has come."""
    row = (await connection.execute(select(heads).where(heads.c.name == name))).one()
    return Head(row.sequence, row.hash)


async def advance(connection: AsyncConnection, name: str, count: int) -> int:
    """Take the next `count` numbers; return the last of them."""
    statement = update(heads).where(heads.c.name == name).values(sequence=heads.c.sequence + count)
    return int((await connection.execute(statement.returning(heads.c.sequence))).scalar_one())


async def put_hash(connection: AsyncConnection, name: str, value: bytes) -> None:
    """Remember the hash of the last line."""
    await connection.execute(update(heads).where(heads.c.name == name).values(hash=value))
