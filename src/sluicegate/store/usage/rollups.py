"""What requests add up to, by hour and day."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, delete, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.domain.usage_rows import GRAINS, Grain, RollupKey, Scope, Sums
from sluicegate.domain.usage_sums import by_subject, unpacked
from sluicegate.store import heads
from sluicegate.store.schema import rollup_batches, rollups
from sluicegate.store.usage.request_log import HEAD
from sluicegate.store.usage.rows_at_once import add_all, insert_all
from sluicegate.store.values import is_storable

By = Literal["start", "scope_id", "organization_id", "provider", "model"]

_SUMS = Sums.__struct_fields__
_KEY = RollupKey._fields
_MOST_NAMED = 8_000
"""Hours or days that one statement names, of eleven months or of two decades."""


class Wanted(Struct, frozen=True):
    """Which sums: those of hours or days that begin from `since` on and before `until`, Unix milliseconds.

    `scope_id` is the one subject they are of; None for all subjects of the scope, or all that are `organization_id`'s.
    """

    grain: Grain
    scope: Scope
    since: int
    until: int
    scope_id: str | None = None
    organization_id: str | None = None
    provider: str | None = None
    model: str | None = None


class Group(Struct, frozen=True):
    """What those with one `value` of what was asked for add up to; an hour's or day's beginning is an int."""

    value: str | int
    sums: Sums


class Rollups:
    """Sums by `domain.usage_rows.RollupKey`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def __repr__(self) -> str:
        """Tell what it is."""
        return "<Rollups>"

    async def add(self, sums: Mapping[RollupKey, Sums]) -> None:
        """Add to what is there; keys must fit their columns: `domain.usage_sums.by_subject` sees to that."""
        # In order: two writers that lock rows in different orders would wait for each other.
        rows = [(*key, *(getattr(sums[key], name) for name in _SUMS)) for key in sorted(sums)]
        await add_all(self._connection, rollups, rows, key=_KEY)

    async def put_by(self, packed: bytes) -> None:
        """Put sums by that are to be added later, `domain.usage_sums.packed`: that costs little."""
        number = await heads.advance(self._connection, HEAD, 1)
        await insert_all(self._connection, rollup_batches, [(number, packed)])

    async def fold(self, *, most: int = 1_000) -> int:
        """Add what was put by, by whomever, at most so many; return how many there were."""
        columns = rollup_batches.c
        statement = select(columns.sequence, columns.data).order_by(columns.sequence).limit(most)
        batches = list(await self._connection.execute(statement))
        if batches:
            # In a thread: there may be a hundred thousand, and the workers' questions must not wait for that.
            await self.add(await asyncio.to_thread(_added_up, [batch.data for batch in batches]))
            gone = columns.sequence <= batches[-1].sequence
            await self._connection.execute(delete(rollup_batches).where(gone))
        return len(batches)

    async def total(self, wanted: Wanted) -> Sums:
        """What they come to together."""
        if not _is_storable(wanted):
            return Sums()
        sums: Select[Any] = select(*_summed())
        row = (await self._connection.execute(_narrowed(sums, wanted))).one()
        return Sums(*(int(value or 0) for value in row))

    async def by(self, wanted: Wanted, by: By, *, limit: int, skip: int = 0) -> list[Group]:
        """What they come to by one of the columns: hours and days in order, else those with most requests first.

        Of these, at most `limit` behind the first `skip`.
        """
        if not _is_storable(wanted):
            return []
        column = rollups.c[by]
        order: tuple[Any, ...] = (column,) if by == "start" else (func.sum(rollups.c.requests).desc(), column)
        statement = _narrowed(select(column, *_summed()), wanted).group_by(column).order_by(*order)
        rows = await self._connection.execute(statement.limit(limit).offset(skip))
        return [Group(row[0], Sums(*(int(value) for value in row[1:]))) for row in rows]

    async def prune(self, grain: Grain, before: int, limit: int = 2_000) -> int:
        """Remove at most `limit` sums of hours or days from before `before`, Unix milliseconds; return how many."""
        key = [rollups.c[name] for name in _KEY]
        scopes: tuple[Scope, ...] = ("all", "organization", "project", "user", "token", "tag")
        removed = 0
        for scope in scopes:
            # One after the other: so the index leads to them.
            old = (
                select(*key)
                .where(rollups.c.grain == grain, rollups.c.scope == scope, rollups.c.start < before)
                .order_by(rollups.c.start)
                .limit(limit - removed)
            )
            removed += (await self._connection.execute(delete(rollups).where(tuple_(*key).in_(old)))).rowcount
            if removed >= limit:
                break
        return removed


def _added_up(batches: Sequence[bytes]) -> dict[RollupKey, Sums]:
    return by_subject(unpacked(batches))


def _summed() -> list[ColumnElement[Any]]:
    return [func.sum(rollups.c[name]) for name in _SUMS]


def _is_storable(wanted: Wanted) -> bool:
    return all(is_storable(getattr(wanted, name)) for name in Wanted.__struct_fields__)


def _narrowed(statement: Select[Any], wanted: Wanted) -> Select[Any]:
    columns = rollups.c
    statement = statement.where(
        columns.grain == literal(wanted.grain),
        columns.scope == literal(wanted.scope),
        *_times(wanted),
    )
    for name in ("scope_id", "organization_id", "provider", "model"):
        value = getattr(wanted, name)
        if value is not None:
            statement = statement.where(columns[name] == value)
    return statement


def _times(wanted: Wanted) -> list[ColumnElement[bool]]:
    """When they begin; of one subject each hour or day is named, so that it is looked up and nothing else is read."""
    start = rollups.c.start
    length = dict(GRAINS)[wanted.grain]
    starts = range(-(-wanted.since // length) * length, wanted.until, length)
    if wanted.scope_id is not None and 0 < wanted.until - wanted.since <= _MOST_NAMED * length:
        return [start.in_(starts)]
    return [start >= wanted.since, start < wanted.until]
