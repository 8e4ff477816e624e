"""How a search of the request log gets at its rows: through the blocks, newest first, by the marks of their rows.

Rule 1. What is read of a block are the marks of the filters, some 10 KB each: first of the filter that few rows are
        likely to fit, then of the next where some do; and then only the rows whose marks fit.
Rule 2. Blocks overlap: those of a minute hold what began before it, and nodes that share a database write their own.
        A page is full when no block that is left ends later than the last row on it began.
Rule 3. Ids hold the time they were made at, which is that of their request. So a search by how they begin, or for one
        of them, is one of a time.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from msgspec import Struct
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.domain.request_blocks import (
    CHUNK,
    FIRST_CHUNK,
    PIECES,
    Candidates,
    Demand,
    demands_of,
    lines_of,
    row_of,
    span_of,
    times_piece,
)
from sluicegate.domain.usage_rows import Entry, RequestRow, entry_of
from sluicegate.store.schema import request_blocks
from sluicegate.store.values import is_storable

_FIRST_ROUND, _LARGEST_ROUND, _GROWTH = 4, 512, 4
"""Blocks that are looked into at once: few first, for most searches find what they want there. The marks of so many are
5 MB for each filter."""

_PREFIX: Final = "req_"
_TIME_DIGITS: Final = 12
_HEX: Final = frozenset("0123456789abcdef")
_SLACK: Final = 100
"""Milliseconds by which an id may be apart from its request's time."""
_EVER: Final = 2**62
_BEHIND: Final = "\U0010ffff"
"""Sorts behind every id."""

_NAMED: Final = "SELECT place, data FROM request_pieces WHERE place"

_EQUAL: Final = ("organization_id", "project_id", "user_id", "token_id", "provider", "model", "error", "tag")


class RequestFilter(Struct, frozen=True, omit_defaults=True):
    """What all rows of an answer have; None where that does not matter.

    `status_class` is the code's first digit. `since` (inclusive) and `until` (exclusive) are Unix milliseconds.
    `request_id` is how the id begins.
    """

    organization_id: str | None = None
    project_id: str | None = None
    user_id: str | None = None
    token_id: str | None = None
    provider: str | None = None
    model: str | None = None
    status_code: int | None = None
    status_class: int | None = None
    error: str | None = None
    tag: str | None = None
    since: int | None = None
    until: int | None = None
    request_id: str | None = None

    @property
    def is_storable(self) -> bool:
        """Whether some row can fit."""
        return all(is_storable(getattr(self, name)) for name in RequestFilter.__struct_fields__)


class Moment(NamedTuple):
    """Where a row is in the order: those of one millisecond are in the order of their ids."""

    at: int
    request_id: str


class _Block(NamedTuple):
    """One to be looked into."""

    sequence: int
    first_at: int
    last_at: int
    rows: int


@dataclass(slots=True)
class _Lead:
    """A block that is looked into: places of rows that may fit, the last first, all of them up to `bound`."""

    block: _Block
    places: Iterator[int]
    bound: Moment


class _Question(NamedTuple):
    """A search, as the blocks are asked: rows before `before` that began from `since` on and before `until`."""

    wanted: RequestFilter
    demands: list[Demand]
    exact: str | None
    since: int
    until: int
    before: Moment | None

    def fits(self, entry: Entry) -> bool:
        """Whether a row is what its marks say."""
        row, wanted = entry.row, self.wanted
        for name in _EQUAL[:-1]:
            value = getattr(wanted, name)
            if value is not None and getattr(row, name) != value:
                return False
        if wanted.tag is not None and wanted.tag not in entry.tags:
            return False
        if self.exact is not None and row.request_id != self.exact:
            return False
        if wanted.request_id is not None and not row.request_id.startswith(wanted.request_id):
            return False
        return self.before is None or (row.at, row.request_id) < self.before


async def find(connection: AsyncConnection, request_id: str) -> RequestRow | None:
    """The row of this request: where its id says it is, and if it is not there anywhere else."""
    demands = demands_of({"request_id": request_id}, status_code=None, status_class=None)
    for since, until in (times_of(request_id), (0, _EVER)):
        question = _Question(RequestFilter(), demands, request_id, since, until, None)
        for row in await _answered(connection, question, 1):
            return row
    return None


async def search(
    connection: AsyncConnection, wanted: RequestFilter, *, limit: int, before: Moment | None
) -> list[RequestRow]:
    """The newest rows that fit, older than `before`."""
    names = {name: getattr(wanted, name) for name in _EQUAL if getattr(wanted, name) is not None}
    demands = demands_of(names, status_code=wanted.status_code, status_class=wanted.status_class)
    since, until = wanted.since or 0, _EVER if wanted.until is None else wanted.until
    if wanted.request_id is not None:
        first, end = times_of(wanted.request_id)
        since, until = max(since, first), min(until, end)
    if before is not None:
        until = min(until, before.at + 1)
    return await _answered(connection, _Question(wanted, demands, None, since, until, before), limit)


def times_of(beginning: str) -> tuple[int, int]:
    """From when on and up to when requests began whose ids begin like that, Unix milliseconds."""
    digits = beginning[len(_PREFIX) :][:_TIME_DIGITS]
    if not beginning.startswith(_PREFIX) or not _HEX.issuperset(digits):
        return 0, _EVER if _PREFIX.startswith(beginning) else 0
    first, last = (int(digits.ljust(_TIME_DIGITS, rest), 16) for rest in "0f")
    return max(first - _SLACK, 0), last + _SLACK + 1


