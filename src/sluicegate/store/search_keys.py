"""PostgreSQL's index of search keys, which migration 0006 makes: the few records that a search may be about.

Keys are the parts of a text of three characters, those of one or two with anything but ASCII letters and digits in
them, and what a record belongs to: what fits everywhere in one organisation may fit nowhere in another. A text begins
as a line, so that a beginning of it is known by the character before it, as that of any word.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Table,
    Text,
    and_,
    any_,
    cast,
    column,
    func,
    literal,
    select,
    text,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.store.schema import SEARCH_KEYS
from sluicegate.store.values import BEFORE_WORDS, TRIGRAM, finds, is_beginning

WALKED: Final = 5_000
"""Records that are looked at in the order of their ids, before the index is asked: what many have is soon found so."""

_OWNER = "\2"
_MOST = 2
"""Keys of a text that are looked up: each takes its time, and the rest does not narrow much."""
_CANDIDATES = 40
"""Keys of a text of which those are chosen."""
_COMMON = 0.95
"""The share of records that must have a key for it to be left out."""

_KNOWN = text(
    "SELECT key, frequency FROM pg_stats,"
    " unnest(CAST(CAST(most_common_elems AS text) AS text[]), most_common_elem_freqs) AS known (key, frequency)"
    " WHERE schemaname = ANY (current_schemas(false)) AND tablename = :name AND key = ANY (CAST(:keys AS text[]))"
)
"""What PostgreSQL has found out by itself, or nothing yet."""

_PLAN = select(
    # Of what it believes to be in many records, PostgreSQL would read all. Here that has been tried already.
    func.set_config("enable_seqscan", "off", true()),
    func.set_config("enable_indexscan", "off", true()),
    func.set_config("enable_indexonlyscan", "off", true()),
    # How many records have a key is known of the key itself alone.
    func.set_config("plan_cache_mode", "force_custom_plan", true()),
    # To start processes takes as long as most searches.
    func.set_config("max_parallel_workers_per_gather", "0", true()),
)
_PLAN_AS_EVER = select(
    func.set_config("enable_seqscan", "on", true()),
    func.set_config("enable_indexscan", "on", true()),
    func.set_config("enable_indexonlyscan", "on", true()),
)


def has_index(table: Table) -> bool:
    """Whether PostgreSQL has an index of this table's search keys."""
    return table.name in SEARCH_KEYS


def fits(
    table: Table, searched: str, filters: Mapping[str, str | None], known: Mapping[str, float] = MappingProxyType({})
) -> ColumnElement[bool]:
    """What the index can tell of the records that a search finds, and that have these values: few others fit.

    `known` is how large a share of all records has a key; others are rare.
    """
    fields = SEARCH_KEYS[table.name]
    keys: ColumnElement[Any] = func.sluicegate_search_keys(table.c.search, *(table.c[name] for name in fields))
    folded = searched.casefold()
    owners = [key for key in _owners(table, filters) if known.get(key, 0) < _COMMON]
    if is_beginning(folded):
        begins = keys.op("&&", is_comparison=True)(_array([before + folded for before in BEFORE_WORDS]))
        return and_(begins, keys.op("@>", is_comparison=True)(_array(owners))) if owners else begins
    rarest = sorted(_parts(folded), key=lambda key: known.get(key, 0))[:_MOST]
    parts = [key for key in rarest if known.get(key, 0) < _COMMON]
    return keys.op("@>", is_comparison=True)(_array(parts + owners or rarest[:1]))


async def page(
    connection: AsyncConnection,
    table: Table,
    searched: str,
    filters: Mapping[str, str | None],
    *,
    after: str | None,
    limit: int,
) -> list[str]:
    """The first ids behind `after`, in order, of what a search finds and has these values.

    What many records have is found by reading some in order. Of the rest the index tells where it is, but in no order:
    the first that are found there bound what must be read to have them in order. They seldom are far apart, as rows lie
    in the order of their ids or nearly so; another index tells which pages have none behind `after` or up to there.
    """
    number = table.c.id
    given = [(table.c[name], value) for name, value in filters.items() if value is not None]
    walked = select(number, table.c.search).where(*(field == value for field, value in given))
    if after is not None:
        walked = walked.where(number > after)
    first = walked.order_by(number).limit(WALKED).subquery()
    ids = await _ids(connection, select(first.c.id).where(finds(first, searched)).order_by(first.c.id).limit(limit))
    if len(ids) >= limit:
        return ids
    # An expression has no index: what these are is among the keys.
    found = select(number).where(
        fits(table, searched, filters, await _known(connection, table, searched, filters)),
        finds(table, searched),
        *(field.concat("") == value for field, value in given),
    )
    if after is not None:
        found = found.where(number > after)
    await connection.execute(_PLAN)
    ids = sorted(await _ids(connection, _fenced(found).limit(limit)))
    if len(ids) >= limit:
        some = _fenced(found.where(number <= ids[-1]))
        ids = await _ids(connection, some.order_by(column("id")).limit(limit))
    await connection.execute(_PLAN_AS_EVER)
    return ids


def among(table: Table, ids: list[str]) -> ColumnElement[bool]:
    """That a record is one of these, however many they are."""
    condition: ColumnElement[bool] = table.c.id == any_(_array(ids))
    return condition


def _owners(table: Table, filters: Mapping[str, str | None]) -> list[str]:
    given = [(number, filters.get(name)) for number, name in enumerate(SEARCH_KEYS[table.name], 1)]
    return [f"{_OWNER}{number}{value}" for number, value in given if value is not None]


def _parts(folded: str) -> list[str]:
    """Keys that every text has with this in it, the best first, unless more is known of them.

    Where two words meet comes first: both may be in many texts, and behind each other in few.
    """
    if len(folded) < TRIGRAM:
        return [folded]
    last = len(folded) - TRIGRAM
    meetings = [start for start in range(min(last, _CANDIDATES) + 1) if folded[start + 1] in BEFORE_WORDS]
    starts = [*meetings, last, *range(0, last, TRIGRAM), *range(min(last, _CANDIDATES))]
    return list(dict.fromkeys(folded[start : start + TRIGRAM] for start in starts))[:_CANDIDATES]


async def _known(
    connection: AsyncConnection, table: Table, searched: str, filters: Mapping[str, str | None]
) -> dict[str, float]:
    """How large a share of all records has a key, of those that many have."""
    keys = _parts(searched.casefold()) + _owners(table, filters)
    rows = await connection.execute(_KNOWN, {"name": f"ix_{table.name}_search_keys", "keys": keys})
    return {str(key): float(frequency) for key, frequency in rows}


def _array(texts: list[str]) -> ColumnElement[Any]:
    return cast(literal(texts, ARRAY(Text)), ARRAY(Text))


def _fenced(found: Select[Any]) -> Select[Any]:
    """Have it planned as if all of it were read, though no more is than is asked for: else PostgreSQL would trust that
    the first come soon, wherever it looks."""
    every = found.cte().prefix_with("MATERIALIZED", dialect="postgresql")
    return select(every.c.id)


async def _ids(connection: AsyncConnection, statement: Select[Any]) -> list[str]:
    return list((await connection.execute(statement)).scalars())
