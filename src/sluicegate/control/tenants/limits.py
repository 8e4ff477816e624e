"""Limits that managers set on organisations, projects, users and tokens, and setting back what was used of them.

Rule 1. What bounds an organisation is set by managers of all organisations only, as its budget is.
Rule 2. Of a limit its maximum and enforcement can be changed: whom, what and when it counts is what its use belongs to.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypedDict

from msgspec import Struct
from msgspec.structs import replace

from sluicegate.control.problems import ProblemError, invalid
from sluicegate.control.tenants import bounds
from sluicegate.control.tenants.actor import Actor, missing
from sluicegate.control.tenants.affected import digests_of
from sluicegate.control.tenants.organizations import visible as visible_organization
from sluicegate.control.tenants.projects import visible as visible_project
from sluicegate.control.tenants.tenancy import Tenancy, Transaction
from sluicegate.control.tenants.tokens import visible as visible_token
from sluicegate.control.tenants.users import visible as visible_user
from sluicegate.domain import windows
from sluicegate.domain.leases import Balance, Reset
from sluicegate.domain.limits import (
    Calendar,
    Enforcement,
    Lifetime,
    Limit,
    Metric,
    Scope,
    Window,
    WindowError,
    window_of,
    window_text,
)
from sluicegate.domain.money import dollars
from sluicegate.domain.owner_marks import mark_of
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import LimitRecord
from sluicegate.ledger.interface import Ledger
from sluicegate.store.database import Session


class LimitFields(TypedDict, total=False):
    """What can be changed. A maximum of usd in nano-dollars."""

    maximum: int
    enforcement: Enforcement


class Measured(Struct, frozen=True):
    """A limit, and what is used of it now."""

    limit: Limit
    balance: Balance


def amount_of(metric: Metric, amount: int) -> float:
    """An amount as an API shows it: dollars of usd, else the number."""
    return dollars(amount) if metric == "usd" else amount


def described(limit: LimitRecord) -> dict[str, Any]:
    """As the audit log keeps it."""
    return {
        "limit_id": limit.id,
        "organization_id": limit.organization_id,
        "scope": limit.scope,
        "scope_id": limit.scope_id,
        "metric": limit.metric,
        "window": limit.window,
        "maximum": amount_of(limit.metric, limit.maximum),
        "enforcement": limit.enforcement,
    }


async def create(
    tenancy: Tenancy,
    actor: Actor,
    *,
    scope: Scope,
    scope_id: str,
    metric: Metric,
    window: str,
    maximum: int,
    enforcement: Enforcement = "hard",
) -> LimitRecord:
    """Make one. A day or month without a time zone is the organisation's.

    Raises ProblemError 403 where it is not for this manager to set, 404, 409 where there is one on the same metric and
    window, 422 for what is no window.
    """
    read = _window(metric, window)
    async with tenancy.changing(actor) as transaction:
        organization_id = await _organization_of(transaction.session, actor, scope, scope_id, tenancy.declared)
        _require_may_set(actor, scope)
        if isinstance(read, Calendar) and "@" not in window:
            organization = await visible_organization(transaction.session, actor, organization_id)
            read = Calendar(read.unit, organization.time_zone)
        limit = LimitRecord(
            id=tenancy.make_id("lim_"),
            organization_id=organization_id,
            scope=scope,
            scope_id=scope_id,
            metric=metric,
            window=window_text(read),
            maximum=maximum,
            enforcement=enforcement,
            created_at=transaction.at,
            updated_at=transaction.at,
        )
        await transaction.session.limits.add(limit)
        await _told(transaction, "limit.create", limit, before=None, after=limit)
    return limit


async def find(tenancy: Tenancy, actor: Actor, limit_id: str) -> LimitRecord:
    """Return one. Raises ProblemError 404."""
    async with tenancy.database.reading() as session:
        return await _visible(session, actor, limit_id)


async def search(
    tenancy: Tenancy,
    actor: Actor,
    *,
    after: str | None,
    limit: int,
    organization_id: str | None = None,
    scope: Scope | None = None,
    scope_id: str | None = None,
    metric: Metric | None = None,
) -> list[LimitRecord]:
    """A page of those the actor may see. Raises ProblemError 404 for a foreign organisation."""
    async with tenancy.database.reading() as session:
        return await session.limits.list(
            after=after,
            limit=limit,
            organization_id=actor.bounded(organization_id),
            scope=scope,
            scope_id=scope_id,
            metric=metric,
        )


async def change(
    tenancy: Tenancy,
    actor: Actor,
    limit_id: str,
    fields: Callable[[LimitRecord], LimitFields],
    *,
    check: Callable[[int], None],
) -> LimitRecord:
    """Set what `fields` says of the limit as it is; its use stays.

    `check` is given the stored version and raises where the change is for another one. Raises ProblemError 403, 404,
    412, and what `fields` raises.
    """
    async with tenancy.changing(actor) as transaction:
        before = await _visible(transaction.session, actor, limit_id)
        _require_may_set(actor, before.scope)
        check(before.version)
        after = replace(before, **fields(before), updated_at=transaction.at, version=before.version + 1)
        await transaction.session.limits.update(after)
        await _told(transaction, "limit.update", before, before=before, after=after)
    return after


async def delete(tenancy: Tenancy, actor: Actor, limit_id: str, *, check: Callable[[int], None]) -> None:
    """Delete one. What was used of it is kept for as long as it counts. Raises ProblemError 403, 404, 412."""
    async with tenancy.changing(actor) as transaction:
        before = await _visible(transaction.session, actor, limit_id)
        _require_may_set(actor, before.scope)
        check(before.version)
        await transaction.session.limits.delete(limit_id)
        await _told(transaction, "limit.delete", before, before=before, after=None)


async def usage(tenancy: Tenancy, ledger: Ledger, actor: Actor, limit_id: str) -> Measured:
    """What is used of one now. Raises ProblemError 404, LedgerUnavailableError."""
    async with tenancy.database.reading() as session:
        limit = await _counted(session, await _visible(session, actor, limit_id))
    return (await measured(ledger, [limit]))[0]


async def reset(tenancy: Tenancy, ledger: Ledger, actor: Actor, limit_id: str) -> Measured:
    """Forget what was used of one in its present window. Raises ProblemError 403, 404, LedgerUnavailableError."""
    async with tenancy.database.reading() as session:
        record = await _visible(session, actor, limit_id)
        _require_may_set(actor, record.scope)
        limit = await _counted(session, record)
    # Looked at before anything is written: where the ledger is away, nothing happens at all.
    before = (await measured(ledger, [limit]))[0]
    # In the audit log first: what is there may not have happened, but nothing happens that is not there. And not
    # within the transaction: on SQLite the ledger writes the same file.
    async with tenancy.changing(actor) as transaction:
        await transaction.audit(
            "limit.reset",
            target_kind="limit",
            target_id=limit_id,
            organization_id=record.organization_id,
            before={**described(record), "used": amount_of(limit.metric, before.balance.used)},
            after={**described(record), "used": 0},
        )
    await ledger.apply([Reset(limit.account)])
    return (await measured(ledger, [limit]))[0]


async def measured(ledger: Ledger, limits: list[Limit]) -> list[Measured]:
    """What is used of these limits now. Raises LedgerUnavailableError."""
    balances = await ledger.look([limit.account for limit in limits]) if limits else []
    return [Measured(limit, balance) for limit, balance in zip(limits, balances, strict=True)]


def _window(metric: Metric, text: str) -> Window:
    """Raises ProblemError 422."""
    try:
        window = window_of(text)
        windows.check(window)
    except WindowError as error:
        raise invalid("window", str(error)) from None
    if metric == "concurrency" and not isinstance(window, Lifetime):
        raise invalid("window", "must be lifetime for concurrency, which is counted at the moment only")
    return window


def _require_may_set(actor: Actor, scope: Scope) -> None:
    if scope == "organization" and actor.organization_id is not None:
        detail = "Only managers of all organizations may set what bounds an organization."
        raise ProblemError(HTTPStatus.FORBIDDEN, detail)


async def _organization_of(
    session: Session, actor: Actor, scope: Scope, scope_id: str, declared: Callable[[str], Principal | None]
) -> str:
    """Whose a limit is. Raises ProblemError 404; of a declared token also where its organisation is not in the
    database."""
    match scope:
        case "organization":
            return (await visible_organization(session, actor, scope_id)).id
        case "project":
            return (await visible_project(session, actor, scope_id)).organization_id
        case "user":
            return (await visible_user(session, actor, scope_id)).organization_id
        case "token":
            principal = declared(scope_id)
            if principal is not None and actor.may_see(principal.organization_id):
                return (await visible_organization(session, actor, principal.organization_id)).id
            return (await visible_token(session, actor, scope_id)).organization_id


async def _visible(session: Session, actor: Actor, limit_id: str) -> LimitRecord:
    limit = await session.limits.get(limit_id)
    if limit is None or not actor.may_see(limit.organization_id):
        raise missing("limit", limit_id)
    return limit


async def _counted(session: Session, record: LimitRecord) -> Limit:
    """The limit with the account that it is counted on: of a token that was rotated, that of the first of its line."""
    token = await session.tokens.get(record.scope_id) if record.scope == "token" else None
    return bounds.limit_of(record, None if token is None else token.account_id)


async def _told(
    transaction: Transaction, action: str, limit: LimitRecord, *, before: LimitRecord | None, after: LimitRecord | None
) -> None:
    """Tell the workers whose tokens it bounds, and the audit log."""
    await transaction.forget(await _digests(transaction.session, limit))
    await transaction.audit(
        action,
        target_kind="limit",
        target_id=limit.id,
        organization_id=limit.organization_id,
        before=None if before is None else described(before),
        after=None if after is None else described(after),
    )


async def _digests(session: Session, limit: LimitRecord) -> list[bytes] | None:
    match limit.scope:
        case "organization":
            return await digests_of(session, organization_id=limit.scope_id)
        case "project":
            return await digests_of(session, project_id=limit.scope_id)
        case "user":
            return await digests_of(session, user_id=limit.scope_id)
        case "token":
            token = await session.tokens.get(limit.scope_id)
            return [mark_of(limit.scope_id) if token is None else token.digest]