async def _answered(connection: AsyncConnection, question: _Question, limit: int) -> list[RequestRow]:
    best: list[RequestRow] = []
    async for blocks in _rounds(connection, question):
        if _is_beyond(best, limit, _bound(blocks[0])):
            break
        leads = await _leads(connection, question, blocks)
        while leads:
            drawn, leads = _drawn(leads, max(limit, CHUNK))
            chunks = await _chunks(connection, drawn)
            for lead, places in drawn:
                best += _fitting(question, lead, places, chunks)
            best = sorted(best, key=_moment, reverse=True)[:limit]
            leads = [lead for lead in leads if not _is_beyond(best, limit, lead.bound)]
    return best


async def _rounds(connection: AsyncConnection, question: _Question) -> AsyncIterator[list[_Block]]:
    """The blocks that may have something of the time, those that end last first."""
    columns = request_blocks.c
    order = tuple_(columns.last_at, columns.sequence)
    statement = (
        select(columns.sequence, columns.first_at, columns.last_at, columns.rows)
        .where(columns.last_at >= question.since, columns.first_at < question.until)
        .order_by(columns.last_at.desc(), columns.sequence.desc())
    )
    size, last = _FIRST_ROUND, (_EVER, 0)
    while blocks := [_Block(*row) for row in await connection.execute(statement.where(order < last).limit(size))]:
        yield blocks
        size, last = min(size * _GROWTH, _LARGEST_ROUND), (blocks[-1].last_at, blocks[-1].sequence)


async def _leads(connection: AsyncConnection, question: _Question, blocks: Sequence[_Block]) -> list[_Lead]:
    """The blocks that have rows whose marks fit all demands."""
    left = [(block, Candidates(block.rows)) for block in blocks]
    for demand in question.demands:
        found = await _pieces(connection, [block for block, _ in left], demand.piece)
        left = [(block, rows) for block, rows in left if rows.narrow(demand, found.get(block.sequence, b""))]
    times = await _pieces(connection, [block for block, _ in left if _is_partly(question, block)], times_piece())
    return [_Lead(block, rows.newest_first(_span(question, block, times)), _bound(block)) for block, rows in left]


async def _pieces(connection: AsyncConnection, blocks: Sequence[_Block], number: int) -> dict[int, bytes]:
    """The piece of this number of each block that has one, by the block's sequence."""
    found = await read_pieces(connection, [block.sequence * PIECES + number for block in blocks])
    return {place // PIECES: data for place, data in found.items()}


async def _chunks(
    connection: AsyncConnection, drawn: Sequence[tuple[_Lead, Sequence[int]]]
) -> dict[tuple[int, int], list[bytes]]:
    """The lines of the chunks that these rows are in, by the numbers of block and chunk."""
    places = {lead.block.sequence * PIECES + FIRST_CHUNK + place // CHUNK for lead, places in drawn for place in places}
    found = await read_pieces(connection, places)
    return {(place // PIECES, place % PIECES - FIRST_CHUNK): lines_of(data) for place, data in found.items()}


async def read_pieces(connection: AsyncConnection, places: Collection[int]) -> dict[int, bytes]:
    """What is at these places, as far as there is something."""
    if not places:
        return {}
    # As the driver takes it: SQLAlchemy would look at each place.
    named = sorted(places)
    if connection.dialect.name == "sqlite":
        rows = await connection.exec_driver_sql(f"{_NAMED} IN ({','.join('?' * len(named))})", tuple(named))
    else:
        rows = await connection.exec_driver_sql(f"{_NAMED} = ANY($1::bigint[])", (named,))
    return {row.place: row.data for row in rows}


def _span(question: _Question, block: _Block, times: dict[int, bytes]) -> range | None:
    """The block's rows that are of the time, None for all."""
    return span_of(times[block.sequence], question.since, question.until) if block.sequence in times else None


def _drawn(leads: list[_Lead], count: int) -> tuple[list[tuple[_Lead, list[int]]], list[_Lead]]:
    """About so many rows of the first blocks, and the blocks that may have more."""
    drawn: list[tuple[_Lead, list[int]]] = []
    for number, lead in enumerate(leads):
        places = list(islice(lead.places, count))
        drawn.append((lead, places))
        count -= len(places)
        if not count:
            return drawn, leads[number:]
    return drawn, []


def _fitting(
    question: _Question, lead: _Lead, places: Sequence[int], chunks: dict[tuple[int, int], list[bytes]]
) -> Iterator[RequestRow]:
    """Those of the rows that do fit; the lead goes on behind the last."""
    for place in places:
        stored = row_of(chunks[lead.block.sequence, place // CHUNK][place % CHUNK])
        if stored is None:
            continue
        entry = entry_of(stored)
        lead.bound = _moment(entry.row)
        if question.fits(entry):
            yield entry.row


def _is_beyond(best: Sequence[RequestRow], limit: int, bound: Moment) -> bool:
    """Whether there is no place any more for what is not behind `bound`."""
    return len(best) >= limit and _moment(best[-1]) >= bound


def _is_partly(question: _Question, block: _Block) -> bool:
    """Whether part of it is of another time."""
    return block.first_at < question.since or block.last_at >= question.until


def _bound(block: _Block) -> Moment:
    return Moment(block.last_at, _BEHIND)


def _moment(row: RequestRow) -> Moment:
    return Moment(row.at, row.request_id)
