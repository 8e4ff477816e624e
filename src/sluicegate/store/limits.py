"""Limits that managers set."""

from collections.abc import Collection, Iterable

from sqlalchemy import Select, delete, or_, select

from sluicegate.domain.tenants import LimitRecord
from sluicegate.store.repository import BATCH, Repository
from sluicegate.store.schema import limits, tokens
from sluicegate.store.values import is_storable, padded


class Limits(Repository[LimitRecord]):
    """No two of a scope have the same metric and window."""

    table = limits
    record = LimitRecord
    filters = frozenset({"organization_id", "scope", "scope_id", "metric"})

    async def of_scopes(self, scope_ids: Collection[str]) -> list[LimitRecord]:
        """All limits of these organisations, projects, users and tokens, with one query for `BATCH` of them."""
        found: list[LimitRecord] = []
        wanted = sorted(filter(is_storable, scope_ids))
        for start in range(0, len(wanted), BATCH):
            some = limits.c.scope_id.in_(padded(wanted[start : start + BATCH]))
            rows = await self._connection.execute(select(limits).where(some).order_by(limits.c.id))
            found.extend(self._record(row) for row in rows)
        return found

    async def delete_of(self, scope_ids: Iterable[str]) -> None:
        """Remove all limits of these tokens, projects or users."""
        known = [scope_id for scope_id in scope_ids if is_storable(scope_id)]
        if known:
            await self._connection.execute(delete(limits).where(limits.c.scope_id.in_(known)))

    async def delete_with(self, owner_field: str, owner_id: str) -> None:
        """Remove the limits of a project or user, and of its tokens; `owner_field` is the tokens' column."""
        owned: Select[tuple[str]] = select(tokens.c.id).where(tokens.c[owner_field] == owner_id)
        columns = limits.c
        whose = or_(columns.scope_id == owner_id, columns.scope_id.in_(owned))
        await self._connection.execute(delete(limits).where(whose))
