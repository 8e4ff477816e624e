"""Who a route is explained for: a token by its id or its secret, or a user, with what they may and may not do."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from sluicegate.control.tenants import tokens, users
from sluicegate.control.tenants.actor import Actor, missing
from sluicegate.control.tenants.declared import said_of
from sluicegate.control.tenants.own_key import refusal_of
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.control.token_directory import Declared
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from sluicegate.store.tokens import ResolvedToken


class Caller(Struct, frozen=True):
    """Somebody who could ask. Empty `models` and `paths` allow all; `refusal` says why nothing is answered at all."""

    kind: Literal["token", "user"]
    id: str
    name: str = ""
    model: str | None = None
    """What every request is answered by, and whose setting that is."""
    model_of: Literal["token", "project"] | None = None
    models: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    refusal: str | None = None


async def by_id(tenancy: Tenancy, actor: Actor, declared: Iterable[Principal], token_id: str) -> Caller:
    """A token that a file declares, or one of the database. Raises ProblemError 404 for an unknown or foreign one."""
    principal = next((one for one in declared if one.token_id == token_id), None)
    if principal is not None and actor.may_see(principal.organization_id):
        return await _declared(tenancy, principal)
    token = await tokens.find(tenancy, actor, token_id)
    found = await _stored(tenancy, token.digest)
    if found is None:
        raise missing("token", token_id)
    return _issued(found, tenancy.now())


async def by_secret(tenancy: Tenancy, actor: Actor, declared: Sequence[Declared], secret: str) -> Caller | None:
    """The token that this is; None where there is none, or it is of an organisation that the actor does not see."""
    key = digest(secret.encode())
    principal = next(filter(None, (directory.get(key) for directory in declared)), None)
    if principal is not None:
        return await _declared(tenancy, principal) if actor.may_see(principal.organization_id) else None
    found = await _stored(tenancy, key)
    if found is None or not actor.may_see(found.token.organization_id):
        return None
    return _issued(found, tenancy.now())


async def by_user(tenancy: Tenancy, actor: Actor, user_id: str) -> Caller:
    """A user, with a token that is bound to nothing. Raises ProblemError 404 for an unknown or foreign one."""
    user = await users.find(tenancy, actor, user_id)
    return Caller("user", user.id, user.name, refusal=None if user.status == "active" else f"it is {user.status}")


async def _stored(tenancy: Tenancy, key: bytes) -> ResolvedToken | None:
    async with tenancy.database.reading() as session:
        return (await session.tokens.by_digests([key])).get(key)


def _issued(found: ResolvedToken, now: int) -> Caller:
    token = found.token
    own: Literal["token", "project"] | None = "token" if token.model is not None else "project"
    return Caller(
        "token",
        token.id,
        token.name,
        model=found.model,
        model_of=None if found.model is None else own,
        models=token.models,
        paths=token.paths,
        refusal=refusal_of(found, now),
    )


async def _declared(tenancy: Tenancy, principal: Principal) -> Caller:
    refusal = None if principal.is_active else "it is suspended"
    if principal.expires_at is not None and principal.expires_at * 1000 <= tenancy.now():
        refusal = f"it has expired at {datetime.fromtimestamp(principal.expires_at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    async with tenancy.database.reading() as session:
        model = (await said_of(session, [principal]))[0].of(principal).model
    own: Literal["token", "project"] = "token" if principal.model is not None else "project"
    return Caller(
        "token",
        principal.token_id,
        principal.name,
        model=model,
        model_of=None if model is None else own,
        models=principal.models,
        paths=principal.paths,
        refusal=refusal,
    )
