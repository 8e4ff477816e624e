"""Managers who log in with a password: whoever makes one gives at most what they have themselves."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypedDict

from msgspec.structs import replace

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants.actor import Actor, missing
from sluicegate.control.tenants.admin_keys import require_may_give
from sluicegate.control.tenants.organizations import visible as visible_organization
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.domain.tenants import Account, Role, Status
from sluicegate.store.database import Session


class AccountFields(TypedDict, total=False):
    """What can be changed. Passwords come as their hash, which is made before a transaction is opened."""

    password_hash: str
    status: Status


def described(account: Account) -> dict[str, Any]:
    """As the audit log keeps it: nothing of the password."""
    return {
        "account_id": account.id,
        "login": account.login,
        "role": account.role,
        "org_id": account.organization_id,
        "status": account.status,
    }


async def create(
    tenancy: Tenancy,
    actor: Actor,
    *,
    login: str,
    password_hash: str,
    role: Role,
    organization_id: str | None = None,
) -> Account:
    """Make one. Raises ProblemError 403, 404, 409 where the login is taken, 422."""
    require_may_give(actor, role, organization_id)
    async with tenancy.changing(actor) as change:
        if organization_id is not None:
            await visible_organization(change.session, actor, organization_id)
        account = Account(
            id=tenancy.make_id("acc_"),
            login=login,
            password_hash=password_hash,
            role=role,
            organization_id=organization_id,
            created_at=change.at,
            updated_at=change.at,
        )
        await change.session.accounts.add(account)
        await change.audit(
            "account.create",
            target_kind="account",
            target_id=account.id,
            organization_id=organization_id,
            before=None,
            after=described(account),
        )
    return account


async def find(tenancy: Tenancy, actor: Actor, account_id: str) -> Account:
    """Return one. Raises ProblemError 404."""
    async with tenancy.database.reading() as session:
        return await _visible(session, actor, account_id)


async def search(
    tenancy: Tenancy, actor: Actor, *, after: str | None, limit: int, text: str | None = None
) -> list[Account]:
    """A page of all; `text` is part of the login. Raises ProblemError 403 for an actor who is bounded."""
    actor.require_all_organizations()
    async with tenancy.database.reading() as session:
        return await session.accounts.list(after=after, limit=limit, search=text)


async def change(
    tenancy: Tenancy, actor: Actor, account_id: str, fields: AccountFields, *, check: Callable[[int], None]
) -> Account:
    """Set some fields. Raises ProblemError 403 where the account has more than the actor, 404, 412."""
    async with tenancy.changing(actor) as transaction:
        before = await _visible(transaction.session, actor, account_id)
        if not is_own(actor, account_id):
            require_may_give(actor, before.role, before.organization_id)
        elif "status" in fields:
            raise ProblemError(HTTPStatus.CONFLICT, "Nobody can suspend themselves: let somebody else do it.")
        check(before.version)
        after = replace(before, **fields, updated_at=transaction.at, version=before.version + 1)
        await transaction.session.accounts.update(after)
        # That the password was changed is told; it must not look as though nothing had been.
        told = {"password": "changed"} if "password_hash" in fields else {}
        await transaction.audit(
            "account.update",
            target_kind="account",
            target_id=account_id,
            organization_id=before.organization_id,
            before=described(before),
            after={**described(after), **told},
        )
    return after


async def delete(tenancy: Tenancy, actor: Actor, account_id: str, *, check: Callable[[int], None]) -> None:
    """Delete one. Raises ProblemError 403, 404, 409 for one's own, 412."""
    if is_own(actor, account_id):
        raise ProblemError(HTTPStatus.CONFLICT, "Nobody can delete themselves: let somebody else do it.")
    async with tenancy.changing(actor) as transaction:
        before = await _visible(transaction.session, actor, account_id)
        require_may_give(actor, before.role, before.organization_id)
        check(before.version)
        await transaction.session.accounts.delete(account_id)
        await transaction.audit(
            "account.delete",
            target_kind="account",
            target_id=account_id,
            organization_id=before.organization_id,
            before=described(before),
            after=None,
        )


def is_own(actor: Actor, account_id: str) -> bool:
    """Whether it is the one the actor logged in with."""
    return actor.kind == "account" and actor.id == account_id


async def _visible(session: Session, actor: Actor, account_id: str) -> Account:
    account = await session.accounts.get(account_id)
    is_foreign = (
        actor.organization_id is not None and account is not None and (account.organization_id != actor.organization_id)
    )
    if account is None or is_foreign:
        raise missing("account", account_id)
    return account
