"""Who may see which requests of the log."""

from msgspec.structs import replace

from sluicegate.control.tenants.actor import Actor, missing
from sluicegate.domain.usage_rows import RequestRow
from sluicegate.store.database import Database
from sluicegate.store.usage.request_search import RequestFilter


async def search(
    database: Database, actor: Actor, wanted: RequestFilter, *, before: str | None, limit: int
) -> list[RequestRow]:
    """A page of the requests the actor may see, newest first, after the request `before`.

    Who is bounded to one organisation sees those of its tokens. Raises ProblemError 404 for a foreign organisation.
    """
    bounded = replace(wanted, organization_id=actor.bounded(wanted.organization_id))
    async with database.reading() as session:
        return await session.request_log.search(bounded, before=before, limit=limit)


async def find(database: Database, actor: Actor, request_id: str) -> RequestRow:
    """One request. Raises ProblemError 404 where it is not there, not there any more, or not theirs."""
    async with database.reading() as session:
        row = await session.request_log.get(request_id)
    if row is None or not actor.may_see(row.organization_id):
        raise missing("request", request_id)
    return row
