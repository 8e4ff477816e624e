"""Organisations: who may see, make, change and delete them."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypedDict

from msgspec.structs import replace

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants.actor import Actor, missing
from sluicegate.control.tenants.affected import digests_of
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.domain.money import dollars
from sluicegate.domain.tenants import DEFAULT_ORGANIZATION, FailureMode, Organization, Status
from sluicegate.store.database import Session

OPERATORS_FIELDS = frozenset({"status", "monthly_budget", "failure_mode", "fallback_daily_limit", "time_zone"})
"""What bounds an organisation: its own admins may not loosen it."""


class OrganizationFields(TypedDict, total=False):
    """What can be set. Budget and `fallback_daily_limit` in nano-dollars."""

    name: str
    status: Status
    monthly_budget: int | None
    failure_mode: FailureMode
    fallback_daily_limit: int | None
    time_zone: str
    metadata: dict[str, Any]


def described(organization: Organization) -> dict[str, Any]:
    """As the audit log keeps it."""
    budget, fallback = organization.monthly_budget, organization.fallback_daily_limit
    return {
        "org_id": organization.id,
        "name": organization.name,
        "status": organization.status,
        "monthly_budget_usd": None if budget is None else dollars(budget),
        "failure_mode": organization.failure_mode,
        "fallback_daily_limit": None if fallback is None else dollars(fallback),
        "time_zone": organization.time_zone,
        "metadata": organization.metadata,
    }


async def create(tenancy: Tenancy, actor: Actor, fields: OrganizationFields) -> Organization:
    """Make one. `fields` has at least `name`. Raises ProblemError 403 for an actor who is bounded to one."""
    actor.require_all_organizations()
    async with tenancy.changing(actor) as change:
        organization = Organization(id=tenancy.make_id("org_"), created_at=change.at, updated_at=change.at, **fields)
        await change.session.organizations.add(organization)
        await change.audit(
            "organization.create",
            target_kind="organization",
            target_id=organization.id,
            organization_id=organization.id,
            before=None,
            after=described(organization),
        )
    return organization


async def find(tenancy: Tenancy, actor: Actor, organization_id: str) -> Organization:
    """Return one. Raises ProblemError 404."""
    async with tenancy.database.reading() as session:
        return await visible(session, actor, organization_id)


async def visible(session: Session, actor: Actor, organization_id: str) -> Organization:
    """Return one, in a transaction of the caller's. Raises ProblemError 404 for an unknown or foreign one."""
    organization = await session.organizations.get(organization_id) if actor.may_see(organization_id) else None
    if organization is None:
        raise missing("organization", organization_id)
    return organization


async def search(
    tenancy: Tenancy, actor: Actor, *, after: str | None, limit: int, text: str | None
) -> list[Organization]:
    """A page of those the actor may see; `text` is part of the name."""
    async with tenancy.database.reading() as session:
        if actor.organization_id is None:
            return await session.organizations.list(after=after, limit=limit, search=text)
        own = await session.organizations.get(actor.organization_id)
    if own is None or (after is not None and own.id <= after) or (text or "").casefold() not in own.name.casefold():
        return []
    return [own]


async def change(
    tenancy: Tenancy,
    actor: Actor,
    organization_id: str,
    fields: OrganizationFields,
    *,
    check: Callable[[int], None],
) -> Organization:
    """Set some fields. `check` is given the stored version and raises where the change is for another one.

    Raises ProblemError 403 for what only managers of all organisations may set, 404, 412.
    """
    async with tenancy.changing(actor) as transaction:
        before = await visible(transaction.session, actor, organization_id)
        if actor.organization_id is not None and (forbidden := sorted(OPERATORS_FIELDS & fields.keys())):
            detail = f"Only managers of all organizations may set {', '.join(forbidden)}."
            raise ProblemError(HTTPStatus.FORBIDDEN, detail)
        check(before.version)
        after = replace(before, **fields, updated_at=transaction.at, version=before.version + 1)
        await transaction.session.organizations.update(after)
        if any(getattr(after, name) != getattr(before, name) for name in OPERATORS_FIELDS):
            await transaction.forget(await digests_of(transaction.session, organization_id=organization_id))
        await transaction.audit(
            "organization.update",
            target_kind="organization",
            target_id=organization_id,
            organization_id=organization_id,
            before=described(before),
            after=described(after),
        )
    return after


async def delete(tenancy: Tenancy, actor: Actor, organization_id: str, *, check: Callable[[int], None]) -> None:
    """Delete it with all projects, users, tokens and keys in it. Raises ProblemError 403, 404, 409, 412."""
    actor.require_all_organizations()
    if organization_id == DEFAULT_ORGANIZATION:
        raise ProblemError(HTTPStatus.CONFLICT, "The default organization is always there; it can be suspended.")
    async with tenancy.changing(actor) as transaction:
        before = await visible(transaction.session, actor, organization_id)
        check(before.version)
        await transaction.forget(await digests_of(transaction.session, organization_id=organization_id))
        await transaction.session.organizations.delete(organization_id)
        await transaction.audit(
            "organization.delete",
            target_kind="organization",
            target_id=organization_id,
            organization_id=organization_id,
            before=described(before),
            after=None,
        )
