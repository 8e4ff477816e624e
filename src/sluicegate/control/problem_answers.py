"""Errors of the management API, as RFC 9457 `application/problem+json`, with the request's id."""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sluicegate.control.problems import GOOGLE_PATHS, REQUEST_ID_HEADER, SDK_PATHS, ProblemError, faults
from sluicegate.dialects.table import DIALECTS
from sluicegate.domain import errors
from sluicegate.wire.headers import CREDENTIAL_NAMES

_SDK_ERRORS: dict[int, type[errors.GatewayError]] = {
    401: errors.CredentialUnknownError,
    403: errors.TokenInactiveError,
    404: errors.ModelUnknownError,
    405: errors.MethodForbiddenError,
    503: errors.ControlUnavailableError,
}
_LONGEST_TOLD = 100
"""Characters that are repeated of what a client sent."""
_CREDENTIALS = ("x-admin-secret", *sorted(name.decode() for name in CREDENTIAL_NAMES))


def answer(request: Request, problem: ProblemError) -> Response:
    """The answer that tells of a problem."""
    if request.url.path.startswith(SDK_PATHS):
        return _answer_for_sdks(request, problem)
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


def is_google(request: Request) -> bool:
    """Whether Google's SDK asks for models: by a path of its own, or with its token as only that SDK sends it."""
    is_its_key = "x-goog-api-key" in request.headers and "authorization" not in request.headers
    return is_its_key or request.url.path.startswith(GOOGLE_PATHS)


def _answer_for_sdks(request: Request, problem: ProblemError) -> Response:
    """The same as the worker itself would say it, of whom clients believe that it is the provider."""
    kind = _SDK_ERRORS.get(problem.status, errors.BadRequestError if problem.status < 500 else errors.InternalError)
    if kind is errors.CredentialUnknownError and not _has_credential(request):
        kind = errors.CredentialMissingError
    name = "gemini" if is_google(request) else "anthropic" if "anthropic-version" in request.headers else "openai"
    body = DIALECTS[name].error_body(kind(problem.detail), request.headers.get(REQUEST_ID_HEADER, ""))
    headers = dict(problem.headers or {})
    if not kind.is_retryable:
        headers["x-should-retry"] = "false"
    return Response(body, problem.status, headers, "application/json")


def _has_credential(request: Request) -> bool:
    # Of `Bearer ` nothing but the scheme is left where the variable that was to follow is empty.
    return any(request.headers.get(name, "").strip().lower() not in {"", "bearer"} for name in _CREDENTIALS)


def _was_not_read(error: RequestValidationError) -> bool:
    """Whether there is a body that FastAPI left as bytes: its content type did not say that it is JSON."""
    return isinstance(error.body, bytes) and len(error.body) > 0


def _no_json(request: Request) -> str:
    sent = request.headers.get("content-type", "")[:_LONGEST_TOLD]
    found = f"The body was sent as {sent}" if sent else "The body was sent without a content type"
    return f"{found}, and is read as JSON only: send it with the header Content-Type: application/json."


def install(application: FastAPI) -> None:
    """Have every error of the application told this way."""

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, ProblemError)
        return answer(request, error)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code in {404, 405} and not _has_credential(request):
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

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        if _was_not_read(error):
            return answer(request, ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _no_json(request)))
        detail = "The request does not have the form this path asks for."
        return answer(request, ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=faults(error.errors())))

    async def on_defect(request: Request, error: Exception) -> Response:
        del error  # It is raised again behind this answer, and logged.
        detail = "This is a defect of the gateway; the request id leads to its log line."
        return answer(request, ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, detail))

    application.add_exception_handler(ProblemError, on_problem)
    application.add_exception_handler(HTTPException, on_http)
    application.add_exception_handler(RequestValidationError, on_invalid)
    application.add_exception_handler(Exception, on_defect)
