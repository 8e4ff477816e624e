"""How many of everything there are, and whether the database can tell."""

from msgspec import Struct

from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.store.errors import StoreUnavailableError


class Census(Struct, frozen=True):
    """Counts of the whole installation, and the number of its last change."""

    organizations: int
    projects: int
    users: int
    tokens: int
    admin_keys: int
    accounts: int
    last_change: int


async def take(tenancy: Tenancy, actor: Actor) -> Census:
    """Count. Raises ProblemError 403 for an actor who is bounded to one organisation."""
    actor.require_all_organizations()
    async with tenancy.database.reading() as session:
        return Census(
            organizations=await session.organizations.count(),
            projects=await session.projects.count(),
            users=await session.users.count(),
            tokens=await session.tokens.count(),
            admin_keys=await session.admin_keys.count(),
            accounts=await session.accounts.count(),
            last_change=await session.changes.last(),
        )


async def is_reachable(tenancy: Tenancy) -> bool:
    """Whether the database answers a question that costs next to nothing."""
    try:
        async with tenancy.database.reading() as session:
            await session.changes.last()
    except StoreUnavailableError:
        return False
    return True
