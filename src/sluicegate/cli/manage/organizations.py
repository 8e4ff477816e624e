"""`sluicegate manage organization`."""

from typing import Annotated, Any

import typer

from sluicegate.cli.manage import operations
from sluicegate.cli.manage.kinds import ORGANIZATION
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

app = group("Organisations: whom users and projects belong to.")

_EMPTY: dict[str, Any] = {"monthly_budget_usd": None, "fallback_daily_limit": None, "metadata": {}}
"""What can be taken away."""

_Budget = Annotated[
    str | None,
    typer.Option("--monthly-budget-usd", metavar="USD", show_default=False, help="For a calendar month: 12.50."),
]
_Mode = Annotated[
    str | None,
    typer.Option("--failure-mode", show_default=False, help="closed or open: while budgets cannot be checked."),
]
_Fallback = Annotated[
    str | None,
    typer.Option("--fallback-daily-limit", metavar="USD", show_default=False, help="For a day, in failure mode open."),
]
_Zone = Annotated[
    str | None,
    typer.Option("--time-zone", show_default=False, help="Of its months and days: Europe/Berlin."),
]


@app.command()
@managing
def create(
    session: Session,
    name: Annotated[str, typer.Argument(show_default=False, help="What it is called.")],
    status: Status = None,
    monthly_budget_usd: _Budget = None,
    failure_mode: _Mode = None,
    fallback_daily_limit: _Fallback = None,
    time_zone: _Zone = None,
    metadata_json: Metadata = None,
    once: Once = None,
) -> None:
    """Make an organisation."""
    body = given(
        name=name,
        status=status,
        monthly_budget_usd=monthly_budget_usd,
        failure_mode=failure_mode,
        fallback_daily_limit=fallback_daily_limit,
        time_zone=time_zone,
        metadata=metadata(metadata_json),
    )
    operations.create(session, ORGANIZATION, body, once=once)


@app.command("list")
@managing
def list_them(
    session: Session, search: Search = None, after: After = None, limit: Limit = None, is_all: All = False
) -> None:
    """List organisations, oldest first."""
    operations.show_list(session, ORGANIZATION, given(search=search), after=after, limit=limit, is_all=is_all)


@app.command()
@managing
def show(session: Session, identifier: Identifier) -> None:
    """Show one."""
    operations.show(session, ORGANIZATION, identifier)


@app.command()
@managing
def update(
    session: Session,
    identifier: Identifier,
    name: Annotated[str | None, typer.Option("--name", show_default=False, help="What it is called.")] = None,
    status: Status = None,
    monthly_budget_usd: _Budget = None,
    failure_mode: _Mode = None,
    fallback_daily_limit: _Fallback = None,
    time_zone: _Zone = None,
    metadata_json: Metadata = None,
    unset: Unset = None,
    if_match: IfMatch = None,
) -> None:
    """Change one; while it is suspended, all its keys are refused.

    --unset takes monthly-budget-usd, fallback-daily-limit or metadata away.
    """
    body = given(
        name=name,
        status=status,
        monthly_budget_usd=monthly_budget_usd,
        failure_mode=failure_mode,
        fallback_daily_limit=fallback_daily_limit,
        time_zone=time_zone,
        metadata=metadata(metadata_json),
    )
    operations.update(session, ORGANIZATION, identifier, body | emptied(unset or (), _EMPTY, body), if_match=if_match)


@app.command()
@managing
def usage(session: Session, identifier: Identifier) -> None:
    """Show what it has used."""
    path = f"{operations.below(ORGANIZATION, identifier)}/usage"
    session.display.one(ORGANIZATION, session.client.ask("GET", path).body)


@app.command()
@managing
def revoke(session: Session, identifier: Identifier, yes: Yes = False) -> None:
    """Revoke all tokens of an organisation, for good."""
    operations.confirm(f"Revoke all tokens of organisation {identifier}?", is_sure=yes)
    operations.revoke_all(session, "organization_id", identifier)


@app.command()
@managing
def delete(session: Session, identifier: Identifier, yes: Yes = False, if_match: IfMatch = None) -> None:
    """Delete one with everything in it."""
    operations.confirm(f"Delete organisation {identifier} with all its projects, users and tokens?", is_sure=yes)
    operations.remove(session, ORGANIZATION, identifier, "deleted", if_match=if_match)
