"""The request log: what was asked, by whom, and what became of it; newest first.

An export is read a page at a time, so that a slow client holds no database connection.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator

from sluicegate.control.access import Acting
from sluicegate.control.context import Context, Reached
from sluicegate.control.routes.body import Moment, milliseconds
from sluicegate.control.routes.paging import IdentifierFilter, Listing, Paged
from sluicegate.control.routes.request_rows import Form, RequestShown, beginning, shown, write_rows
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import request_log
from sluicegate.control.tenants.actor import Actor
from sluicegate.domain.usage_rows import RequestRow
from sluicegate.store.usage.request_search import RequestFilter

_PAGE = 500
_WRITTEN_AS = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}

_STATUS = re.compile(r"^[1-9]([0-9]{2}|xx)$")

Word = Annotated[str | None, Query(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _status(value: str | None) -> str | None:
    if value is not None and _STATUS.search(value) is None:
        raise ValueError("must be a status such as 429, or a class of them such as 5xx")
    return value


async def filter_of(
    org_id: IdentifierFilter = None,
    project_id: IdentifierFilter = None,
    user_id: IdentifierFilter = None,
    token_id: IdentifierFilter = None,
    provider: Word = None,
    model: Annotated[Word, Query(description="That answered, in the provider's words.")] = None,
    status: Annotated[
        str | None,
        AfterValidator(_status),
        Query(description="A code, `429`, or a class, `5xx`.", json_schema_extra={"pattern": _STATUS.pattern}),
    ] = None,
    error: Annotated[Word, Query(description="Code of the failure, as `upstream_timeout`.")] = None,
    tag: Annotated[Word, Query(description="A tag of the token.")] = None,
    since: Annotated[Moment | None, Query(description="Not before that.")] = None,
    until: Annotated[Moment | None, Query(description="Before that.")] = None,
    request_id: Annotated[
        str | None, Query(max_length=64, pattern=r"^[A-Za-z0-9_-]+$", description="How the id begins.")
    ] = None,
) -> RequestFilter:
    """Read what a search is narrowed by."""
    is_class = status is not None and status.endswith("xx")
    return RequestFilter(
        organization_id=org_id,
        project_id=project_id,
        user_id=user_id,
        token_id=token_id,
        provider=provider or None,
        model=model or None,
        status_code=None if status is None or is_class else int(status),
        status_class=None if status is None or not is_class else int(status[0]),
        error=error or None,
        tag=tag or None,
        since=milliseconds(since),
        until=milliseconds(until),
        request_id=request_id,
    )


Filtering = Annotated[RequestFilter, Depends(filter_of)]


async def list_requests(actor: Acting, context: Reached, page: Paged, wanted: Filtering) -> Listing[RequestShown]:
    """The requests that all filters fit, newest first, as long as they are kept."""
    rows = await _page(context, actor, wanted, page.after, page.wanted)
    cursor = rows[page.limit - 1].request_id if len(rows) > page.limit else None
    return Listing(data=[shown(row) for row in rows[: page.limit]], next_cursor=cursor)


async def show_request(request_id: str, actor: Acting, context: Reached) -> RequestShown:
    """One request, a second or two after it has ended."""
    return shown(await request_log.find(context.tenancy.database, actor, request_id))


async def export_requests(
    actor: Acting, context: Reached, wanted: Filtering, form: Annotated[Form, Query(alias="format")] = "jsonl"
) -> Response:
    """All requests that the filters fit, newest first, as JSON lines or as CSV that spreadsheets open safely."""
    first = await _page(context, actor, wanted, None, _PAGE)
    return StreamingResponse(
        _written(context, actor, wanted, form, first),
        media_type=_WRITTEN_AS[form],
        headers={"content-disposition": f'attachment; filename="requests.{form}"'},
    )


async def _page(
    context: Context, actor: Actor, wanted: RequestFilter, before: str | None, limit: int
) -> list[RequestRow]:
    return await request_log.search(context.tenancy.database, actor, wanted, before=before, limit=limit)


async def _written(
    context: Context, actor: Actor, wanted: RequestFilter, form: Form, page: list[RequestRow]
) -> AsyncIterator[bytes]:
    yield beginning(form)
    while page:
        yield await asyncio.to_thread(write_rows, page, form)
        page = await _page(context, actor, wanted, page[-1].request_id, _PAGE)


ROUTES = (
    Route("GET", "/admin/requests", "viewer", list_requests, 200, Listing[RequestShown]),
    Route("GET", "/admin/requests/export", "viewer", export_requests, media=("application/x-ndjson", "text/csv")),
    Route("GET", "/admin/requests/{request_id}", "viewer", show_request, 200, RequestShown),
)
"""`export` is no request's id."""
