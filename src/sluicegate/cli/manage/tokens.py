"""`sluicegate manage token`."""

from typing import Annotated, Any

import typer

from sluicegate.cli.manage import operations
from sluicegate.cli.manage.credential import secret
from sluicegate.cli.manage.failure import USAGE, ManageError
from sluicegate.cli.manage.kinds import TOKEN
from sluicegate.cli.manage.options import (
    After,
    All,
    Expiry,
    Identifier,
    IfMatch,
    Limit,
    Metadata,
    Once,
    Search,
    SecretFile,
    Session,
    Unset,
    Yes,
    group,
    managing,
)
from sluicegate.cli.manage.values import emptied, given, metadata, seconds

app = group("Tokens: what callers present.")

_EMPTY: dict[str, Any] = {
    "name": "",
    "tier": "",
    "expires_at": None,
    "idle_seconds": None,
    "max_requests": None,
    "model": None,
    "models": [],
    "paths": [],
    "request_headers": [],
    "tags": [],
    "metadata": {},
}
"""What can be taken away."""

_Project = Annotated[str | None, typer.Option("--project", metavar="ID", show_default=False, help="Of this project.")]
_User = Annotated[str | None, typer.Option("--user", metavar="ID", show_default=False, help="Of this user.")]
_Organization = Annotated[
    str | None, typer.Option("--organization", metavar="ID", show_default=False, help="Of this organisation.")
]
_Name = Annotated[str | None, typer.Option("--name", show_default=False, help="What it is called.")]
_Tier = Annotated[str | None, typer.Option("--tier", show_default=False, help="A word of your own.")]
_Idle = Annotated[
    str | None,
    typer.Option("--idle", metavar="DURATION", show_default=False, help="Ends when unused for so long, as in 30d."),
]
_Most = Annotated[
    int | None, typer.Option("--max-requests", min=1, show_default=False, help="Ends after so many requests.")
]
_Model = Annotated[
    str | None, typer.Option("--model", show_default=False, help="Answers every request, whatever model it names.")
]
_Models = Annotated[
    list[str] | None,
    typer.Option("--allow-model", metavar="MODEL", show_default=False, help="May use this model; may be repeated."),
]
_Paths = Annotated[
    list[str] | None,
    typer.Option("--allow-path", metavar="PATH", show_default=False, help="May use this path; may be repeated."),
]
_Headers = Annotated[
    list[str] | None,
    typer.Option(
        "--request-header", metavar="NAME", show_default=False, help="Only these go upstream; may be repeated."
    ),
]
_Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", show_default=False, help="Marks its requests; may be repeated."),
]


@app.command()
@managing
def create(
    session: Session,
    project: _Project = None,
    user: _User = None,
    name: _Name = None,
    tier: _Tier = None,
    expires_in: Annotated[
        str | None,
        typer.Option("--expires-in", metavar="DURATION", show_default=False, help="As in 90, 15m, 12h, 30d, 2w."),
    ] = None,
    expires_at: Expiry = None,
    idle: _Idle = None,
    max_requests: _Most = None,
    model: _Model = None,
    allow_model: _Models = None,
    allow_path: _Paths = None,
    request_header: _Headers = None,
    tag: _Tags = None,
    metadata_json: Metadata = None,
    secret_file: SecretFile = None,
    once: Once = None,
) -> None:
    """Issue a token of a project, of a user, or of both. It is shown this once."""
    body = given(
        project_id=project,
        user_id=user,
        name=name,
        tier=tier,
        expires_in=seconds(expires_in, "--expires-in"),
        expires_at=expires_at,
        idle_seconds=seconds(idle, "--idle"),
        max_requests=max_requests,
        model=model,
        models=allow_model,
        paths=allow_path,
        request_headers=request_header,
        tags=tag,
        metadata=metadata(metadata_json),
    )
    operations.issue(session, TOKEN, body, once=once, secret_file=secret_file)


@app.command("list")
@managing
def list_them(
    session: Session,
    project: _Project = None,
    user: _User = None,
    organization: _Organization = None,
    status: Annotated[
        str | None, typer.Option("--status", show_default=False, help="active, suspended or revoked.")
    ] = None,
    search: Search = None,
    after: After = None,
    limit: Limit = None,
    is_all: All = False,
) -> None:
    """List tokens, oldest first, without their secrets."""
    filters = given(project_id=project, user_id=user, organization_id=organization, status=status, search=search)
    operations.show_list(session, TOKEN, filters, after=after, limit=limit, is_all=is_all)


