"""The management API as a whole."""

import pytest
import structlog
from starlette.types import Receive, Scope, Send

from sluicegate.control.application import LogRequestId, create_application
from sluicegate.control.routes.route import Route
from sluicegate.control.routes.table import ROUTES
from sluicegate.store.errors import StoreUnavailableError, UnstorableError
from tests.control.api import Api
from tests.control.asgi import ask


def test_table_is_complete(api: Api) -> None:
    """The application has no path that is not in the table."""
    paths = {getattr(route, "path", None) for route in api.application.routes}
    assert paths == {route.pattern for route in ROUTES}


def test_every_get_answers_head(api: Api) -> None:
    """HEAD has the headers of GET (RFC 9110 section 9.3.2)."""
    answer = api.ask("HEAD", "/", key=None)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")


def test_nothing_is_kept_by_caches(api: Api) -> None:
    """No answer may be stored on its way, and errors are no exception."""
    for path in ("/", "/admin/tokens", "/nothing"):
        assert api.ask("GET", path).headers["cache-control"] == "no-store"


def test_other_methods_are_told_which_there_are(api: Api) -> None:
    """405 names all methods that the path has in the table, from whichever rows they are."""
    answer = api.ask("PUT", "/admin/tokens/tok_1")
    assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET, HEAD, PATCH")
    assert "PUT is not allowed" in answer.json["detail"]


@pytest.mark.parametrize("host", ["evil.example", "gateway/admin/tokens", "gateway#", "a@b"])
def test_host_never_changes_the_path(host: str, api: Api) -> None:
    """Whatever the Host header says, no redirect and no other route follows from it."""
    for path in ("/admin/tokens/", "//admin/tokens", "/admin//tokens"):
        answer = api.ask("GET", path, headers={"host": host})
        assert (answer.status, "location" in answer.headers) == (404, False)
    created = api.ask("POST", "/manage/projects", body={"name": "x"}, headers={"host": host})
    assert created.headers["location"].startswith("/manage/projects/prj_")
    api.make("POST", "/manage/projects", {"name": "y"})
    assert host not in str(api.ask("GET", "/manage/projects?limit=1", headers={"host": host}).headers)


def test_body_is_not_read_before_it_is_known_who_asks(api: Api) -> None:
    """A stranger's body is not even parsed."""
    assert api.ask("POST", "/admin/tokens", key=None, body=b"{").status == 401


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (StoreUnavailableError("secret host"), 503, "The database does not answer."),
        (UnstorableError("name", "is too long"), 422, "A value cannot be stored."),
    ],
)
def test_errors_of_the_store_are_told(error: Exception, status: int, detail: str, api: Api) -> None:
    """What the store cannot do is a problem like any other."""

    async def fail() -> None:
        raise error

    application = create_application(api.context, (Route("GET", "/fail", "anyone", fail),))
    answer = ask(application, "GET", "/fail")
    assert (answer.status, answer.json["detail"]) == (status, detail)


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
