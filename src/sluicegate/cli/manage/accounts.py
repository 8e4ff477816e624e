"""`sluicegate manage account`."""

from typing import Annotated

import typer

from sluicegate.cli.manage import operations
from sluicegate.cli.manage.credential import password
from sluicegate.cli.manage.kinds import ACCOUNT
from sluicegate.cli.manage.options import (
    After,
    All,
    Identifier,
    IfMatch,
    Limit,
    Once,
    Search,
    Session,
    Status,
    group,
    managing,
)
from sluicegate.cli.manage.values import given

app = group("Accounts: managers who log in with a password.")

_Password = Annotated[
    str | None,
    typer.Option(
        "--password",
        metavar="FROM",
        show_default=False,
        help="file:PATH, or - for standard input; else it is asked for at a terminal.",
    ),
]


@app.command()
@managing
def create(
    session: Session,
    login: Annotated[str, typer.Argument(show_default=False, help="What is typed beside the password.")],
    role: Annotated[str, typer.Option("--role", show_default=False, help="root, admin, organization_admin or viewer.")],
    organization: Annotated[
        str | None, typer.Option("--organization", metavar="ID", show_default=False, help="The one it is bound to.")
    ] = None,
    password_from: _Password = None,
    once: Once = None,
) -> None:
    """Make one. Its password has at least 12 characters."""
    body = given(login=login, role=role.replace("-", "_"), org_id=organization, password=password(password_from))
    operations.create(session, ACCOUNT, body, once=once)


@app.command("list")
@managing
def list_them(
    session: Session, search: Search = None, after: After = None, limit: Limit = None, is_all: All = False
) -> None:
    """List accounts, oldest first."""
    operations.show_list(session, ACCOUNT, given(search=search), after=after, limit=limit, is_all=is_all)


@app.command()
@managing
def show(session: Session, identifier: Identifier) -> None:
    """Show one, without its password."""
    operations.show(session, ACCOUNT, identifier)


@app.command()
@managing
def update(session: Session, identifier: Identifier, status: Status = None, if_match: IfMatch = None) -> None:
    """Suspend one, or let it in again; role and organisation stay."""
    operations.update(session, ACCOUNT, identifier, given(status=status), if_match=if_match)


@app.command()
@managing
def set_password(
    session: Session, identifier: Identifier, password_from: _Password = None, if_match: IfMatch = None
) -> None:
    """Give one another password; the one before lets nobody in from then on."""
    operations.update(session, ACCOUNT, identifier, {"password": password(password_from)}, if_match=if_match)


@app.command()
@managing
def delete(session: Session, identifier: Identifier, if_match: IfMatch = None) -> None:
    """Delete one: nobody logs in with it from then on."""
    operations.remove(session, ACCOUNT, identifier, "deleted", if_match=if_match)
