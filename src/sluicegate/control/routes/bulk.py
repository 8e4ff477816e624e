"""Many users in one request: imported from JSON lines or CSV, and exported as such.

Rule 1. A file is taken in whole before anything is done with it, on disk from a megabyte on: no transaction waits for a
        slow client, and no client that sends before it reads waits for its own report.
Rule 2. An export is read a page at a time, so that a slow client holds no database connection.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import Annotated, Literal

import msgspec
from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse

from sluicegate.control.access import Acting
from sluicegate.control.context import Context, Reached
from sluicegate.control.problems import ProblemError
from sluicegate.control.routes.body import Shown
from sluicegate.control.routes.idempotency import HEADER
from sluicegate.control.routes.paging import IdentifierFilter
from sluicegate.control.routes.route import Route
from sluicegate.control.routes.user_rows import Form, beginning, read_rows, write_rows
from sluicegate.control.routes.users import shown
from sluicegate.control.tenants import user_import, users
from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.user_import import Counts, Faulty, Made, Rows
from sluicegate.domain.tenants import User

LARGEST = 256 * 1024 * 1024
"""Bytes of a file: some million users."""

_IN_MEMORY = 1024 * 1024
_PIECE = 64 * 1024
_PAGE = 500

_MEDIA_TYPES: dict[str, Form] = {
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/json-lines": "jsonl",
    "text/csv": "csv",
}
_WRITTEN_AS = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}


class Imported(Shown):
    """How many rows became users, and how many did not."""

    created: int
    refused: int


async def import_users(
    request: Request,
    actor: Acting,
    context: Reached,
    mode: Annotated[
        Literal["all", "rows"],
        Query(description="`all`: every row or none. `rows`: each for itself, with a report in JSON lines."),
    ] = "all",
    form: Annotated[Form | None, Query(alias="format", description="Not set: by the content type.")] = None,
    org_id: IdentifierFilter = None,
) -> Response:
    """Make the users that the body tells of, JSON lines or CSV with a line of names."""
    if HEADER in request.headers:
        detail = f"An import takes no {HEADER}: sent twice, its users are refused as being there already."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    known = _form_of(request, form)
    with SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        await _take_in(request, file)
        if mode == "all":
            return await _import_all(context, actor, file, known, org_id)
        return await _import_each(context, actor, file, known, org_id)


async def export_users(
    actor: Acting,
    context: Reached,
    form: Annotated[Form, Query(alias="format")] = "jsonl",
    org_id: IdentifierFilter = None,
) -> Response:
    """All users, or an organisation's, as JSON lines or as CSV that spreadsheets open safely."""
    first = await _page(context, actor, org_id, None)
    return StreamingResponse(
        _written(context, actor, org_id, form, first),
        media_type=_WRITTEN_AS[form],
        headers={"content-disposition": f'attachment; filename="users.{form}"'},
    )


async def _import_all(
    context: Context, actor: Actor, file: "SpooledTemporaryFile[bytes]", form: Form, org_id: str | None
) -> Response:
    def rows() -> Rows:
        file.seek(0)
        return read_rows(file, form)

    count = await user_import.import_all(context.tenancy, actor, rows, organization_id=org_id)
    return _json(Counts(created=count, refused=0))


async def _import_each(
    context: Context, actor: Actor, file: "SpooledTemporaryFile[bytes]", form: Form, org_id: str | None
) -> Response:
    with ExitStack() as undo:
        report = undo.enter_context(SpooledTemporaryFile(max_size=_IN_MEMORY))

        def told(outcome: Made | Faulty) -> None:
            report.write(msgspec.json.encode(_outcome(outcome)) + b"\n")

        file.seek(0)
        counts = await user_import.import_each(
            context.tenancy, actor, read_rows(file, form), organization_id=org_id, report=told
        )
        report.write(msgspec.json.encode(counts._asdict()) + b"\n")
        undo.pop_all()
    # It is closed once it is sent.
    return StreamingResponse(_pieces(report), media_type=_WRITTEN_AS["jsonl"])


def _form_of(request: Request, form: Form | None) -> Form:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    known = form or _MEDIA_TYPES.get(media_type)
    if known is None:
        detail = f"Send {' or '.join(sorted(_MEDIA_TYPES))}, or say format=csv or format=jsonl."
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    return known


async def _take_in(request: Request, file: "SpooledTemporaryFile[bytes]") -> None:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST:
            raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A file has at most {LARGEST} bytes.")
        await asyncio.to_thread(file.write, chunk)


def _outcome(outcome: Made | Faulty) -> dict[str, object]:
    if isinstance(outcome, Faulty):
        return {"line": outcome.line, "status": "refused", "errors": outcome.errors}
    user = outcome.user
    return {"line": outcome.line, "status": "created", "user_id": user.id, "email": user.email}


async def _pieces(file: "SpooledTemporaryFile[bytes]") -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece


async def _page(context: Context, actor: Actor, org_id: str | None, after: str | None) -> list[User]:
    return await users.search(context.tenancy, actor, after=after, limit=_PAGE, organization_id=org_id)


async def _written(
    context: Context, actor: Actor, org_id: str | None, form: Form, page: list[User]
) -> AsyncIterator[bytes]:
    yield beginning(form)
    while page:
        yield await asyncio.to_thread(write_rows, [shown(user) for user in page], form)
        page = await _page(context, actor, org_id, page[-1].id)


def _json(counts: Counts) -> Response:
    return Response(msgspec.json.encode(counts._asdict()), media_type="application/json")


ROUTES = (
    Route(
        "POST",
        "/admin/users/import",
        "organization_admin",
        import_users,
        answer=Imported,
        media=(_WRITTEN_AS["jsonl"],),
        takes=tuple(_MEDIA_TYPES),
    ),
    Route("GET", "/admin/users/export", "viewer", export_users, media=("application/x-ndjson", "text/csv")),
)
"""Before those of single users: `export` is no user's id."""
