"""What users and organisations have used, as far as it is known, and setting a user's counters back."""

from msgspec import Struct

from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.affected import MANY
from sluicegate.control.tenants.organizations import visible as visible_organization
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.control.tenants.users import visible as visible_user
from sluicegate.store.tokens import TokenTotals


class Used(Struct, frozen=True):
    """What all tokens of a user or an organisation were used for together; `limit` in nano-dollars a calendar month."""

    organization_id: str
    limit: int | None
    totals: TokenTotals


async def of_user(tenancy: Tenancy, actor: Actor, user_id: str) -> Used:
    """What a user's tokens were used for. Raises ProblemError 404."""
    async with tenancy.database.reading() as session:
        user = await visible_user(session, actor, user_id)
        totals = await session.tokens.totals(user_id=user_id)
    return Used(user.organization_id, user.monthly_limit, totals)


async def of_organization(tenancy: Tenancy, actor: Actor, organization_id: str) -> Used:
    """What an organisation's tokens were used for. Raises ProblemError 404."""
    async with tenancy.database.reading() as session:
        organization = await visible_organization(session, actor, organization_id)
        totals = await session.tokens.totals(organization_id=organization_id)
    return Used(organization.id, organization.monthly_budget, totals)


async def reset_of_user(tenancy: Tenancy, actor: Actor, user_id: str) -> Used:
    """Set the request counts of a user's tokens to zero. Raises ProblemError 404."""
    async with tenancy.changing(actor) as change:
        user = await visible_user(change.session, actor, user_id)
        before = await change.session.tokens.totals(user_id=user_id)
        digests = await change.session.tokens.reset_requests(user_id=user_id)
        # Workers count on from what they were last told.
        await change.forget(None if len(digests) > MANY else digests)
        after = await change.session.tokens.totals(user_id=user_id)
        await change.audit(
            "user.reset_quota",
            target_kind="user",
            target_id=user_id,
            organization_id=user.organization_id,
            before={"request_count": before.requests},
            after={"request_count": after.requests},
        )
    return Used(user.organization_id, user.monthly_limit, after)
