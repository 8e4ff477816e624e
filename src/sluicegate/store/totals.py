"""How many tokens each organisation has and how much they were used, kept as they change: sums take too long."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import bindparam, case, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.store.schema import token_totals, tokens


class Share(NamedTuple):
    """What is added to an organisation's totals, or taken away. `last_used_at` in Unix milliseconds."""

    organization_id: str
    tokens: int = 0
    requests: int = 0
    last_used_at: int | None = None


class Totals:
    """Of all tokens of an organisation. `last_used_at` is of the tokens that are gone too."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def __repr__(self) -> str:
        """Tell what it is."""
        return "<Totals>"

    async def of(self, organization_id: str) -> Share:
        """As if all were added to nothing."""
        statement = select(token_totals).where(token_totals.c.organization_id == organization_id)
        row = (await self._connection.execute(statement)).one_or_none()
        return Share(organization_id) if row is None else Share(*row)

    async def add(self, changes: Iterable[Share]) -> None:
        """Add these, with one row for each organisation."""
        sums: dict[str, Share] = {}
        for change in changes:
            before = sums.get(change.organization_id, Share(change.organization_id))
            used = [at for at in (before.last_used_at, change.last_used_at) if at is not None]
            sums[change.organization_id] = Share(
                change.organization_id,
                before.tokens + change.tokens,
                before.requests + change.requests,
                max(used, default=None),
            )
        if sums:
            # In order: two writers that lock rows in different orders would wait for each other.
            rows = [sums[organization_id]._asdict() for organization_id in sorted(sums)]
            is_sqlite = self._connection.dialect.name == "sqlite"
            await self._connection.execute(_ADD_SQLITE if is_sqlite else _ADD_POSTGRESQL, rows)

    async def remove(self, gone: Iterable[tuple[str, int]]) -> None:
        """Take away tokens that are gone: of each its organisation and how many requests were counted."""
        counts: defaultdict[str, list[int]] = defaultdict(list)
        for organization_id, requests in gone:
            counts[organization_id].append(requests)
        await self.add(Share(of, -len(requests), -sum(requests)) for of, requests in counts.items())

    async def remove_with(self, owner_field: str, owner_id: str) -> None:
        """Take away all tokens of a project or user; `owner_field` is the tokens' column."""
        columns = tokens.c
        sums = (
            select(columns.organization_id, func.count(), func.sum(columns.request_count))
            .where(columns[owner_field] == owner_id)
            .group_by(columns.organization_id)
        )
        rows = await self._connection.execute(sums)
        await self.add(Share(of, -count, -int(requests)) for of, count, requests in rows)

    async def forget_requests(self, user_id: str) -> None:
        """Take away the requests of a user's tokens, which stay."""
        columns = tokens.c
        sums = (
            select(columns.organization_id, func.sum(columns.request_count))
            .where(columns.user_id == user_id, columns.request_count > 0)
            .group_by(columns.organization_id)
        )
        rows = await self._connection.execute(sums)
        await self.add(Share(of, requests=-int(requests)) for of, requests in rows)


def _adding(insert: sqlite.Insert | postgresql.Insert) -> sqlite.Insert | postgresql.Insert:
    """Make the row, or add to it. Of the two times the later one stays."""
    stored, added = token_totals.c, insert.excluded
    is_later = or_(stored.last_used_at.is_(None), added.last_used_at > stored.last_used_at)
    return insert.values({name: bindparam(name) for name in Share._fields}).on_conflict_do_update(
        index_elements=["organization_id"],
        set_={
            "tokens": stored.tokens + added.tokens,
            "requests": stored.requests + added.requests,
            "last_used_at": case((is_later, added.last_used_at), else_=stored.last_used_at),
        },
    )


_ADD_SQLITE = _adding(sqlite.insert(token_totals))
_ADD_POSTGRESQL = _adding(postgresql.insert(token_totals))
