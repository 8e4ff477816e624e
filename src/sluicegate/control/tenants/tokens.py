"""Tokens: issue them, change what they may do, suspend, rotate, and revoke them for good.

Rule 1. A secret exists in the answer that issues it, and nowhere else.
Rule 2. A revoked token stays revoked: it can be looked at, and nothing more.
Rule 3. A rotated token works on for its overlap; its successor inherits what it may do, and what it has used up.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypedDict

from msgspec import Struct
from msgspec.structs import replace

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import projects
from sluicegate.control.tenants.actor import Actor, missing
from sluicegate.control.tenants.tenancy import Tenancy, Transaction
from sluicegate.domain.issuing import issue
from sluicegate.domain.tenants import DEFAULT_ORGANIZATION, DEFAULT_PROJECT, Token, TokenStatus
from sluicegate.domain.tokens import digest
from sluicegate.store.database import Session


class TokenFields(TypedDict, total=False):
    """What can be set at any time. Times in Unix milliseconds."""

    name: str
    tier: str
    status: TokenStatus
    expires_at: int | None
    idle_seconds: int | None
    max_requests: int | None
    model: str | None
    models: tuple[str, ...]
    paths: tuple[str, ...]
    request_headers: tuple[str, ...]
    tags: tuple[str, ...]
    metadata: dict[str, Any]


class Issued(Struct, frozen=True):
    """A new token and its secret, for the one answer that shows it."""

    token: Token
    secret: str

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"<Issued {self.token.id}>"


def described(token: Token) -> dict[str, Any]:
    """As the audit log keeps it."""
    return {
        "token_id": token.id,
        "token": shown(token),
        "project_id": token.project_id,
        "user_id": token.user_id,
        "name": token.name,
        "tier": token.tier,
        "status": token.status,
        "expires_at": _told(token.expires_at),
        "idle_seconds": token.idle_seconds,
        "retires_at": _told(token.retires_at),
        "replaced_by": token.replaced_by,
        "max_requests": token.max_requests,
        "model": token.model,
        "models": list(token.models),
        "paths": list(token.paths),
        "request_headers": list(token.request_headers),
        "tags": list(token.tags),
        "metadata": token.metadata,
    }


def shown(token: Token) -> str:
    """What may be shown of its secret."""
    return f"{token.prefix}…{token.last_four}"


def withered(token: Token, now: int) -> str | None:
    """Why it may not be used any more, None while it may. `now` is in Unix milliseconds."""
    if token.status != "active":
        return f"it is {token.status}"
    if token.expires_at is not None and token.expires_at <= now:
        return "it has expired"
    if token.retires_at is not None and token.retires_at <= now:
        return "it was replaced by another one"
    last_used = token.last_used_at or token.created_at
    if token.idle_seconds is not None and last_used + token.idle_seconds * 1000 <= now:
        return "it was not used for too long"
    return None


def is_usable(token: Token, now: int) -> bool:
    """Whether it may be used now, as far as its own record tells. `now` is in Unix milliseconds."""
    is_spent = token.max_requests is not None and token.request_count >= token.max_requests
    return withered(token, now) is None and not is_spent


async def visible(session: Session, actor: Actor, token_id: str) -> Token:
    """Return one, in a transaction of the caller's. Raises ProblemError 404 where it is unknown or foreign."""
    token = await session.tokens.get(token_id)
    if token is None or not actor.may_see(token.organization_id):
        raise missing("token", token_id)
    return token


async def find(tenancy: Tenancy, actor: Actor, token_id: str) -> Token:
    """Return one. Raises ProblemError 404."""
    async with tenancy.database.reading() as session:
        return await visible(session, actor, token_id)


async def search(
    tenancy: Tenancy,
    actor: Actor,
    *,
    after: str | None,
    limit: int,
    organization_id: str | None = None,
    project_id: str | None = None,
    user_id: str | None = None,
    status: TokenStatus | None = None,
    text: str | None = None,
) -> list[Token]:
    """A page of those the actor may see; `text` is part of the name. Raises ProblemError 404."""
    bound = actor.bounded(organization_id)
    async with tenancy.database.reading() as session:
        return await session.tokens.list(
            after=after,
            limit=limit,
            search=text,
            organization_id=bound,
            project_id=project_id,
            user_id=user_id,
            status=status,
        )


