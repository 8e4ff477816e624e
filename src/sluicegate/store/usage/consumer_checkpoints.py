"""How far consumers of events have come that keep what they made of them here too: both in one transaction."""

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.store.clock import now
from sluicegate.store.schema import consumer_checkpoints
from sluicegate.store.values import check, is_storable


class ConsumerCheckpoints:
    """By the consumer's name, in which its node is named too where each node has one of its own."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def __repr__(self) -> str:
        """Tell what it is."""
        return "<ConsumerCheckpoints>"

    async def get(self, name: str) -> bytes | None:
        """What was put there last; None where nothing was yet."""
        if not is_storable(name):
            return None
        columns = consumer_checkpoints.c
        found = await self._connection.execute(select(columns.data).where(columns.name == name))
        data: bytes | None = found.scalar_one_or_none()
        return data

    async def put(self, name: str, data: bytes) -> None:
        """Put this in the place of what is there. Raises UnstorableError."""
        check(consumer_checkpoints, {"name": name})
        is_sqlite = self._connection.dialect.name == "sqlite"
        statement = _putting(
            sqlite.insert(consumer_checkpoints) if is_sqlite else postgresql.insert(consumer_checkpoints)
        )
        values = {"name": name, "data": data}
        await self._connection.execute(statement.values(updated_at=now(self._connection)), values)


def _putting(insert: sqlite.Insert | postgresql.Insert) -> sqlite.Insert | postgresql.Insert:
    """Make the row, or replace it."""
    new = insert.excluded
    return insert.values(name=bindparam("name"), data=bindparam("data")).on_conflict_do_update(
        index_elements=["name"], set_={"data": new.data, "updated_at": new.updated_at}
    )
