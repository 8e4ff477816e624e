"""`sluicegate manage user`."""

from typing import Annotated, Any

import typer

from sluicegate.cli.manage import operations
from sluicegate.cli.manage.kinds import USER
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

app = group("Users: whom tokens are issued for, with limits of their own.")

_EMPTY: dict[str, Any] = {"name": "", "monthly_limit_usd": None, "metadata": {}}
"""What can be taken away."""

_Organization = Annotated[
    str | None, typer.Option("--organization", metavar="ID", show_default=False, help="The organisation of the user.")
]
_Name = Annotated[str | None, typer.Option("--name", show_default=False, help="What the user is called.")]
_Budget = Annotated[
    str | None,
    typer.Option("--monthly-limit-usd", metavar="USD", show_default=False, help="For a calendar month: 12.50."),
]


@app.command()
@managing
def create(
    session: Session,
    email: Annotated[str, typer.Argument(show_default=False, help="The address that tells users apart.")],
    organization: _Organization = None,
    name: _Name = None,
    status: Status = None,
    monthly_limit_usd: _Budget = None,
    metadata_json: Metadata = None,
    once: Once = None,
) -> None:
    """Make a user."""
    body = given(
        email=email,
        org_id=organization,
        name=name,
        status=status,
        monthly_limit_usd=monthly_limit_usd,
        metadata=metadata(metadata_json),
    )
    operations.create(session, USER, body, once=once)


@app.command("list")
@managing
def list_them(
    session: Session,
    organization: _Organization = None,
    status: Status = None,
    email: Annotated[str | None, typer.Option("--email", show_default=False, help="The whole address.")] = None,
    search: Search = None,
    after: After = None,
    limit: Limit = None,
    is_all: All = False,
) -> None:
    """List users, oldest first."""
    filters = given(org_id=organization, status=status, email=email, search=search)
    operations.show_list(session, USER, filters, after=after, limit=limit, is_all=is_all)


@app.command()
@managing
def show(session: Session, identifier: Identifier) -> None:
    """Show one."""
    operations.show(session, USER, identifier)


@app.command()
@managing
def update(
    session: Session,
    identifier: Identifier,
    email: Annotated[str | None, typer.Option("--email", show_default=False, help="Another address.")] = None,
    name: _Name = None,
    status: Status = None,
    monthly_limit_usd: _Budget = None,
    metadata_json: Metadata = None,
    unset: Unset = None,
    if_match: IfMatch = None,
) -> None:
    """Change one; while a user is suspended, all their keys are refused.

    --unset takes name, monthly-limit-usd or metadata away.
    """
    body = given(
        email=email,
        name=name,
        status=status,
        monthly_limit_usd=monthly_limit_usd,
        metadata=metadata(metadata_json),
    )
    operations.update(session, USER, identifier, body | emptied(unset or (), _EMPTY, body), if_match=if_match)


@app.command()
@managing
def usage(session: Session, identifier: Identifier) -> None:
    """Show what a user has used."""
    path = f"{operations.below(USER, identifier)}/usage"
    session.display.one(USER, session.client.ask("GET", path).body)


@app.command("reset-quota")
@managing
def reset_quota(session: Session, identifier: Identifier) -> None:
    """Count what a user uses from zero again."""
    path = f"{operations.below(USER, identifier)}/reset-quota"
    session.display.one(USER, session.client.ask("POST", path).body)


@app.command()
@managing
def revoke(session: Session, identifier: Identifier, yes: Yes = False) -> None:
    """Revoke all tokens of a user, for good."""
    operations.confirm(f"Revoke all tokens of user {identifier}?", is_sure=yes)
    operations.revoke_all(session, "user_id", identifier)


@app.command()
@managing
def delete(session: Session, identifier: Identifier, yes: Yes = False, if_match: IfMatch = None) -> None:
    """Delete one with all their tokens."""
    operations.confirm(f"Delete user {identifier} with all their tokens?", is_sure=yes)
    operations.remove(session, USER, identifier, "deleted", if_match=if_match)