async def create(
    tenancy: Tenancy,
    actor: Actor,
    fields: TokenFields,
    *,
    project_id: str | None = None,
    user_id: str | None = None,
    lifetime: int | None = None,
) -> Issued:
    """Issue one, for a project, a user, or both; for the default project, if for neither.

    `lifetime` in seconds is another way to say when it expires; the earlier counts.

    Raises ProblemError 404 for an owner that is unknown or foreign, 422 for two of different organisations.
    """
    issued = issue(tenancy.random, tenancy.recipe())
    async with tenancy.changing(actor) as transaction:
        organization_id, project_id = await _owner(transaction, project_id, user_id)
        if lifetime is not None:
            end = transaction.at + lifetime * 1000
            asked = fields.get("expires_at")
            fields = {**fields, "expires_at": end if asked is None else min(asked, end)}
        token = Token(
            id=tenancy.make_id("tok_"),
            digest=issued.digest,
            prefix=issued.prefix,
            last_four=issued.last_four,
            organization_id=organization_id,
            project_id=project_id,
            user_id=user_id,
            created_at=transaction.at,
            updated_at=transaction.at,
            **fields,
        )
        await transaction.session.tokens.add(token)
        # A worker may have been asked for it before it was there.
        await transaction.forget([token.digest])
        await _audit(transaction, "token.create", None, token)
    return Issued(token, issued.secret)


async def change(
    tenancy: Tenancy, actor: Actor, token_id: str, fields: TokenFields, *, check: Callable[[int], None]
) -> Token:
    """Set some fields. `check` is given the stored version and raises where the change is for another one.

    Raises ProblemError 404, 409 for a revoked one, 412.
    """
    async with tenancy.changing(actor) as transaction:
        before = await visible(transaction.session, actor, token_id)
        check(before.version)
        _require_not_revoked(before)
        after = replace(before, **fields, updated_at=transaction.at, version=before.version + 1)
        if before.max_requests is None and after.max_requests is not None:
            # What nothing bounded was not counted for it, but it is to bound all that is made.
            after = replace(after, requests_before=before.request_count)
        await _write(transaction, "token.update", before, after)
    return after


async def set_status(
    tenancy: Tenancy, actor: Actor, token_id: str, status: TokenStatus, *, check: Callable[[int], None]
) -> Token:
    """Suspend, resume or revoke one; nothing happens where it is so already.

    Raises ProblemError 404, 409 for another status of a revoked one, 412.
    """
    async with tenancy.changing(actor) as transaction:
        before = await visible(transaction.session, actor, token_id)
        check(before.version)
        if before.status == status:
            return before
        _require_not_revoked(before)
        after = replace(before, status=status, updated_at=transaction.at, version=before.version + 1)
        action = {"active": "token.resume", "suspended": "token.suspend", "revoked": "token.revoke"}[status]
        await _write(transaction, action, before, after)
    return after


async def revoke_secret(tenancy: Tenancy, actor: Actor, secret: str) -> None:
    """Revoke the token of this secret. Raises ProblemError 404."""
    known = digest(secret.encode())
    async with tenancy.database.reading() as session:
        resolved = (await session.tokens.by_digests([known])).get(known)
    if resolved is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "There is no such token.")
    await set_status(tenancy, actor, resolved.token.id, "revoked", check=_any_version)


async def revoke_all(
    tenancy: Tenancy,
    actor: Actor,
    *,
    project_id: str | None = None,
    user_id: str | None = None,
    organization_id: str | None = None,
) -> int:
    """Revoke all tokens of exactly one owner; return how many. Raises ProblemError 404."""
    async with tenancy.changing(actor) as transaction:
        session = transaction.session
        if project_id is not None:
            kind, owner = "project", project_id
            of = (await projects.visible(session, actor, project_id)).organization_id
            digests = await session.tokens.revoke_all(project_id=project_id)
        elif user_id is not None:
            kind, owner = "user", user_id
            of = await _organization_of_user(session, actor, user_id)
            digests = await session.tokens.revoke_all(user_id=user_id)
        else:
            kind, owner = "organization", str(organization_id)
            of = owner
            if not actor.may_see(owner) or await session.organizations.get(owner) is None:
                raise missing("organization", owner)
            digests = await session.tokens.revoke_all(organization_id=owner)
        await transaction.forget(digests)
        await transaction.audit(
            "token.revoke_all",
            target_kind=kind,
            target_id=owner,
            organization_id=of,
            before=None,
            after={"revoked": len(digests)},
        )
    return len(digests)


