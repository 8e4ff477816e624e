"""How a search of the request log gets at its rows: it follows one of its filters, and looks at each for the others.

Rule 1. Each filter has an index that is in the order of time within each value, so that no search sorts.
Rule 2. SQLite cannot tell how many rows have a value: the filter to follow is the one that fewest fit, counted as far
        as it matters, and it is kept from following another. PostgreSQL knows, and chooses by itself.
Rule 3. Ids sort by time. A search by how they begin follows their index, unless a short beginning, which many have,
        comes with a filter that few may fit.
"""

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, Select, exists, func, literal_column, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.domain.usage_rows import RequestRow
from sluicegate.store.schema import request_log, request_tags
from sluicegate.store.values import is_storable

MANY: Final = 2_000
"""Rows that are soon looked at: whether more of them fit a filter does not matter."""

LONG_BEGINNING: Final = 12
"""Characters of an id's beginning that the requests of one minute have: the prefix and eight digits of the time."""

_EQUAL: Final = ("token_id", "user_id", "error", "model", "project_id", "provider", "organization_id")
_BY_LIKELIHOOD: Final = ("token_id", "user_id", "error", "status", "model", "tag", "project_id", "provider")
"""Which of two filters is followed where many rows fit both: organisations last."""
_WIDE: Final = frozenset({"provider", "organization_id"})
_BEHIND: Final = "\U0010ffff"
"""Sorts behind whatever an id may go on with."""

ROWS: Final[Select[Any]] = select(*(request_log.c[name] for name in RequestRow._fields))


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

    @property
    def is_by_id(self) -> bool:
        """Whether the index of ids is followed."""
        if self.request_id is None:
            return False
        return len(self.request_id) >= LONG_BEGINNING or _WIDE.issuperset(filters_of(self))


def filters_of(wanted: RequestFilter) -> list[str]:
    """Those filters of a search that one can follow, those that are likely to be narrow first."""
    values: dict[str, object] = {name: getattr(wanted, name) for name in _EQUAL}
    values |= {"status": wanted.status_code or wanted.status_class, "tag": wanted.tag}
    return [name for name in (*_BY_LIKELIHOOD, "organization_id") if values[name] is not None]


async def followed(connection: AsyncConnection, wanted: RequestFilter) -> str | None:
    """The filter that a search on SQLite follows; None where it follows the time alone, or ids."""
    names = filters_of(wanted)
    if wanted.is_by_id or not names:
        return None
    if len(names) == 1:
        return names[0]
    fitting = {name: await _count(connection, wanted, name) for name in names}
    return min(names, key=fitting.__getitem__)


def page(wanted: RequestFilter, *, before: Row[Any] | None, is_sqlite: bool, lead: str | None) -> Select[Any]:
    """The statement for a page, newest first, behind the row `before`, of which it takes `at`, `sequence` and
    `request_id`. `lead` is the filter to follow, which is for SQLite alone."""
    columns, tags = request_log.c, request_tags.c
    statement = ROWS
    narrowing = [_fits(name, wanted, is_free=is_sqlite and name != lead) for name in filters_of(wanted)]
    at, sequence = columns.at, columns.sequence
    if wanted.tag is not None and (lead == "tag" or not is_sqlite):
        statement = statement.join(request_tags, (tags.at == columns.at) & (tags.sequence == columns.sequence))
        if is_sqlite:
            # It does not see that these are the same.
            at, sequence = tags.at, tags.sequence
    elif wanted.tag is not None:
        has_tag = exists().where(tags.tag == wanted.tag, tags.at == at, tags.sequence == sequence)
        narrowing = [has_tag if name == "tag" else one for name, one in zip(filters_of(wanted), narrowing, strict=True)]
    if wanted.status_code is not None:
        narrowing.append(columns.status_code == wanted.status_code)
    narrowing += _within(wanted, at)
    if wanted.request_id is not None:
        narrowing += [columns.request_id >= wanted.request_id, columns.request_id < wanted.request_id + _BEHIND]
    if wanted.is_by_id:
        if before is not None:
            narrowing.append(columns.request_id < before.request_id)
        return statement.where(*narrowing).order_by(columns.request_id.desc())
    if before is not None:
        # The first says what the second does, for planners that do not see it.
        narrowing += [at <= before.at, tuple_(at, sequence) < (before.at, before.sequence)]
    return statement.where(*narrowing).order_by(at.desc(), sequence.desc())


def _fits(name: str, wanted: RequestFilter, *, is_free: bool) -> ColumnElement[bool]:
    """That a row fits a filter; where this is free, no index is used for it."""
    column: ColumnElement[Any]
    if name == "tag":
        return request_tags.c.tag == wanted.tag
    if name == "status":
        digit = wanted.status_class if wanted.status_class is not None else (wanted.status_code or 0) // 100
        column, value = request_log.c.status_class, digit
    else:
        column, value = request_log.c[name], getattr(wanted, name)
    return (func.likely(column, type_=column.type) if is_free else column) == value


def _within(wanted: RequestFilter, at: ColumnElement[int]) -> list[ColumnElement[bool]]:
    narrowing = []
    if wanted.since is not None:
        narrowing.append(at >= wanted.since)
    if wanted.until is not None:
        narrowing.append(at < wanted.until)
    return narrowing


async def _count(connection: AsyncConnection, wanted: RequestFilter, name: str) -> int:
    """How many rows fit one filter, as far as it matters."""
    table = request_tags if name == "tag" else request_log
    fitting = (
        select(literal_column("1"))
        .select_from(table)
        .where(_fits(name, wanted, is_free=False), *_within(wanted, table.c.at))
        .limit(MANY)
        .subquery()
    )
    return int((await connection.execute(select(func.count()).select_from(fitting))).scalar_one())
