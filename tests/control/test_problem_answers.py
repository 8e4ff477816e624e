"""Errors of the management API."""

from http import HTTPStatus

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from sluicegate.control import problem_answers
from sluicegate.control.problems import ProblemError
from tests.control.asgi import ask


@pytest.mark.parametrize(("status", "retries"), [(404, "false"), (422, "false"), (503, None), (500, "false")])
def test_what_sdks_ask_for_is_refused_in_their_form(status: int, retries: str | None) -> None:
    """A path of OpenAI's API answers as that API does, and says where it makes no sense to ask again."""
    application = FastAPI()
    problem_answers.install(application)

    async def refuse() -> None:
        raise ProblemError(HTTPStatus(status), "It is so.")

    application.add_api_route("/v1/models/{rest}", refuse, methods=["GET"])
    answer = ask(application, "GET", "/v1/models/a")
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    assert (answer.json["error"]["message"], answer.headers.get("x-should-retry")) == ("It is so.", retries)


@pytest.fixture
def application() -> FastAPI:
    """An application with one path for each way to fail."""
    application = FastAPI()
    problem_answers.install(application)

    async def refuse() -> None:
        raise ProblemError(HTTPStatus.CONFLICT, "It is taken.", errors=[{"path": "name"}], headers={"x-hint": "a"})

    async def expect(number: int) -> int:
        return number

    async def fail() -> None:
        raise ZeroDivisionError("a defect")

    for endpoint in (refuse, expect, fail):
        application.add_api_route(f"/{endpoint.__name__}", endpoint, methods=["GET"])
    return application


@pytest.mark.parametrize(
    ("method", "path", "status", "title", "detail"),
    [
        ("GET", "/refuse", 409, "Conflict", "It is taken."),
        ("GET", "/nothing", 404, "Not Found", "There is nothing at /nothing; GET / lists what there is."),
        ("POST", "/refuse", 405, "Method Not Allowed", "POST is not allowed on /refuse; GET / lists what is."),
        ("GET", "/expect", 422, None, "The request does not have the form this path asks for."),
        ("GET", "/fail", 500, "Internal Server Error", "This is a defect of the gateway; the request id leads to"),
    ],
)
def test_every_error_is_a_problem(
    application: FastAPI, method: str, path: str, status: int, title: str | None, detail: str
) -> None:
    """However a request fails, the answer is problem+json with the request's id (RFC 9457)."""
    answer = ask(application, method, path, {"x-request-id": "req_1", "authorization": "Bearer a"})
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    body = answer.json
    assert (body["status"], body["request_id"], body["type"]) == (status, "req_1", "about:blank")
    assert body["detail"].startswith(detail)
    assert title is None or body["title"] == title


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("POST", "/refuse")])
def test_strangers_learn_nothing(application: FastAPI, method: str, path: str) -> None:
    """Whoever sends no credential is told 401 where others are told 404 and 405; any header for one will do."""
    stranger = ask(application, method, path)
    assert (stranger.status, stranger.headers["www-authenticate"]) == (401, "Bearer")
    for name in ("x-api-key", "api-key", "x-goog-api-key", "x-admin-secret"):
        assert ask(application, method, path, {name: "a"}).status in {404, 405}


def test_problem_carries_faults_and_headers(application: FastAPI) -> None:
    """What the use case adds is in the answer; without a request id the field is empty."""
    answer = ask(application, "GET", "/refuse")
    assert (answer.json["errors"], answer.headers["x-hint"]) == ([{"path": "name"}], "a")
    assert answer.json["request_id"] == ""


def test_allowed_methods_are_told(application: FastAPI) -> None:
    """405 names what is allowed (RFC 9110 section 15.5.6)."""
    assert ask(application, "POST", "/refuse", {"x-api-key": "a"}).headers["allow"] == "GET"


def test_invalid_request_is_told_by_field(application: FastAPI) -> None:
    """What is missing is named, and no value is repeated."""
    assert ask(application, "GET", "/expect").json["errors"] == [{"path": "query.number", "message": "is required"}]


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("application/x-www-form-urlencoded", "The body was sent as application/x-www-form-urlencoded, and"),
        ("text/plain; charset=utf-8", "The body was sent as text/plain; charset=utf-8, and"),
        ("x" * 1_000, f"The body was sent as {'x' * 100}, and"),
        (None, "The body was sent without a content type, and"),
    ],
)
def test_a_body_that_does_not_say_that_it_is_json(sent: str | None, told: str) -> None:
    """415 says what it was taken for, and how to send it, whatever is in it."""
    application = accepting()
    headers = {"x-request-id": "req_1"} | ({} if sent is None else {"content-type": sent})
    answer = ask(application, "POST", "/accept", headers, body=b'{"number": 1}')
    assert (answer.status, answer.headers["content-type"]) == (415, "application/problem+json")
    how = " is read as JSON only: send it with the header Content-Type: application/json."
    assert (answer.json["detail"], answer.json["request_id"]) == (told + how, "req_1")


@pytest.mark.parametrize("body", [b"[1]", b"null", b"{", b"", b'{"number": "1"}'])
def test_a_wrong_body_that_says_so_has_the_wrong_form(body: bytes) -> None:
    """422 is for JSON of the wrong form, for what is none, and for no body at all."""
    for media in ("application/json", "application/merge-patch+json; charset=utf-8"):
        answer = ask(accepting(), "POST", "/accept", {"content-type": media}, body=body)
        assert (answer.status, len(answer.json["errors"])) == (422, 1)
    assert ask(accepting(), "POST", "/accept").status == 422


def accepting() -> FastAPI:
    """An application that takes one form of body."""
    application = FastAPI()
    problem_answers.install(application)

    class Number(BaseModel):
        model_config = ConfigDict(strict=True)
        number: int

    async def accept(body: Number) -> int:
        return body.number

    application.add_api_route("/accept", accept, methods=["POST"])
    return application
