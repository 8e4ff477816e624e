"""Bodies of requests, by the request's id."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.domain.request_bodies import RequestBodies
from sluicegate.store.schema import request_bodies
from sluicegate.store.usage.rows_at_once import insert_all
from sluicegate.store.values import is_storable

_AT_ONCE = 500
"""Rows that one statement names."""


class KeptBodies:
    """They are apart from the request log, as they are kept for other times and shown to others."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def __repr__(self) -> str:
        """Tell what it is."""
        return "<KeptBodies>"

    async def add(self, rows: Sequence[RequestBodies]) -> None:
        """Add these, whose texts must be storable (`values.is_storable`)."""
        await insert_all(self._connection, request_bodies, rows)

    async def get(self, request_id: str) -> RequestBodies | None:
        """The bodies of this request, if they are there."""
        if not is_storable(request_id):
            return None
        statement = select(request_bodies).where(request_bodies.c.request_id == request_id)
        found = (await self._connection.execute(statement)).one_or_none()
        return None if found is None else RequestBodies(*found)

    async def prune(self, before: int, most_rows: int, limit: int) -> int:
        """Remove at most `limit`: those older than `before`, Unix milliseconds, and the oldest of more than
        `most_rows`. Return how many."""
        columns = request_bodies.c
        old = select(columns.request_id).where(columns.at < before).order_by(columns.at).limit(limit)
        newest_first = (columns.at.desc(), columns.request_id.desc())
        surplus = select(columns.request_id).order_by(*newest_first).offset(most_rows).limit(limit)
        gone = list(await self._connection.scalars(old))
        gone = list(dict.fromkeys([*gone, *await self._connection.scalars(surplus)]))[:limit]
        for start in range(0, len(gone), _AT_ONCE):
            some = columns.request_id.in_(gone[start : start + _AT_ONCE])
            await self._connection.execute(delete(request_bodies).where(some))
        return len(gone)
