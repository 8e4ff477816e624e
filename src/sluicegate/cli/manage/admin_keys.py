"""`sluicegate manage admin-key`."""

from typing import Annotated

import typer

from sluicegate.cli.manage import operations
from sluicegate.cli.manage.kinds import ADMIN_KEY
from sluicegate.cli.manage.options import (
    After,
    All,
    Expiry,
    Identifier,
    IfMatch,
    Limit,
    Once,
    Search,
    SecretFile,
    Session,
    Status,
    Unset,
    group,
    managing,
)
from sluicegate.cli.manage.values import emptied, given

app = group("Admin keys: what managers present, each with a role.")

_EMPTY = {"expires_at": None}
"""What can be taken away."""

_Organization = Annotated[
    str | None, typer.Option("--organization", metavar="ID", show_default=False, help="The one it is bound to.")
]


@app.command()
@managing
def create(
    session: Session,
    name: Annotated[str, typer.Argument(show_default=False, help="What it is called.")],
    role: Annotated[str, typer.Option("--role", show_default=False, help="root, admin, organization_admin or viewer.")],
    organization: _Organization = None,
    expires_at: Expiry = None,
    secret_file: SecretFile = None,
    once: Once = None,
) -> None:
    """Issue an admin key. It is shown this once."""
    body = given(name=name, role=role.replace("-", "_"), org_id=organization, expires_at=expires_at)
    operations.issue(session, ADMIN_KEY, body, once=once, secret_file=secret_file)


@app.command("list")
@managing
def list_them(
    session: Session,
    organization: _Organization = None,
    search: Search = None,
    after: After = None,
    limit: Limit = None,
    is_all: All = False,
) -> None:
    """List admin keys, oldest first, without their secrets."""
    filters = given(org_id=organization, search=search)
    operations.show_list(session, ADMIN_KEY, filters, after=after, limit=limit, is_all=is_all)


@app.command()
@managing
def show(session: Session, identifier: Identifier) -> None:
    """Show one, without its secret."""
    operations.show(session, ADMIN_KEY, identifier)


@app.command()
@managing
def update(
    session: Session,
    identifier: Identifier,
    name: Annotated[str | None, typer.Option("--name", show_default=False, help="What it is called.")] = None,
    status: Status = None,
    expires_at: Expiry = None,
    unset: Unset = None,
    if_match: IfMatch = None,
) -> None:
    """Change one; role and organisation stay. --unset takes expires-at away."""
    body = given(name=name, status=status, expires_at=expires_at)
    operations.update(session, ADMIN_KEY, identifier, body | emptied(unset or (), _EMPTY, body), if_match=if_match)


@app.command()
@managing
def revoke(session: Session, identifier: Identifier, if_match: IfMatch = None) -> None:
    """Delete one: it opens nothing from then on."""
    operations.remove(session, ADMIN_KEY, identifier, "revoked", if_match=if_match)


@app.command()
@managing
def delete(session: Session, identifier: Identifier, if_match: IfMatch = None) -> None:
    """Delete one: it opens nothing from then on."""
    operations.remove(session, ADMIN_KEY, identifier, "deleted", if_match=if_match)
