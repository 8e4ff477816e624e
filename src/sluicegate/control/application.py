"""The management API as an ASGI application."""

import structlog
from fastapi import Depends, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from sluicegate import __version__
from sluicegate.control import problems
from sluicegate.control.access import GUARDS
from sluicegate.control.context import Context
from sluicegate.control.routes.table import ROUTES


class LogRequestId:
    """Gives every log line written while a request is served that request's id."""

    def __init__(self, application: ASGIApp) -> None:
        """Wrap an application."""
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        name = problems.REQUEST_ID_HEADER.encode()
        request_id = next((value for key, value in scope.get("headers", ()) if key == name), b"")
        with structlog.contextvars.bound_contextvars(request_id=request_id.decode("latin-1")):
            await self._application(scope, receive, send)


def create_application(context: Context) -> FastAPI:
    """Build it. Pages of documentation are off: they load their scripts from elsewhere."""
    application = FastAPI(title="Sluicegate", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    application.state.context = context
    application.state.paths = sorted({route.path for route in ROUTES if route.role != "anyone"})
    problems.install(application)
    application.add_middleware(LogRequestId)
    for route in ROUTES:
        application.add_api_route(
            route.path,
            route.endpoint,
            methods=["GET", "HEAD"] if route.method == "GET" else [route.method],
            dependencies=[Depends(GUARDS[route.role])],
        )
    return application
