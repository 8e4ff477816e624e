"""Serving the management API on a Unix socket, as one task of the control process."""

import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

_CLOSE_SECONDS = 5
"""How long answers under way may take when the process is told to end."""


class WebServer(uvicorn.Server):
    """Uvicorn, but the process's signals are not its own."""

    def __init__(self, application: ASGIApp, *, started: Callable[[], None]) -> None:
        """`started` is called once it accepts connections."""
        super().__init__(
            uvicorn.Config(
                application,
                loop="none",
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_CLOSE_SECONDS,
            )
        )
        self._started = started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell so."""
        await super().startup(sockets)
        self._started()

    def end(self) -> None:
        """Finish the answers under way, then return from `serve`."""
        self.should_exit = True
