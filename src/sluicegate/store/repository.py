"""What all repositories have in common: records in, rows out, and back."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Row, Select, Table, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.store import search_keys, trigrams
from sluicegate.store.errors import MissingError, VersionConflictError
from sluicegate.store.refusals import execute_or_refuse
from sluicegate.store.trigrams import FREE, Way
from sluicegate.store.values import check, finds, is_storable, packed, padded, searchable

BATCH = 500
"""Rows that one statement reads or names."""


class Versioned(Protocol):
    """What records that can be changed have."""

    __struct_fields__: ClassVar[tuple[str, ...]]

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...


R = TypeVar("R", bound=Versioned)


class Repository(Generic[R]):
    """Records of one table. Each of its methods is part of the transaction it was made for."""

    table: ClassVar[Table]
    record: type[R]
    searched: ClassVar[tuple[str, ...]] = ()
    """Fields that `search` looks in."""
    filters: ClassVar[frozenset[str]] = frozenset()
    """Fields that a list can be narrowed by."""
    packed: ClassVar[frozenset[str]] = frozenset()
    """Fields that are kept as JSON."""
    counted: ClassVar[frozenset[str]] = frozenset()
    """Fields that `update` leaves alone: they are written by others, all the time."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def __repr__(self) -> str:
        """Tell what is in it."""
        return f"<{type(self).__name__} of {self.table.name}>"

    async def add(self, record: R) -> None:
        """Raises AlreadyExistsError, MissingError where its owner does not exist, UnstorableError."""
        await self.add_all([record])

    async def add_all(self, records: Sequence[R]) -> None:
        """Add all, or none. Raises as `add` does."""
        if records:
            rows = [self._values(record) for record in records]
            is_sqlite = self._connection.dialect.name == "sqlite"
            last = await trigrams.last_row(self._connection, self.table) if is_sqlite else None
            await execute_or_refuse(self._connection, insert(self.table), rows)
            if last is not None:
                await trigrams.add(self._connection, self.table, last)

    async def get(self, record_id: str) -> R | None:
        """The record, if there is one."""
        return await self._one(self.table.c.id, record_id)

    async def some(self, record_ids: Collection[str]) -> dict[str, R]:
        """Those of these records that there are, with one query for `BATCH` of them."""
        found: dict[str, R] = {}
        wanted = sorted(filter(is_storable, record_ids))
        for start in range(0, len(wanted), BATCH):
            named = self.table.c.id.in_(padded(wanted[start : start + BATCH]))
            for row in await self._connection.execute(select(self.table).where(named)):
                record = self._record(row)
                found[record.id] = record
        return found

    async def update(self, record: R) -> None:
        """Write a record that has been changed: `record.version` is one more than what is stored.

        Raises VersionConflictError, MissingError, AlreadyExistsError, UnstorableError.
        """
        written = self._values(record)
        for field in self.counted:
            del written[field]
        columns = self.table.c
        statement = (
            update(self.table).where(columns.id == record.id, columns.version == record.version - 1).values(written)
        )
        result = await execute_or_refuse(self._connection, statement)
        if result.rowcount == 0:
            if await self.get(record.id) is None:
                raise MissingError(f"there is no {record.id}")
            raise VersionConflictError(f"{record.id} was changed by somebody else")

    async def delete(self, record_id: str) -> bool:
        """Remove a record and what belongs to it; return whether there was one."""
        if not is_storable(record_id):
            return False
        result = await self._connection.execute(delete(self.table).where(self.table.c.id == record_id))
        return result.rowcount > 0

    async def list(
        self, *, after: str | None = None, limit: int = 50, search: str | None = None, **filters: str | None
    ) -> list[R]:
        """A page of records in the order of their ids, which is that of their age.

        `after` is the last id of the page before; `search` is a part of a name, in any case (see `values.finds`); a
        filter that is None does not narrow. Raises TypeError for a filter that there is not, and for a search of what
        has no name.
        """
        if not all(is_storable(value) for value in (after, search, *filters.values())):
            return []
        number = self.table.c.id
        if search and self._has_search_keys:
            self._check_filters(search, filters)
            found = await search_keys.page(self._connection, self.table, search, filters, after=after, limit=limit)
            some = select(self.table).where(search_keys.among(self.table, found)).order_by(number)
            return [self._record(row) for row in await self._connection.execute(some)]
        # Ids first: what narrows a list is in indexes, and the rest of most records is not looked at.
        way = await self._way(search, filters, after)
        ids = self._narrowed(select(number), search, filters, way).order_by(number).limit(limit)
        if after is not None:
            ids = ids.where(number > after)
        statement = (
            select(self.table).where(number.in_(ids)).order_by(number) if search else ids.with_only_columns(self.table)
        )
        return [self._record(row) for row in await self._connection.execute(statement)]

    async def count(self, *, search: str | None = None, **filters: str | None) -> int:
        """How many a list would have, all pages together."""
        if not all(is_storable(value) for value in (search, *filters.values())):
            return 0
        way = await self._way(search, filters)
        statement = self._narrowed(select(func.count()).select_from(self.table), search, filters, way)
        return int((await self._connection.execute(statement)).scalar_one())

    async def iterate(self, batch: int = BATCH, **filters: str | None) -> AsyncIterator[R]:
        """All records in the order of their ids, read a batch at a time."""
        after: str | None = None
        while page := await self.list(after=after, limit=batch, **filters):
            for record in page:
                yield record
            after = page[-1].id

    async def _way(self, search: str | None, filters: Mapping[str, str | None], after: str | None = None) -> Way:
        """How to read a list. SQLite must be told: it knows nothing of how many records fit."""
        if not search:
            return FREE
        self._check_filters(search, filters)
        if self._has_search_keys:
            return Way(search_keys.fits(self.table, search, filters), None)
        if self._connection.dialect.name != "sqlite":
            return FREE
        return await trigrams.way(self._connection, self.table, search, filters, after)

    @property
    def _has_search_keys(self) -> bool:
        return self._connection.dialect.name != "sqlite" and search_keys.has_index(self.table)

    def _check_filters(self, search: str | None, filters: Mapping[str, str | None]) -> None:
        if search and not self.searched:
            raise TypeError(f"{self.table.name} cannot be searched")
        for name in filters:
            if name not in self.filters:
                raise TypeError(f"{self.table.name} cannot be narrowed by {name}")

    def _narrowed(
        self, statement: Select[Any], search: str | None, filters: Mapping[str, str | None], way: Way
    ) -> Select[Any]:
        """Add the conditions of a list."""
        self._check_filters(search, filters)
        if way.candidates is not None:
            statement = statement.where(way.candidates)
        if search:
            # First: SQLite tests in this order, and few records fit most searches.
            statement = statement.where(finds(self.table, search))
        for name, value in filters.items():
            if value is not None:
                column: ColumnElement[str] = self.table.c[name]
                # An expression has no index.
                statement = statement.where((column if way.may_read(name) else column.concat("")) == value)
        return statement

    async def _one(self, column: Any, value: str | bytes) -> R | None:
        if not is_storable(value):
            return None
        row = (await self._connection.execute(select(self.table).where(column == value))).one_or_none()
        return None if row is None else self._record(row)

    def _values(self, record: R) -> dict[str, Any]:
        """The row of a record."""
        values = {name: getattr(record, name) for name in record.__struct_fields__}
        for name in self.packed:
            values[name] = packed(name, values[name])
        if self.searched:
            values["search"] = searchable(values[name] for name in self.searched)
        check(self.table, values)
        return values

    def _record(self, row: Row[Any]) -> R:
        """The record of a row, which begins with the columns of the table."""
        # Plain strings for names: SQLAlchemy's own kind is refused as a key of a record.
        values = dict(zip(map(str, self.table.columns.keys()), row, strict=False))
        for name in self.packed:
            values[name] = msgspec.json.decode(values[name])
        return msgspec.convert(values, self.record, strict=True, builtin_types=(bytes,))
