"""`sluicegate manage limit`."""

from typing import Annotated

import typer

from sluicegate.cli.manage import operations
from sluicegate.cli.manage.kinds import LIMIT
from sluicegate.cli.manage.options import After, All, Identifier, IfMatch, Limit, Once, Session, Yes, group, managing
from sluicegate.cli.manage.values import given, number

app = group("Limits of organisations, projects, users and tokens.")

_SCOPE = "organization, project, user or token."
_METRIC = "requests, tokens, usd or concurrency."

_Scope = Annotated[str, typer.Option("--scope", show_default=False, help=_SCOPE)]
_Id = Annotated[str, typer.Option("--scope-id", metavar="ID", show_default=False, help="Whose it is.")]
_Metric = Annotated[str, typer.Option("--metric", show_default=False, help=_METRIC)]
_Window = Annotated[
    str,
    typer.Option(
        "--window",
        show_default=False,
        help="90s, 15m, 5h, 30d, day, month, month@Europe/Berlin or lifetime; lifetime for concurrency.",
    ),
]
_MAXIMUM = "A whole number; of usd, dollars: 12.50."
_Enforcement = Annotated[str | None, typer.Option("--enforcement", show_default=False, help="hard, soft or shadow.")]


@app.command()
@managing
def create(
    session: Session,
    scope: _Scope,
    scope_id: _Id,
    metric: _Metric,
    window: _Window,
    maximum: Annotated[str, typer.Option("--maximum", show_default=False, help=_MAXIMUM)],
    enforcement: _Enforcement = None,
    once: Once = None,
) -> None:
    """Set a limit."""
    body = given(
        scope=scope,
        scope_id=scope_id,
        metric=metric,
        window=window,
        maximum=number(maximum),
        enforcement=enforcement,
    )
    operations.create(session, LIMIT, body, once=once)


@app.command("list")
@managing
def list_them(
    session: Session,
    organization: Annotated[
        str | None, typer.Option("--organization", metavar="ID", show_default=False, help="In this organisation.")
    ] = None,
    scope: Annotated[str | None, typer.Option("--scope", show_default=False, help=_SCOPE)] = None,
    scope_id: Annotated[
        str | None, typer.Option("--scope-id", metavar="ID", show_default=False, help="Whose they are.")
    ] = None,
    metric: Annotated[str | None, typer.Option("--metric", show_default=False, help=_METRIC)] = None,
    after: After = None,
    limit: Limit = None,
    is_all: All = False,
) -> None:
    """List limits that were set, oldest first."""
    filters = given(organization_id=organization, scope=scope, scope_id=scope_id, metric=metric)
    operations.show_list(session, LIMIT, filters, after=after, limit=limit, is_all=is_all)


@app.command()
@managing
def show(session: Session, identifier: Identifier) -> None:
    """Show one."""
    operations.show(session, LIMIT, identifier)


@app.command()
@managing
def update(
    session: Session,
    identifier: Identifier,
    maximum: Annotated[str | None, typer.Option("--maximum", show_default=False, help=_MAXIMUM)] = None,
    enforcement: _Enforcement = None,
    if_match: IfMatch = None,
) -> None:
    """Change maximum or enforcement; what was used stays."""
    body = given(maximum=number(maximum), enforcement=enforcement)
    operations.update(session, LIMIT, identifier, body, if_match=if_match)


@app.command()
@managing
def delete(session: Session, identifier: Identifier, if_match: IfMatch = None) -> None:
    """Take one away."""
    operations.remove(session, LIMIT, identifier, "deleted", if_match=if_match)


@app.command()
@managing
def usage(session: Session, identifier: Identifier) -> None:
    """Show what is used of one now."""
    operations.show_part(session, LIMIT, identifier, "usage")


@app.command()
@managing
def reset(session: Session, identifier: Identifier, yes: Yes = False) -> None:
    """Forget what was used of one in its present window."""
    operations.confirm(f"Forget what was used of limit {identifier}?", is_sure=yes)
    session.display.fields(session.client.ask("POST", f"{operations.below(LIMIT, identifier)}/reset").body)