async def rotate(
    tenancy: Tenancy, actor: Actor, token_id: str, *, overlap: int, check: Callable[[int], None]
) -> Issued:
    """Replace one by a new one of the same fields; the old one works on for `overlap` seconds.

    Raises ProblemError 404, 409 for one that is revoked or was replaced before, 412.
    """
    issued = issue(tenancy.random, tenancy.recipe())
    async with tenancy.changing(actor) as transaction:
        old = await visible(transaction.session, actor, token_id)
        check(old.version)
        _require_not_revoked(old)
        if old.replaced_by is not None:
            raise ProblemError(HTTPStatus.CONFLICT, f"It was replaced before: rotate {old.replaced_by} instead.")
        new = replace(
            old,
            id=tenancy.make_id("tok_"),
            counted_as=old.account_id,
            digest=issued.digest,
            prefix=issued.prefix,
            last_four=issued.last_four,
            created_at=transaction.at,
            updated_at=transaction.at,
            last_used_at=None,
            version=1,
        )
        await transaction.session.tokens.add(new)
        await _inherit_limits(transaction, tenancy, old, new)
        await _audit(transaction, "token.create", None, new)
        after = replace(
            old,
            status=old.status if overlap else "revoked",
            retires_at=transaction.at + overlap * 1000,
            replaced_by=new.id,
            updated_at=transaction.at,
            version=old.version + 1,
        )
        await _write(transaction, "token.rotate", old, after)
        await transaction.forget([new.digest])
    return Issued(new, issued.secret)


def _told(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat().replace("+00:00", "Z")


def _any_version(version: int) -> None:
    del version


def _require_not_revoked(token: Token) -> None:
    if token.status == "revoked":
        raise ProblemError(HTTPStatus.CONFLICT, f"The token {token.id!r} is revoked, which is for good.")


async def _owner(transaction: Transaction, project_id: str | None, user_id: str | None) -> tuple[str, str | None]:
    """The organisation, and the project after all. Raises ProblemError 404, 422."""
    session, actor = transaction.session, transaction.actor
    if user_id is None:
        if project_id is None and not actor.may_see(DEFAULT_ORGANIZATION):
            detail = "Say which project or user it is for: the default project belongs to another organization."
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
        project = await projects.visible(session, actor, project_id or DEFAULT_PROJECT)
        return project.organization_id, project.id
    organization_id = await _organization_of_user(session, actor, user_id)
    if project_id is not None:
        project = await projects.visible(session, actor, project_id)
        if project.organization_id != organization_id:
            detail = f"The project {project_id!r} and the user {user_id!r} belong to different organizations."
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return organization_id, project_id


async def _organization_of_user(session: Session, actor: Actor, user_id: str) -> str:
    user = await session.users.get(user_id)
    if user is None or not actor.may_see(user.organization_id):
        raise missing("user", user_id)
    return user.organization_id


async def _inherit_limits(transaction: Transaction, tenancy: Tenancy, old: Token, new: Token) -> None:
    """Bound the successor as the old one is. Both have the same accounts: what either uses counts for both."""
    limits = await transaction.session.limits.of_scopes([old.id])
    inherited = [
        replace(
            limit,
            id=tenancy.make_id("lim_"),
            scope_id=new.id,
            created_at=transaction.at,
            updated_at=transaction.at,
            version=1,
        )
        for limit in limits
    ]
    await transaction.session.limits.add_all(inherited)


async def _write(transaction: Transaction, action: str, before: Token, after: Token) -> None:
    await transaction.session.tokens.update(after)
    await transaction.forget([after.digest])
    await _audit(transaction, action, before, after)


async def _audit(transaction: Transaction, action: str, before: Token | None, after: Token) -> None:
    await transaction.audit(
        action,
        target_kind="token",
        target_id=after.id,
        organization_id=after.organization_id,
        before=None if before is None else described(before),
        after=described(after),
    )
