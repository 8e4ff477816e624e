"""Keys of managers."""

from sqlalchemy import func, update

from sluicegate.domain.tenants import AdminKey
from sluicegate.store.repository import Repository
from sluicegate.store.schema import admin_keys
from sluicegate.store.values import is_storable


class AdminKeys(Repository[AdminKey]):
    """Managers' keys, known by their digest. `update` leaves `last_used_at` alone."""

    table = admin_keys
    record = AdminKey
    searched = ("name",)
    filters = frozenset({"organization_id"})
    counted = frozenset({"last_used_at"})

    async def by_digest(self, digest: bytes) -> AdminKey | None:
        """The key of this SHA-256."""
        return await self._one(admin_keys.c.digest, digest)

    async def touch(self, key_id: str, last_used_at: int) -> None:
        """Note a use, Unix milliseconds. The later of two stays; it is no new version of the record."""
        if not is_storable(key_id):
            return
        columns = admin_keys.c
        earlier = func.coalesce(columns.last_used_at, 0) < last_used_at
        await self._connection.execute(
            update(admin_keys).where(columns.id == key_id, earlier).values(last_used_at=last_used_at)
        )
