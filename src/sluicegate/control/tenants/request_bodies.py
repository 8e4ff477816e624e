"""Who may see which bodies."""

from sluicegate.control.tenants.actor import Actor, missing
from sluicegate.domain.request_bodies import RequestBodies
from sluicegate.store.database import Database


async def find(database: Database, actor: Actor, request_id: str) -> RequestBodies:
    """Those of one request. Raises ProblemError 404 where they are not kept, not kept any more, or not theirs."""
    async with database.reading() as session:
        bodies = await session.request_bodies.get(request_id)
    if bodies is None or not actor.may_see(bodies.organization_id):
        raise missing("bodies of request", request_id)
    return bodies
