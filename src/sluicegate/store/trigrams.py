"""SQLite's index of trigrams, which migration 0004 makes where it can: the few records that a search may be about.

A trigram is three characters in a row. What is indexed is text with two marks where each word begins, so that one or
two letters there are part of a trigram too. Triggers keep it when rows are changed and removed.
"""

import sys
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    column,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy import table as named
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.store.values import BEFORE_WORDS, TRIGRAM, is_beginning

FEW: Final = 20_000
"""Records that are looked at one by one rather than with all others in the order of their ids. What more than so many
fit is soon found in that order."""

_MARKS = "\1\1"
_OWNER = "\2"
"""Before the last two characters of an organisation's id, which stand behind each text: what fits everywhere in one
organisation may fit nowhere in another."""
_MARKED = str.maketrans({one: one + _MARKS for one in BEFORE_WORDS})
_MOST = 16
"""Trigrams of a text that are looked up: the rest does not narrow much."""
_MOST_ENDINGS = 200
"""Trigrams that begin with one or two characters."""


class Way(NamedTuple):
    """How the records that a search finds are to be come by.

    `candidates` is true of few records, and of all that are found; None: it is not known. `fields` are those whose
    index may be read; None: all.
    """

    candidates: ColumnElement[bool] | None
    fields: frozenset[str] | None

    def may_read(self, field: str) -> bool:
        """Whether the index of this field may be read."""
        return self.fields is None or field in self.fields


FREE: Final = Way(None, None)
"""Whichever the database thinks best."""


async def last_row(connection: AsyncConnection, table: Table) -> int | None:
    """SQLite's number of the last row, behind which all new ones are; None where there is no index of them."""
    if not await _has_index(connection, table):
        return None
    number: ColumnElement[int] = literal_column("rowid")
    return int((await connection.execute(select(func.max(number)).select_from(table))).scalar_one() or 0)


async def add(connection: AsyncConnection, table: Table, behind: int) -> None:
    """Take all rows behind this one into the index, at once: FTS5 writes everything at the end of each statement."""
    number: ColumnElement[int] = literal_column(f"{table.name}.rowid")
    index = named(_index(table), column("rowid", Integer), column("search", Text))
    rows = select(number, _marked(table)).where(number > behind)
    await connection.execute(insert(index).from_select(["rowid", "search"], rows))


def _marked(table: Table) -> ColumnElement[str]:
    """What is indexed, in the very words of migration 0004, whose triggers remove it again."""
    marked: ColumnElement[str] = table.c.search
    for one in BEFORE_WORDS:
        marked = func.replace(marked, one, one + _MARKS)
    owner = func.substr(table.c.organization_id, -2)
    return literal(_MARKS, Text).concat(marked).concat(_MARKS + _OWNER).concat(owner)


async def way(
    connection: AsyncConnection, table: Table, searched: str, filters: Mapping[str, str | None], after: str | None
) -> Way:
    """The best way to the records behind `after` that a search finds, and that have these values.

    Where many have all trigrams, the records of a small owner are read one by one, and else the index of the search
    from end to end: that takes less time than to read those of a large owner, as SQLite would.
    """
    query = await _query(connection, table, searched, filters.get("organization_id"))
    if query is not None:
        few = await _candidates(connection, table, query, after)
        if few is not None:
            return Way(few, frozenset())
    narrow = await _narrow(connection, table, filters, after)
    return Way(None, frozenset() if narrow is None else frozenset([narrow]))


async def _query(connection: AsyncConnection, table: Table, searched: str, organization_id: str | None) -> str | None:
    """What FTS5 is asked for (https://www.sqlite.org/fts5.html#full_text_query_syntax); None where nothing can be."""
    if not await _has_index(connection, table):
        return None
    folded = searched.casefold()
    marked = folded.translate(_MARKED)
    if is_beginning(folded):
        marked = (_MARKS + marked)[-TRIGRAM:]
    if len(marked) < TRIGRAM:
        endings = await _beginning_with(connection, table, marked)
        if len(endings) > _MOST_ENDINGS:
            return None
        # Nothing has none of them, but there must be something to ask for.
        query = f"({' OR '.join(map(_quoted, endings or [marked.ljust(TRIGRAM)]))})"
    else:
        trigrams = dict.fromkeys(marked[start : start + TRIGRAM] for start in range(len(marked) - TRIGRAM + 1))
        # Each takes its time, where many have it, and those with marks in them add little to the others.
        plain = [one for one in trigrams if _MARKS[0] not in one] or list(trigrams)
        query = " AND ".join(map(_quoted, plain[:_MOST]))
    if organization_id is None:
        return query
    return f"{query} AND {_quoted((_MARKS + _OWNER + organization_id[-2:])[-TRIGRAM:])}"


def _quoted(trigram: str) -> str:
    return '"{}"'.format(trigram.replace('"', '""'))


async def _beginning_with(connection: AsyncConnection, table: Table, characters: str) -> list[str]:
    """The trigrams there are that begin so. Behind each text are marks, so that its last characters begin one too."""
    term = column("term", Text)
    known = (
        select(term)
        .select_from(named(f"{_index(table)}_known"))
        .where(term >= characters, term < characters + chr(sys.maxunicode))
        .limit(_MOST_ENDINGS + 1)
    )
    return list((await connection.execute(known)).scalars())


async def _candidates(
    connection: AsyncConnection, table: Table, query: str, after: str | None
) -> ColumnElement[bool] | None:
    """That a row is one of the few that fit; None where they are more than few."""
    rowid: ColumnElement[int] = column("rowid", Integer)
    index = _index(table)
    # The name of the table stands for all of its columns.
    fits = literal_column(index).op("MATCH")(bindparam(None, query))
    rows = select(rowid).select_from(named(index)).where(fits)
    number: ColumnElement[int] = literal_column(f"{table.name}.rowid")
    if await _is_more_than_few(connection, rows):
        if after is None:
            return None
        # Rows are numbered in the order of their ids, or nearly so. Of an expression, the least is looked for behind
        # `after` alone; of the number itself, from the first row on.
        behind = select(func.min(number + 0)).where(table.c.id > after)
        first: int | None = (await connection.execute(behind)).scalar_one()
        rows = rows.where(rowid >= (sys.maxsize if first is None else first))
        if await _is_more_than_few(connection, rows):
            return None
    return number.in_(rows)


async def _narrow(
    connection: AsyncConnection, table: Table, filters: Mapping[str, str | None], after: str | None
) -> str | None:
    """The first of these fields whose value few records have."""
    for name, value in filters.items():
        if value is not None:
            rows: Select[Any] = select(table.c.id).where(table.c[name] == value)
            if not await _is_more_than_few(connection, rows if after is None else rows.where(table.c.id > after)):
                return name
    return None


async def _is_more_than_few(connection: AsyncConnection, rows: Select[Any]) -> bool:
    some = rows.limit(FEW + 1).subquery()
    return bool((await connection.execute(select(func.count()).select_from(some))).scalar_one() > FEW)


async def _has_index(connection: AsyncConnection, table: Table) -> bool:
    found = text("SELECT count(*) FROM sqlite_master WHERE name = :name")
    return bool((await connection.execute(found, {"name": _index(table)})).scalar_one())


def _index(table: Table) -> str:
    return f"{table.name}_trigrams"
