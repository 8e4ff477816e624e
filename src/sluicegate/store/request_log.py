"""The request log: recent requests, newest first."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.domain.usage_rows import Entry, RequestRow
from sluicegate.store import heads
from sluicegate.store.request_search import ROWS, RequestFilter, followed, page
from sluicegate.store.rows_at_once import insert_all
from sluicegate.store.schema import request_log, request_tags
from sluicegate.store.values import is_storable

_NAME = "request_log"


class RequestLog:
    """Rows are numbered in the order of their transactions; those of many nodes are in one log."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def __repr__(self) -> str:
        """Tell what it is."""
        return "<RequestLog>"

    async def add(self, entries: Sequence[Entry]) -> None:
        """Add these, which must fit their columns: `domain.usage_rows.entry_of` sees to that."""
        if not entries:
            return
        last = await heads.advance(self._connection, _NAME, len(entries))
        first = last - len(entries) + 1
        rows = [(sequence, *entry.row) for sequence, entry in enumerate(entries, first)]
        await insert_all(self._connection, request_log, rows)
        tags = [(tag, entry.row.at, sequence) for sequence, entry in enumerate(entries, first) for tag in entry.tags]
        await insert_all(self._connection, request_tags, tags)

    async def get(self, request_id: str) -> RequestRow | None:
        """The row of this request, if it is still there."""
        if not is_storable(request_id):
            return None
        statement = ROWS.where(request_log.c.request_id == request_id).limit(1)
        found = (await self._connection.execute(statement)).one_or_none()
        return None if found is None else RequestRow(*found)

    async def search(self, wanted: RequestFilter, *, limit: int, before: str | None = None) -> list[RequestRow]:
        """A page, newest first; `before` is the id of the last request on the page before.

        There is nothing behind a request that is gone: all that are older are gone too.
        """
        if not (wanted.is_storable and is_storable(before)):
            return []
        last = None
        if before is not None:
            place = _PLACE.where(request_log.c.request_id == before).limit(1)
            last = (await self._connection.execute(place)).one_or_none()
            if last is None:
                return []
        is_sqlite = self._connection.dialect.name == "sqlite"
        lead = await followed(self._connection, wanted) if is_sqlite else None
        statement = page(wanted, before=last, is_sqlite=is_sqlite, lead=lead).limit(limit)
        return [RequestRow(*row) for row in await self._connection.execute(statement)]

    async def prune(self, before: int, most_rows: int, limit: int = 2_000) -> int:
        """Remove at most `limit` rows: of requests older than `before`, Unix milliseconds, and the oldest of more than
        `most_rows`. Return how many."""
        columns = request_log.c
        newest = (await heads.read(self._connection, _NAME)).sequence
        old = select(columns.sequence).where(columns.at < before).order_by(columns.at, columns.sequence).limit(limit)
        surplus = (
            select(columns.sequence)
            .where(columns.sequence <= newest - most_rows)
            .order_by(columns.sequence)
            .limit(limit)
        )
        gone = list(await self._connection.scalars(old))
        gone = list(dict.fromkeys([*gone, *await self._connection.scalars(surplus)]))[:limit]
        for start in range(0, len(gone), _AT_ONCE):
            some = gone[start : start + _AT_ONCE]
            await self._connection.execute(delete(request_tags).where(request_tags.c.sequence.in_(some)))
            await self._connection.execute(delete(request_log).where(columns.sequence.in_(some)))
        return len(gone)


_AT_ONCE = 500
"""Rows that one statement names."""

_PLACE: Select[Any] = select(request_log.c.at, request_log.c.sequence, request_log.c.request_id)
