"""Users of an organisation: who may see, make, change, suspend and delete them."""

from collections.abc import Callable
from typing import Any, TypedDict

from msgspec.structs import replace

from sluicegate.control.tenants.actor import Actor, missing
from sluicegate.control.tenants.affected import digests_of
from sluicegate.control.tenants.organizations import visible as visible_organization
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.domain.money import dollars
from sluicegate.domain.tenants import DEFAULT_ORGANIZATION, Status, User
from sluicegate.store.database import Session


class UserFields(TypedDict, total=False):
    """What can be set. Limit in nano-dollars for a calendar month; `email` in lower case."""

    email: str
    name: str
    status: Status
    monthly_limit: int | None
    metadata: dict[str, Any]


def described(user: User) -> dict[str, Any]:
    """As the audit log keeps it."""
    return {
        "user_id": user.id,
        "org_id": user.organization_id,
        "email": user.email,
        "name": user.name,
        "status": user.status,
        "monthly_limit_usd": None if user.monthly_limit is None else dollars(user.monthly_limit),
        "metadata": user.metadata,
    }


def home_of(actor: Actor, organization_id: str | None) -> str:
    """The organisation of something new: the one named, else the actor's own, else the default one."""
    return organization_id or actor.organization_id or DEFAULT_ORGANIZATION


async def create(tenancy: Tenancy, actor: Actor, organization_id: str | None, fields: UserFields) -> User:
    """Make one, in `home_of`. `fields` has at least `email`. Raises ProblemError 404, 409 where the email is taken."""
    home = home_of(actor, organization_id)
    async with tenancy.changing(actor) as change:
        await visible_organization(change.session, actor, home)
        user = User(
            id=tenancy.make_id("usr_"), organization_id=home, created_at=change.at, updated_at=change.at, **fields
        )
        await change.session.users.add(user)
        await change.audit(
            "user.create",
            target_kind="user",
            target_id=user.id,
            organization_id=home,
            before=None,
            after=described(user),
        )
    return user


async def find(tenancy: Tenancy, actor: Actor, user_id: str) -> User:
    """Return one. Raises ProblemError 404."""
    async with tenancy.database.reading() as session:
        return await visible(session, actor, user_id)


async def visible(session: Session, actor: Actor, user_id: str) -> User:
    """Return one, in a transaction of the caller's. Raises ProblemError 404 for an unknown or foreign one."""
    user = await session.users.get(user_id)
    if user is None or not actor.may_see(user.organization_id):
        raise missing("user", user_id)
    return user


async def search(
    tenancy: Tenancy,
    actor: Actor,
    *,
    after: str | None,
    limit: int,
    organization_id: str | None = None,
    status: Status | None = None,
    email: str | None = None,
    text: str | None = None,
) -> list[User]:
    """A page of those the actor may see; `text` is part of email or name.

    Raises ProblemError 404 for an organisation that is unknown or foreign.
    """
    bound = actor.bounded(organization_id)
    async with tenancy.database.reading() as session:
        if organization_id is not None:
            await visible_organization(session, actor, organization_id)
        return await session.users.list(
            after=after,
            limit=limit,
            search=text,
            organization_id=bound,
            status=status,
            email=None if email is None else email.lower(),
        )


async def change(
    tenancy: Tenancy, actor: Actor, user_id: str, fields: UserFields, *, check: Callable[[int], None]
) -> User:
    """Set some fields. `check` is given the stored version and raises where the change is for another one.

    Raises ProblemError 404, 409, 412. Suspending refuses the user's tokens from then on, resuming admits them.
    """
    async with tenancy.changing(actor) as transaction:
        before = await visible(transaction.session, actor, user_id)
        check(before.version)
        after = replace(before, **fields, updated_at=transaction.at, version=before.version + 1)
        await transaction.session.users.update(after)
        if (after.status, after.monthly_limit) != (before.status, before.monthly_limit):
            await transaction.forget(await digests_of(transaction.session, user_id=user_id))
        await transaction.audit(
            "user.update",
            target_kind="user",
            target_id=user_id,
            organization_id=before.organization_id,
            before=described(before),
            after=described(after),
        )
    return after


async def delete(tenancy: Tenancy, actor: Actor, user_id: str, *, check: Callable[[int], None]) -> None:
    """Delete one with all its tokens; the audit log keeps what it was. Raises ProblemError 404, 412."""
    async with tenancy.changing(actor) as transaction:
        before = await visible(transaction.session, actor, user_id)
        check(before.version)
        await transaction.forget(await digests_of(transaction.session, user_id=user_id))
        await transaction.session.users.delete(user_id)
        await transaction.audit(
            "user.delete",
            target_kind="user",
            target_id=user_id,
            organization_id=before.organization_id,
            before=described(before),
            after=None,
        )
