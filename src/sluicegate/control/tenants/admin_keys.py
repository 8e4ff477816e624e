"""Managers' keys: whoever makes one gives at most what they have themselves, and its secret is shown once."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple, TypedDict

from msgspec.structs import replace

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants.actor import Actor, missing
from sluicegate.control.tenants.organizations import visible as visible_organization
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.domain.issuing import issue, recipe
from sluicegate.domain.tenants import AdminKey, Role, TokenStatus
from sluicegate.store.database import Session

RECIPE = recipe("sk-sg-admin-")
"""A manager's key is told from a caller's token by its beginning."""


class AdminKeyFields(TypedDict, total=False):
    """What can be changed. Role and organisation cannot: whoever needs others makes another key."""

    name: str
    status: TokenStatus
    expires_at: int | None


class IssuedKey(NamedTuple):
    """A new key, and its secret, which is stored nowhere."""

    key: AdminKey
    secret: str


def described(key: AdminKey) -> dict[str, Any]:
    """As the audit log keeps it."""
    return {
        "key_id": key.id,
        "name": key.name,
        "role": key.role,
        "org_id": key.organization_id,
        "status": key.status,
        "expires_at": key.expires_at,
        "prefix": key.prefix,
        "last_four": key.last_four,
    }


def require_may_give(actor: Actor, role: Role, organization_id: str | None) -> None:
    """Refuse a role above the actor's, a bound that does not fit the role, and whatever reaches beyond the actor's own.

    Raises ProblemError 403, 422.
    """
    if not actor.is_at_least(role):
        raise ProblemError(HTTPStatus.FORBIDDEN, f"Nobody can give the role {role!r} who does not have it.")
    if role == "organization_admin" and organization_id is None:
        detail = "An organization admin is the admin of one organization: set org_id."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    if role in ("root", "admin") and organization_id is not None:
        detail = f"The role {role!r} is for all organizations: leave out org_id, or give the role organization_admin."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    if actor.organization_id is not None and organization_id is None:
        detail = "Nobody can give more organizations than they have: set org_id."
        raise ProblemError(HTTPStatus.FORBIDDEN, detail)


async def create(
    tenancy: Tenancy,
    actor: Actor,
    *,
    name: str,
    role: Role,
    organization_id: str | None = None,
    expires_at: int | None = None,
) -> IssuedKey:
    """Make one. `expires_at` in Unix milliseconds. Raises ProblemError 403, 404, 422."""
    require_may_give(actor, role, organization_id)
    issued = issue(tenancy.random, RECIPE)
    async with tenancy.changing(actor) as change:
        if organization_id is not None:
            await visible_organization(change.session, actor, organization_id)
        key = AdminKey(
            id=tenancy.make_id("adm_"),
            digest=issued.digest,
            prefix=issued.prefix,
            last_four=issued.last_four,
            name=name,
            role=role,
            organization_id=organization_id,
            expires_at=expires_at,
            created_at=change.at,
            updated_at=change.at,
        )
        await change.session.admin_keys.add(key)
        await change.audit(
            "admin_key.create",
            target_kind="admin_key",
            target_id=key.id,
            organization_id=organization_id,
            before=None,
            after=described(key),
        )
    return IssuedKey(key, issued.secret)


async def find(tenancy: Tenancy, actor: Actor, key_id: str) -> AdminKey:
    """Return one. Raises ProblemError 404."""
    async with tenancy.database.reading() as session:
        return await _visible(session, actor, key_id)


async def search(
    tenancy: Tenancy,
    actor: Actor,
    *,
    after: str | None,
    limit: int,
    organization_id: str | None = None,
    text: str | None = None,
) -> list[AdminKey]:
    """A page of those the actor may see; `text` is part of the name. Raises ProblemError 404."""
    bound = actor.bounded(organization_id)
    async with tenancy.database.reading() as session:
        return await session.admin_keys.list(after=after, limit=limit, search=text, organization_id=bound)


async def change(
    tenancy: Tenancy, actor: Actor, key_id: str, fields: AdminKeyFields, *, check: Callable[[int], None]
) -> AdminKey:
    """Set some fields. Raises ProblemError 403 for a key that has more, 404, 409 for a revoked one, 412."""
    async with tenancy.changing(actor) as transaction:
        before = await _visible(transaction.session, actor, key_id)
        require_may_give(actor, before.role, before.organization_id)
        check(before.version)
        if before.status == "revoked":
            raise ProblemError(HTTPStatus.CONFLICT, "A revoked key stays revoked: make another one.")
        after = replace(before, **fields, updated_at=transaction.at, version=before.version + 1)
        await transaction.session.admin_keys.update(after)
        await transaction.audit(
            "admin_key.update",
            target_kind="admin_key",
            target_id=key_id,
            organization_id=before.organization_id,
            before=described(before),
            after=described(after),
        )
    return after


async def delete(tenancy: Tenancy, actor: Actor, key_id: str, *, check: Callable[[int], None]) -> None:
    """Delete one: it opens nothing from then on. Raises ProblemError 403, 404, 412."""
    async with tenancy.changing(actor) as transaction:
        before = await _visible(transaction.session, actor, key_id)
        require_may_give(actor, before.role, before.organization_id)
        check(before.version)
        await transaction.session.admin_keys.delete(key_id)
        await transaction.audit(
            "admin_key.delete",
            target_kind="admin_key",
            target_id=key_id,
            organization_id=before.organization_id,
            before=described(before),
            after=None,
        )


async def _visible(session: Session, actor: Actor, key_id: str) -> AdminKey:
    key = await session.admin_keys.get(key_id)
    # A key for all organisations is not there for somebody who is bounded to one.
    if key is None or (actor.organization_id is not None and key.organization_id != actor.organization_id):
        raise missing("admin key", key_id)
    return key
