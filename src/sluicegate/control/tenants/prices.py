"""What models cost in one organisation, in place of what they cost elsewhere: set by who manages all organisations."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from sluicegate.control.tenants.actor import Actor, missing
from sluicegate.control.tenants.organizations import visible as visible_organization
from sluicegate.control.tenants.tenancy import Tenancy, Transaction
from sluicegate.domain.pricing import Price
from sluicegate.domain.tenants import PriceOverride
from sluicegate.store.database import Session


def described(override: PriceOverride) -> dict[str, Any]:
    """As the audit log keeps it: amounts in nano-dollars."""
    return {
        "price_id": override.id,
        "organization_id": override.organization_id,
        "provider": override.provider,
        "model": override.model,
        "price": msgspec.to_builtins(override.price),
    }


async def create(
    tenancy: Tenancy, actor: Actor, *, organization_id: str, provider: str, model: str, price: Price
) -> PriceOverride:
    """Make one; its `version` becomes that of the price. Raises ProblemError 404, 409 where the model has one."""
    async with tenancy.changing(actor) as transaction:
        await visible_organization(transaction.session, actor, organization_id)
        identifier = tenancy.make_id("prc_")
        override = PriceOverride(
            id=identifier,
            organization_id=organization_id,
            provider=provider,
            model=model,
            price=replace(price, version=_version(identifier, 1)),
            created_at=transaction.at,
            updated_at=transaction.at,
        )
        await transaction.session.price_overrides.add(override)
        await _told(transaction, "price.create", override, before=None, after=override)
    return override


async def find(tenancy: Tenancy, actor: Actor, price_id: str) -> PriceOverride:
    """Return one. Raises ProblemError 404."""
    async with tenancy.database.reading() as session:
        return await _visible(session, actor, price_id)


async def search(
    tenancy: Tenancy, actor: Actor, *, after: str | None, limit: int, organization_id: str | None = None
) -> list[PriceOverride]:
    """A page of those the actor may see. Raises ProblemError 404 for a foreign organisation."""
    async with tenancy.database.reading() as session:
        bound = actor.bounded(organization_id)
        return await session.price_overrides.list(after=after, limit=limit, organization_id=bound)


async def change(
    tenancy: Tenancy, actor: Actor, price_id: str, price: Price, *, check: Callable[[int], None]
) -> PriceOverride:
    """Set another price, for what is asked from now on. Raises ProblemError 404, 412."""
    async with tenancy.changing(actor) as transaction:
        before = await _visible(transaction.session, actor, price_id)
        check(before.version)
        version = before.version + 1
        after = replace(
            before,
            price=replace(price, version=_version(price_id, version)),
            updated_at=transaction.at,
            version=version,
        )
        await transaction.session.price_overrides.update(after)
        await _told(transaction, "price.update", after, before=before, after=after)
    return after


async def delete(tenancy: Tenancy, actor: Actor, price_id: str, *, check: Callable[[int], None]) -> None:
    """Delete one: the model costs what it costs elsewhere. Raises ProblemError 404, 412."""
    async with tenancy.changing(actor) as transaction:
        before = await _visible(transaction.session, actor, price_id)
        check(before.version)
        await transaction.session.price_overrides.delete(price_id)
        await _told(transaction, "price.delete", before, before=before, after=None)


def _version(price_id: str, version: int) -> str:
    """What records of exchanges name the price by."""
    return f"{price_id}/{version}"


async def _visible(session: Session, actor: Actor, price_id: str) -> PriceOverride:
    override = await session.price_overrides.get(price_id)
    if override is None or not actor.may_see(override.organization_id):
        raise missing("price", price_id)
    return override


async def _told(
    transaction: Transaction,
    action: str,
    override: PriceOverride,
    *,
    before: PriceOverride | None,
    after: PriceOverride | None,
) -> None:
    # Prices are cached by model, not by token: nodes look everything up anew.
    await transaction.forget(None)
    await transaction.audit(
        action,
        target_kind="price",
        target_id=override.id,
        organization_id=override.organization_id,
        before=None if before is None else described(before),
        after=None if after is None else described(after),
    )
