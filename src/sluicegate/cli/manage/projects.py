"""`sluicegate manage project`."""

from typing import Annotated, Any

import typer

from sluicegate.cli.manage import operations, provider_keys
from sluicegate.cli.manage.kinds import PROJECT
from sluicegate.cli.manage.options import (
    After,
    All,
    Identifier,
    IfMatch,
    Limit,
    Metadata,
    Once,
    Search,
    Session,
    Status,
    Unset,
    Yes,
    group,
    managing,
)
from sluicegate.cli.manage.values import emptied, given, metadata

app = group("Projects: what tokens belong to, with provider keys of their own.")

_EMPTY: dict[str, Any] = {"description": "", "metadata": {}, "model": None}
"""What can be taken away."""

_Description = Annotated[str | None, typer.Option("--description", show_default=False, help="What it is for.")]
_Organization = Annotated[
    str | None, typer.Option("--organization", metavar="ID", show_default=False, help="The organisation it belongs to.")
]
_Model = Annotated[
    str | None,
    typer.Option("--model", show_default=False, help="Answers every request of its tokens, whatever model it names."),
]
_Share = Annotated[
    float | None,
    typer.Option("--body-share", show_default=False, help="Of its requests, whose bodies are kept: 0 to 1."),
]
_Bytes = Annotated[
    int | None, typer.Option("--body-bytes", show_default=False, help="Most bytes that are kept of each body.")
]


@app.command()
@managing
def create(
    session: Session,
    name: Annotated[str, typer.Argument(show_default=False, help="What it is called.")],
    organization: _Organization = None,
    description: _Description = None,
    model: _Model = None,
    body_share: _Share = None,
    body_bytes: _Bytes = None,
    metadata_json: Metadata = None,
    once: Once = None,
) -> None:
    """Make a project."""
    body = given(
        name=name,
        organization_id=organization,
        description=description,
        model=model,
        body_share=body_share,
        body_bytes=body_bytes,
        metadata=metadata(metadata_json),
    )
    operations.create(session, PROJECT, body, once=once)


@app.command("list")
@managing
def list_them(
    session: Session,
    organization: _Organization = None,
    status: Status = None,
    search: Search = None,
    after: After = None,
    limit: Limit = None,
    is_all: All = False,
) -> None:
    """List projects, oldest first."""
    filters = given(organization_id=organization, status=status, search=search)
    operations.show_list(session, PROJECT, filters, after=after, limit=limit, is_all=is_all)


@app.command()
@managing
def show(session: Session, identifier: Identifier) -> None:
    """Show one."""
    operations.show(session, PROJECT, identifier)


@app.command()
@managing
def update(
    session: Session,
    identifier: Identifier,
    name: Annotated[str | None, typer.Option("--name", show_default=False, help="What it is called.")] = None,
    description: _Description = None,
    status: Status = None,
    model: _Model = None,
    body_share: _Share = None,
    body_bytes: _Bytes = None,
    metadata_json: Metadata = None,
    unset: Unset = None,
    if_match: IfMatch = None,
) -> None:
    """Change one; while it is suspended, all its tokens are refused.

    --unset takes description, metadata or model away.
    """
    body = given(
        name=name,
        description=description,
        status=status,
        model=model,
        body_share=body_share,
        body_bytes=body_bytes,
        metadata=metadata(metadata_json),
    )
    operations.update(session, PROJECT, identifier, body | emptied(unset or (), _EMPTY, body), if_match=if_match)


@app.command()
@managing
def revoke(session: Session, identifier: Identifier, yes: Yes = False) -> None:
    """Revoke all tokens of a project, for good."""
    operations.confirm(f"Revoke all tokens of project {identifier}?", is_sure=yes)
    operations.revoke_all(session, "project_id", identifier)


@app.command()
@managing
def delete(session: Session, identifier: Identifier, yes: Yes = False, if_match: IfMatch = None) -> None:
    """Delete one with its tokens and provider keys."""
    operations.confirm(f"Delete project {identifier} with all its tokens?", is_sure=yes)
    operations.remove(session, PROJECT, identifier, "deleted", if_match=if_match)


app.command("set-key")(provider_keys.set_key)
app.command("keys")(provider_keys.list_keys)
app.command("delete-key")(provider_keys.delete_key)
