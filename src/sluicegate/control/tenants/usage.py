"""What users and organisations have used, and setting a user's counters back."""

from collections.abc import AsyncIterator, Sequence

from msgspec import Struct

from sluicegate.control.tenants import bounds
from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.affected import MANY
from sluicegate.control.tenants.consumption import Recent, recent
from sluicegate.control.tenants.limits import amount_of, measured
from sluicegate.control.tenants.organizations import visible as visible_organization
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.control.tenants.users import visible as visible_user
from sluicegate.domain.default_limits import Defaults
from sluicegate.domain.leases import Reset
from sluicegate.domain.limits import Limit
from sluicegate.domain.tenants import User
from sluicegate.ledger.interface import Ledger
from sluicegate.store.database import Session
from sluicegate.store.tokens import TokenTotals

RESETS_AT_ONCE = 500


class Used(Struct, frozen=True):
    """What all tokens of a user or an organisation were used for together.

    `limit` and `spent` are nano-dollars of a calendar month; None where no limit bounds what is spent in it.
    `lately` is what it was in the last days, bounded or not.
    """

    organization_id: str
    limit: int | None
    spent: int | None
    totals: TokenTotals
    lately: Recent

    @property
    def remaining(self) -> int | None:
        """What is left of the limit."""
        return None if self.limit is None or self.spent is None else max(self.limit - self.spent, 0)


async def of_user(tenancy: Tenancy, ledger: Ledger, actor: Actor, user_id: str, defaults: Defaults) -> Used:
    """What a user's tokens were used for. Raises ProblemError 404, LedgerUnavailableError."""
    async with tenancy.database.reading() as session:
        user = await visible_user(session, actor, user_id)
        limits = await _limits_of_user(session, user, defaults)
        totals = await session.tokens.totals(user_id=user_id)
        lately = await recent(session, "user", user_id, now=tenancy.now())
    return await _used(ledger, user.organization_id, limits, totals, lately)


async def of_organization(
    tenancy: Tenancy, ledger: Ledger, actor: Actor, organization_id: str, defaults: Defaults
) -> Used:
    """What an organisation's tokens were used for. Raises ProblemError 404, LedgerUnavailableError."""
    async with tenancy.database.reading() as session:
        organization = await visible_organization(session, actor, organization_id)
        explicit = await bounds.explicit_of_scopes(session, [organization_id])
        totals = await session.tokens.totals(organization_id=organization_id)
        lately = await recent(session, "organization", organization_id, now=tenancy.now())
    limits = bounds.organization_limits(
        organization_id,
        organization.monthly_budget,
        organization.time_zone,
        explicit=explicit,
        defaults=defaults,
    )
    return await _used(ledger, organization_id, limits, totals, lately)


async def reset_of_user(tenancy: Tenancy, ledger: Ledger, actor: Actor, user_id: str, defaults: Defaults) -> Used:
    """Forget what was used of a user's own limits in their present windows, and all requests of the user's tokens.

    Raises ProblemError 404, LedgerUnavailableError.
    """
    async with tenancy.database.reading() as session:
        user = await visible_user(session, actor, user_id)
        limits = await _limits_of_user(session, user, defaults)
        accounts = [limit.account async for limit in _request_limits(session, user_id)]
    # Looked at before anything is written: where the ledger is away, nothing happens at all.
    balances = await ledger.look([limit.account for limit in limits])
    async with tenancy.changing(actor) as change:
        before = await change.session.tokens.totals(user_id=user_id)
        digests = await change.session.tokens.reset_requests(user_id=user_id)
        await change.forget(None if len(digests) > MANY else digests)
        after = await change.session.tokens.totals(user_id=user_id)
        lately = await recent(change.session, "user", user_id, now=tenancy.now())
        used = {
            limit.account: amount_of(limit.metric, balance.used)
            for limit, balance in zip(limits, balances, strict=True)
        }
        await change.audit(
            "user.reset_quota",
            target_kind="user",
            target_id=user_id,
            organization_id=user.organization_id,
            before={"request_count": before.requests, "used": used},
            after={"request_count": after.requests, "used": dict.fromkeys(used, 0)},
        )
    # Behind the transaction: on SQLite the ledger writes the same file.
    await _forget(ledger, [*(limit.account for limit in limits), *accounts])
    return await _used(ledger, user.organization_id, limits, after, lately)


async def _forget(ledger: Ledger, accounts: Sequence[str]) -> None:
    for start in range(0, len(accounts), RESETS_AT_ONCE):
        await ledger.apply([Reset(account) for account in accounts[start : start + RESETS_AT_ONCE]])


async def _request_limits(session: Session, user_id: str) -> AsyncIterator[Limit]:
    """What `max_requests` of each of a user's tokens means."""
    async for token in session.tokens.iterate(user_id=user_id):
        limit = bounds.requests_limit(token)
        if limit is not None:
            yield limit


async def _limits_of_user(session: Session, user: User, defaults: Defaults) -> tuple[Limit, ...]:
    organization = await session.organizations.get(user.organization_id)
    time_zone = "UTC" if organization is None else organization.time_zone
    explicit = await bounds.explicit_of_scopes(session, [user.id])
    return bounds.user_limits(user.id, user.monthly_limit, time_zone, explicit=explicit, defaults=defaults)


async def _used(
    ledger: Ledger, organization_id: str, limits: Sequence[Limit], totals: TokenTotals, lately: Recent
) -> Used:
    budget = bounds.monthly_budget_of(limits)
    if budget is None:
        return Used(organization_id, None, None, totals, lately)
    (found,) = await measured(ledger, [budget])
    return Used(organization_id, budget.maximum, found.balance.used, totals, lately)
