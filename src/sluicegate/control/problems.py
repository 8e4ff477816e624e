"""Errors of the management API, as RFC 9457 `application/problem+json`, with the request's id."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sluicegate.wire.headers import CREDENTIAL_NAMES

REQUEST_ID_HEADER = "x-request-id"
"""Set by the worker that forwards the request; its answer to the client carries the same."""

_CREDENTIALS = ("x-admin-secret", *sorted(name.decode() for name in CREDENTIAL_NAMES))


class ProblemError(Exception):
    """A use case refuses: status, what is wrong and how to fix it, and, where there are several faults, each."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: Sequence[dict[str, Any]] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        """`errors` are shown as they are; `headers` go into the answer."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.headers = headers


def invalid(field: str, message: str) -> ProblemError:
    """422 for one field of a body; `message` begins with a verb."""
    errors = [{"path": f"body.{field}", "message": message}]
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field} {message}.", errors=errors)


def answer(request: Request, problem: ProblemError) -> JSONResponse:
    """The answer that tells of a problem."""
    body = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": problem.status.value,
        "detail": problem.detail,
        "request_id": request.headers.get(REQUEST_ID_HEADER, ""),
        "errors": problem.errors,
    }
    return JSONResponse(
        body, status_code=problem.status, headers=problem.headers, media_type="application/problem+json"
    )


def install(application: FastAPI) -> None:
    """Have every error of the application told this way."""

    async def on_problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ProblemError)
        return answer(request, error)

    async def on_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        if error.status_code in {404, 405} and not any(request.headers.get(name) for name in _CREDENTIALS):
            # As on the providers' paths: strangers learn nothing about what exists.
            detail = "No credential was sent: use the header Authorization: Bearer …"
            challenge = {"www-authenticate": "Bearer"}
            return answer(request, ProblemError(HTTPStatus.UNAUTHORIZED, detail, headers=challenge))
        detail = {
            404: f"There is nothing at {request.url.path}; GET / lists what there is.",
            405: f"{request.method} is not allowed on {request.url.path}; GET / lists what is.",
        }.get(error.status_code, str(error.detail))
        headers = dict(error.headers) if error.headers else None
        return answer(request, ProblemError(HTTPStatus(error.status_code), detail, headers=headers))

    async def on_invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        # Without the input: it may hold a secret that was put into the wrong field.
        errors = [{"path": ".".join(map(str, one["loc"])), "message": one["msg"]} for one in error.errors()]
        detail = "The request does not have the form this path asks for."
        return answer(request, ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors))

    async def on_defect(request: Request, error: Exception) -> JSONResponse:
        del error  # It is raised again behind this answer, and logged.
        detail = "This is a defect of the gateway; the request id leads to its log line."
        return answer(request, ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, detail))

    application.add_exception_handler(ProblemError, on_problem)
    application.add_exception_handler(HTTPException, on_http)
    application.add_exception_handler(RequestValidationError, on_invalid)
    application.add_exception_handler(Exception, on_defect)
