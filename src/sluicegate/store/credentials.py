"""Projects' own keys for providers, encrypted."""

from collections.abc import Collection

from sqlalchemy import select

from sluicegate.domain.tenants import ProviderCredential
from sluicegate.store.repository import Repository
from sluicegate.store.schema import credentials
from sluicegate.store.values import is_storable


class Credentials(Repository[ProviderCredential]):
    """One for each provider of a project."""

    table = credentials
    record = ProviderCredential
    filters = frozenset({"project_id"})

    async def for_project(self, project_id: str) -> list[ProviderCredential]:
        """All of a project."""
        return [credential async for credential in self.iterate(project_id=project_id)]

    async def for_projects(self, project_ids: Collection[str]) -> list[ProviderCredential]:
        """All of these projects."""
        known = [project_id for project_id in project_ids if is_storable(project_id)]
        statement = select(credentials).where(credentials.c.project_id.in_(known)).order_by(credentials.c.id)
        return [self._record(row) for row in await self._connection.execute(statement)] if known else []

    async def key_ids(self) -> set[str]:
        """Which keys of the key ring are in use."""
        return set((await self._connection.execute(select(credentials.c.key_id).distinct())).scalars())

    async def all_with_other_key(self, key_id: str, limit: int) -> list[ProviderCredential]:
        """At most `limit` that are sealed with another key than this one."""
        columns = credentials.c
        statement = select(credentials).where(columns.key_id != key_id).order_by(columns.id).limit(limit)
        return [self._record(row) for row in await self._connection.execute(statement)]
