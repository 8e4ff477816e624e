"""The metrics, for Prometheus: `/metrics`."""

import asyncio
import hmac

from fastapi import Request, Response

from sluicegate.control.access import bearer, enter
from sluicegate.control.context import Context, Reached
from sluicegate.control.metrics.exposition import OPENMETRICS, TEXT, exposition
from sluicegate.control.metrics.families import families
from sluicegate.control.metrics.sources import Seen
from sluicegate.control.routes.route import Route
from sluicegate.domain.tokens import digest


async def scrape(request: Request, context: Reached) -> Response:
    """All metrics of this node. Raises ProblemError 401, 403 unless they are public.

    Needs the token that is configured for it, or a manager of all organisations.
    """
    await _require_reader(request, context)
    seen = await context.metrics.seen()
    body, media = await asyncio.to_thread(_answer, seen, request.headers.get("accept", ""))
    return Response(body, headers={"content-type": media})


def _answer(seen: Seen, accept: str) -> tuple[bytes, str]:
    """For a thread: workers' questions are not to wait for it."""
    return exposition(families(seen), accept)


async def _require_reader(request: Request, context: Context) -> None:
    current = context.configuration.current
    if current.settings.metrics.public:
        return
    presented = bearer(request)
    expected = current.metrics_digest
    if expected is not None and presented and hmac.compare_digest(digest(presented.encode("latin-1")), expected):
        return
    actor = await enter(request, "viewer")
    # What all of them do is in it, models' names among it.
    actor.require_all_organizations()


ROUTES = (Route("GET", "/metrics", "anyone", scrape, 200, media=(TEXT, OPENMETRICS)),)
