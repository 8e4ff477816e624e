"""`sluicegate manage request`."""

from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer

from sluicegate.cli.manage import operations
from sluicegate.cli.manage.display import Form
from sluicegate.cli.manage.failure import USAGE, ManageError
from sluicegate.cli.manage.kinds import REQUEST, USED
from sluicegate.cli.manage.options import After, All, Identifier, Limit, Session, group, managing
from sluicegate.cli.manage.values import given

app = group("Requests that the gateway has served, and what they come to.")

_Organization = Annotated[
    str | None, typer.Option("--organization", metavar="ID", show_default=False, help="Only of this one.")
]
_Project = Annotated[str | None, typer.Option("--project", metavar="ID", show_default=False, help="Only of this one.")]
_User = Annotated[str | None, typer.Option("--user", metavar="ID", show_default=False, help="Only of this one.")]
_Token = Annotated[str | None, typer.Option("--token-id", metavar="ID", show_default=False, help="Only of this one.")]
_Provider = Annotated[str | None, typer.Option("--provider", show_default=False, help="Only what it was asked for.")]
_Model = Annotated[str | None, typer.Option("--model", show_default=False, help="Only what it answered.")]
_Tag = Annotated[str | None, typer.Option("--tag", show_default=False, help="Only of tokens with it.")]
_Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", show_default=False, help="As in 2026-11-21T00:00:00Z.")
]
_Until = Annotated[str | None, typer.Option("--until", metavar="TIME", show_default=False, help="Before that.")]
_Status = Annotated[
    str | None, typer.Option("--status", show_default=False, help="What was answered: 429, or a class, 5xx.")
]
_Error = Annotated[str | None, typer.Option("--error", show_default=False, help="Code of the failure.")]
_Beginning = Annotated[str | None, typer.Option("--request-id", show_default=False, help="How the id begins.")]
_GROUPS = "Groups of a page: 1000."
_By = Annotated[
    str,
    typer.Option("--by", help="hour, day, organization, project, user, token, provider, model or tag."),
]


class Written(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    CSV = "csv"


@app.command("list")
@managing
def list_them(
    session: Session,
    organization: _Organization = None,
    project: _Project = None,
    user: _User = None,
    token_id: _Token = None,
    provider: _Provider = None,
    model: _Model = None,
    status: _Status = None,
    error: _Error = None,
    tag: _Tag = None,
    since: _Since = None,
    until: _Until = None,
    request_id: _Beginning = None,
    after: After = None,
    limit: Limit = None,
    is_all: All = False,
) -> None:
    """List requests, newest first."""
    filters = given(
        org_id=organization,
        project_id=project,
        user_id=user,
        token_id=token_id,
        provider=provider,
        model=model,
        status=status,
        error=error,
        tag=tag,
        since=since,
        until=until,
        request_id=request_id,
    )
    operations.show_list(session, REQUEST, filters, after=after, limit=limit, is_all=is_all)


@app.command()
@managing
def export(
    session: Session,
    form: Annotated[Written, typer.Option("--format", help="JSON lines, or CSV with a line of names.")] = Written.JSONL,
    organization: _Organization = None,
    project: _Project = None,
    user: _User = None,
    token_id: _Token = None,
    provider: _Provider = None,
    model: _Model = None,
    status: _Status = None,
    error: _Error = None,
    tag: _Tag = None,
    since: _Since = None,
    until: _Until = None,
    request_id: _Beginning = None,
) -> None:
    """Write all requests that fit to standard output, newest first."""
    if session.display.form is Form.IDS or (session.display.form is Form.JSON and form is not Written.JSONL):
        raise ManageError("--quiet and --json: an export has the form that --format names", USAGE)
    query = given(
        format=form.value,
        org_id=organization,
        project_id=project,
        user_id=user,
        token_id=token_id,
        provider=provider,
        model=model,
        status=status,
        error=error,
        tag=tag,
        since=since,
        until=until,
        request_id=request_id,
    )
    for part in session.client.pour(f"{REQUEST.path}/export", query):
        typer.echo(part, nl=False)


@app.command()
@managing
def show(session: Session, identifier: Identifier) -> None:
    """Show one."""
    operations.show(session, REQUEST, identifier)


@app.command()
@managing
def bodies(session: Session, identifier: Identifier) -> None:
    """Show what was sent and answered, where that is kept."""
    operations.show_part(session, REQUEST, identifier, "bodies")


@app.command()
@managing
def usage(
    session: Session,
    by: _By = "day",
    organization: _Organization = None,
    project: _Project = None,
    user: _User = None,
    token_id: _Token = None,
    provider: _Provider = None,
    model: _Model = None,
    tag: _Tag = None,
    since: _Since = None,
    until: _Until = None,
    after: After = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, max=1000, show_default=False, help=_GROUPS)] = None,
    is_all: All = False,
) -> None:
    """Show what requests come to: of the last 30 days if no time is named, by hour of the last 24 hours."""
    query = given(
        group_by=by,
        org_id=organization,
        project_id=project,
        user_id=user,
        token_id=token_id,
        provider=provider,
        model=model,
        tag=tag,
        since=since,
        until=until,
        after=after,
        limit=None if limit is None else str(limit),
    )
    pages = session.client.pages(USED.path, query)
    session.display.groups(USED, pages if is_all else islice(pages, 1))
