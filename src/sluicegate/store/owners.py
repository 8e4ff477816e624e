"""Records that tokens belong to: with them go their tokens, and every node is told."""

from typing import ClassVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.store.changes import MANY, Changes
from sluicegate.store.limits import Limits
from sluicegate.store.repository import R, Repository
from sluicegate.store.schema import tokens
from sluicegate.store.totals import Totals

ORGANIZATION_FIELD = "organization_id"


class Owners(Repository[R]):
    """Organisations, projects and users. What belongs to them goes by their foreign keys, and limits, which can be
    of any of them, with their organisation, as the totals of its tokens; so those of a project or user are removed
    here. Projects and users have tokens of their own organisation alone."""

    owner_field: ClassVar[str]
    """The column of tokens that refers to them."""

    def __init__(self, connection: AsyncConnection, changes: Changes) -> None:
        """`changes` of the same transaction."""
        super().__init__(connection)
        self._changes = changes

    async def delete(self, record_id: str) -> bool:
        """Remove a record and what belongs to it, and log the change of its tokens; return whether there was one."""
        if await self.get(record_id) is None:
            return False
        owned = select(tokens.c.digest).where(tokens.c[self.owner_field] == record_id).limit(MANY + 1)
        digests = list((await self._connection.execute(owned)).scalars())
        if self.owner_field != ORGANIZATION_FIELD:
            await Limits(self._connection).delete_with(self.owner_field, record_id)
            await Totals(self._connection).remove_with(self.owner_field, record_id)
        await super().delete(record_id)
        await self._changes.append(digests)
        return True
