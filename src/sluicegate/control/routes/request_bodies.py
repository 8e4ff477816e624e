"""What was sent and answered, of the requests of projects that have it kept; not for those who only look."""

from datetime import datetime

from sluicegate.control.access import Acting
from sluicegate.control.context import Reached
from sluicegate.control.routes.body import Shown, moment
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import request_bodies


class RequestBodiesShown(Shown):
    """The bodies of one request, with `[redacted]` for what must not be kept; `answer` is the text of a stream.

    What is cut is only the beginning.
    """

    request_id: str
    at: datetime
    organization_id: str
    project_id: str
    request: str
    answer: str
    is_request_cut: bool
    is_answer_cut: bool


async def show_bodies(request_id: str, actor: Acting, context: Reached) -> RequestBodiesShown:
    """What was sent and answered, a second or two after it has ended. Whoever looks is in the audit log."""
    bodies = await request_bodies.look(context.tenancy, actor, request_id)
    return RequestBodiesShown(**bodies._asdict() | {"at": moment(bodies.at)})


ROUTES = (
    Route("GET", "/admin/requests/{request_id}/bodies", "organization_admin", show_bodies, 200, RequestBodiesShown),
)
