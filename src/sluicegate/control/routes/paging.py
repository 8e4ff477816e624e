"""Lists, a page at a time: the cursor is the id after which the next page begins, as ids sort by time."""

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, Protocol, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from msgspec import Struct
from pydantic import BaseModel

DEFAULT_LIMIT = 50
MOST = 200


class Page(Struct, frozen=True):
    """Which part of a list is asked for."""

    limit: int
    after: str | None

    @property
    def wanted(self) -> int:
        """One more than is shown tells whether there is a next page."""
        return self.limit + 1


async def page_of(
    limit: Annotated[int, Query(ge=1, le=MOST, description="Most entries of the answer.")] = DEFAULT_LIMIT,
    after: Annotated[
        str | None,
        Query(max_length=128, pattern=r"^[A-Za-z0-9._@+-]+$", description="`next_cursor` of the page before."),
    ] = None,
) -> Page:
    """Read `limit` and `after`."""
    return Page(limit, after)


Paged = Annotated[Page, Depends(page_of)]
"""Annotation of a route's parameter that shall be the page asked for."""

Search = Annotated[
    str | None, Query(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$", description="Part of a name or description.")
]

IdentifierFilter = Annotated[str | None, Query(max_length=128, pattern=r"^[A-Za-z0-9._@+-]+$")]
"""An id that all entries of the answer have."""

ShownT = TypeVar("ShownT", bound=BaseModel)


class Listing(BaseModel, Generic[ShownT]):
    """A page of a list; `next_cursor` is null on the last."""

    data: list[ShownT]
    next_cursor: str | None


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


RecordT = TypeVar("RecordT", bound=_HasId)


def cursor_page(records: Sequence[RecordT], page: Page, show: Callable[[RecordT], ShownT]) -> Listing[ShownT]:
    """The page of `records`, which were asked for with `page.wanted` as their limit."""
    shown, cursor = _cut(records, page)
    return Listing(data=[show(record) for record in shown], next_cursor=cursor)


def bare_page(request: Request, records: Sequence[RecordT], page: Page, show: Callable[[RecordT], ShownT]) -> Response:
    """The page as a bare array; the cursor is in `x-next-cursor` and in `Link` (RFC 8288)."""
    shown, cursor = _cut(records, page)
    headers = {}
    if cursor is not None:
        query = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
        headers["x-next-cursor"] = cursor
        # Relative: what the gateway is called from outside is not known here, and a Host header would steer it.
        headers["link"] = f'<?{urlencode([*query, ("after", cursor)])}>; rel="next"'
    return JSONResponse([show(record).model_dump(mode="json") for record in shown], headers=headers)


def _cut(records: Sequence[RecordT], page: Page) -> tuple[Sequence[RecordT], str | None]:
    shown = records[: page.limit]
    return shown, shown[-1].id if len(records) > page.limit else None
