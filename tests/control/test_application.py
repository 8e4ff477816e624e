"""The management API as a whole."""

import pytest
import structlog
from starlette.types import Receive, Scope, Send

from sluicegate.control.application import LogRequestId, create_application
from sluicegate.control.context import Context
from sluicegate.control.routes.table import ROUTES, Route
from tests.control.asgi import ask

MANAGEMENT = {"authorization": "Bearer management-secret"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_route_is_guarded_as_the_table_says(route: Route, context: Context) -> None:
    """Whoever has the role gets in, whoever has not does not; this covers every route there is."""
    application = create_application(context)
    stranger = ask(application, route.method, route.path)
    assert stranger.status == (200 if route.role == "anyone" else 401)
    assert ask(application, route.method, route.path, MANAGEMENT).status == 200


def test_table_is_complete(context: Context) -> None:
    """The application has no path that is not in the table."""
    paths = {getattr(route, "path", None) for route in create_application(context).routes}
    assert paths == {route.path for route in ROUTES}


def test_every_get_answers_head(context: Context) -> None:
    """HEAD has the headers of GET (RFC 9110 section 9.3.2)."""
    answer = ask(create_application(context), "HEAD", "/")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")


def test_log_lines_of_a_request_have_its_id() -> None:
    """While a request is served, its id is in every log line; afterwards it is not."""
    seen: list[object] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(structlog.contextvars.get_contextvars())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    ask(LogRequestId(inner), "GET", "/", {"x-request-id": "req_1"})
    assert seen == [{"request_id": "req_1"}]
    assert structlog.contextvars.get_contextvars() == {}
