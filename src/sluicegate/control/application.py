"""The management API as an ASGI application."""

from collections.abc import Callable, Coroutine, Iterable
from copy import copy
from functools import cache, partial
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sluicegate import __version__
from sluicegate.control import openapi, problem_answers
from sluicegate.control.access import guard
from sluicegate.control.context import Context
from sluicegate.control.problems import REQUEST_ID_HEADER, ProblemError
from sluicegate.control.query import known_names, refuse_unknown
from sluicegate.control.routes.idempotency import once
from sluicegate.control.routes.route import Route
from sluicegate.control.routes.table import ROUTES
from sluicegate.ledger.interface import LedgerUnavailableError
from sluicegate.store.errors import StoreUnavailableError, UnstorableError


class LogRequestId:
    """Gives every log line written while a request is served that request's id."""

    def __init__(self, application: ASGIApp) -> None:
        """Wrap an application."""
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        name = REQUEST_ID_HEADER.encode()
        request_id = next((value for key, value in scope.get("headers", ()) if key == name), b"")
        with structlog.contextvars.bound_contextvars(request_id=request_id.decode("latin-1")):
            await self._application(scope, receive, send)


class KeepOutOfCaches:
    """Has no cache on the way keep what is answered: it is for one manager, and may hold a new secret."""

    def __init__(self, application: ASGIApp) -> None:
        """Wrap an application."""
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""

        async def send_it(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"cache-control", b"no-store")]
            await send(message)

        await self._application(scope, receive, send_it)


def create_application(context: Context, routes: Iterable[Route] = ROUTES) -> FastAPI:
    """Build it. FastAPI's own pages of documentation are off: they load their scripts from elsewhere.

    So are its redirects, which would lead to wherever a Host header says.
    """
    application = FastAPI(
        title="Sluicegate",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    table = tuple(routes)
    application.state.context = context
    application.state.paths = sorted({route.path for route in table if route.least != "anyone"})
    problem_answers.install(application)
    application.add_exception_handler(HTTPStatus.METHOD_NOT_ALLOWED, _on_method)
    application.add_exception_handler(StoreUnavailableError, _on_unavailable)
    application.add_exception_handler(LedgerUnavailableError, _on_no_ledger)
    application.add_exception_handler(UnstorableError, _on_unstorable)
    application.add_middleware(LogRequestId)
    application.add_middleware(KeepOutOfCaches)
    for route in table:
        _add(application, route)
    # Made for whoever asks first: it takes longer than all else here, and a start must not wait for it.
    application.state.openapi = cache(partial(openapi.document, application))
    return application


def _add(application: FastAPI, route: Route) -> None:
    settings: dict[str, Any] = {
        "status_code": route.status,
        "responses": openapi.responses(route),
        "openapi_extra": openapi.operation(route),
        "tags": [route.path.split("/")[1] or "node"],
        "route_class_override": _guarded(route),
    }
    if route.answer is not None:
        settings["response_model"] = route.answer
    if route.media and route.answer is None:
        # Without a media type of its own: what the responses say is all.
        settings["response_class"] = Response
    application.router.add_api_route(route.pattern, route.endpoint, methods=[route.method], **settings)
    if route.method == "GET":
        # A copy: to make another one takes as long as the first, and there is one for every other path.
        head = copy(application.router.routes[-1])
        assert isinstance(head, APIRoute)
        head.methods, head.include_in_schema = {"HEAD"}, False
        application.router.routes.append(head)


def _guarded(route: Route) -> type[APIRoute]:
    """How FastAPI handles the route, once it is known who asks: before that not even the body is read."""
    enter = guard(route.least)
    is_managed = route.least not in {"anyone", "caller"}
    is_once = route.method == "POST" and is_managed

    class Guarded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()
            # For whoever asks first, as a start must not wait for it. Callers' libraries send what they like.
            names = cache(partial(known_names, self.dependant))

            async def handle_guarded(request: Request) -> Response:
                await enter(request)
                if is_managed and request.query_params:
                    refuse_unknown(request.query_params, names())
                return await (once(request, handle) if is_once else handle(request))

            return handle_guarded

    return Guarded


async def _on_method(request: Request, error: Exception) -> Response:
    """405 with all methods that the path has (RFC 9110 section 15.5.6): a route by itself knows only its own."""
    assert isinstance(error, HTTPException)
    routes = [route for route in request.app.routes if isinstance(route, APIRoute)]
    path = next(route.path for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    allowed = {method for route in routes if route.path == path for method in route.methods or ()}
    detail = f"{request.method} is not allowed on {request.url.path}; these are: {', '.join(sorted(allowed))}."
    headers = {"allow": ", ".join(sorted(allowed))}
    return problem_answers.answer(request, ProblemError(HTTPStatus.METHOD_NOT_ALLOWED, detail, headers=headers))


async def _on_unavailable(request: Request, error: Exception) -> Response:
    del error  # The store's own words could name hosts and users.
    problem = ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE, "The database does not answer.", headers={"retry-after": "1"}
    )
    return problem_answers.answer(request, problem)


async def _on_no_ledger(request: Request, error: Exception) -> Response:
    del error  # Likewise.
    detail = "The ledger, which counts what is used of limits, does not answer. Nothing was changed unless it says so."
    problem = ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"retry-after": "1"})
    return problem_answers.answer(request, problem)


async def _on_unstorable(request: Request, error: Exception) -> Response:
    assert isinstance(error, UnstorableError)
    detail = "A value cannot be stored."
    errors = [{"path": error.field, "message": error.reason}]
    return problem_answers.answer(request, ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors))