@app.command()
@managing
def show(session: Session, identifier: Identifier) -> None:
    """Show one, without its secret."""
    operations.show(session, TOKEN, identifier)


@app.command()
@managing
def update(
    session: Session,
    identifier: Identifier,
    name: _Name = None,
    tier: _Tier = None,
    status: Annotated[str | None, typer.Option("--status", show_default=False, help="active or suspended.")] = None,
    expires_at: Expiry = None,
    idle: _Idle = None,
    max_requests: _Most = None,
    model: _Model = None,
    allow_model: _Models = None,
    allow_path: _Paths = None,
    request_header: _Headers = None,
    tag: _Tags = None,
    metadata_json: Metadata = None,
    unset: Unset = None,
    if_match: IfMatch = None,
) -> None:
    """Change what one may do; lists are replaced as a whole.

    --unset takes name, tier, expires-at, idle-seconds, max-requests, model, models, paths, request-headers, tags or
    metadata away.
    """
    body = given(
        name=name,
        tier=tier,
        status=status,
        expires_at=expires_at,
        idle_seconds=seconds(idle, "--idle"),
        max_requests=max_requests,
        model=model,
        models=allow_model,
        paths=allow_path,
        request_headers=request_header,
        tags=tag,
        metadata=metadata(metadata_json),
    )
    operations.update(session, TOKEN, identifier, body | emptied(unset or (), _EMPTY, body), if_match=if_match)


@app.command()
@managing
def suspend(session: Session, identifier: Identifier, if_match: IfMatch = None) -> None:
    """Refuse its requests until it is resumed."""
    operations.act(session, TOKEN, identifier, "suspend", if_match=if_match)


@app.command()
@managing
def resume(session: Session, identifier: Identifier, if_match: IfMatch = None) -> None:
    """Admit its requests again."""
    operations.act(session, TOKEN, identifier, "resume", if_match=if_match)


@app.command()
@managing
def rotate(
    session: Session,
    identifier: Identifier,
    overlap: Annotated[
        str | None,
        typer.Option("--overlap", metavar="DURATION", show_default=False, help="How long the old one works on: 0."),
    ] = None,
    secret_file: SecretFile = None,
    once: Once = None,
    if_match: IfMatch = None,
) -> None:
    """Issue a successor that may do the same. It is shown this once."""
    body = {"overlap_seconds": seconds(overlap, "--overlap") or 0}
    path = f"{operations.below(TOKEN, identifier)}/rotate"
    operations.issue(session, TOKEN, body, once=once, secret_file=secret_file, path=path, if_match=if_match)


@app.command()
@managing
def revoke(
    session: Session,
    identifier: Annotated[str | None, typer.Argument(metavar="[ID]", show_default=False, help="Its id.")] = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token", metavar="FROM", show_default=False, help="The token itself: file:PATH, or - for stdin."
        ),
    ] = None,
    project: _Project = None,
    user: _User = None,
    organization: _Organization = None,
    yes: Yes = False,
    if_match: IfMatch = None,
) -> None:
    """Revoke one, for good, by its id or by itself; or all of a project, a user or an organisation."""
    ways = given(id=identifier, token=token, project_id=project, user_id=user, organization_id=organization)
    if len(ways) != 1:
        raise ManageError("Say which: an id, or one of --token, --project, --user, --organization", USAGE)
    [(way, value)] = ways.items()
    if if_match is not None and way != "id":
        raise ManageError("--if-match goes with an id only", USAGE)
    if way == "id":
        operations.remove(session, TOKEN, value, "revoked", if_match=if_match)
    elif way == "token":
        session.client.ask("DELETE", "/manage/tokens", body={"token": secret(value, "the token")})
        session.display.fields({"revoked": 1})
    else:
        operations.confirm(f"Revoke all tokens of {value}?", is_sure=yes)
        operations.revoke_all(session, way, value)


@app.command()
@managing
def delete(session: Session, identifier: Identifier, if_match: IfMatch = None) -> None:
    """Revoke one: a revoked token is deleted by itself after some time."""
    operations.remove(session, TOKEN, identifier, "revoked", if_match=if_match)
