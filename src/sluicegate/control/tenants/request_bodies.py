"""Who may see which bodies; who has looked is in the audit log."""

from http import HTTPStatus

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.domain.request_bodies import RequestBodies


async def look(tenancy: Tenancy, actor: Actor, request_id: str) -> RequestBodies:
    """Those of one request. Raises ProblemError 404 where they are not kept, not kept any more, or not theirs."""
    async with tenancy.database.reading() as session:
        bodies = await session.request_bodies.get(request_id)
    if bodies is None or not actor.may_see(bodies.organization_id):
        detail = (
            f"No bodies of the request {request_id!r} are kept: they are where request_log.bodies.enabled is true and "
            "the project has a body_share, of requests since then."
        )
        raise ProblemError(HTTPStatus.NOT_FOUND, detail)
    # In the audit log first: where nobody would know of it, nothing is shown.
    async with tenancy.changing(actor) as transaction:
        await transaction.audit(
            "request_bodies.show",
            target_kind="request",
            target_id=request_id,
            organization_id=bodies.organization_id,
            before=None,
            after=None,
        )
    return bodies
