"""Which version of the tables a database has, and whether this program can use it."""

from typing import Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.store.errors import NewerDatabaseError, OutdatedDatabaseError

VERSIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""Of `migrations/versions`, oldest first."""
NEWEST: Final = VERSIONS[-1]


async def version_of(connection: AsyncConnection) -> str | None:
    """The version of the tables; None where there are none yet. Raises NewerDatabaseError."""
    found = await connection.run_sync(_read)
    if found is not None and found not in VERSIONS:
        raise NewerDatabaseError(
            f"the database is of version {found}, which this program does not know; its newest is {NEWEST}: start the"
            " program that made it, or restore a backup from before"
        )
    return found


async def check(connection: AsyncConnection) -> None:
    """Raise OutdatedDatabaseError or NewerDatabaseError unless the tables are of this program's version."""
    found = await version_of(connection)
    if found != NEWEST:
        raise OutdatedDatabaseError(
            f"the database is of version {found or 'none'}, and {NEWEST} is needed: run `sluicegate db upgrade`"
        )


def _read(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])
