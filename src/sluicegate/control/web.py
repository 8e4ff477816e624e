"""Serving the management API on a Unix socket, as one task of the control process."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from email.utils import formatdate

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CLOSE_SECONDS = 5
"""How long answers under way may take when the process is told to end."""


class Dated:
    """Gives answers their date (RFC 9110 section 6.6.1), which uvicorn would renew each second, asked or not."""

    def __init__(self, application: ASGIApp) -> None:
        """Wrap an application."""
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""

        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"date", formatdate(usegmt=True).encode())]
            await send(message)

        await self._application(scope, receive, send_dated)


class WebServer(uvicorn.Server):
    """Uvicorn, but the process's signals are not its own, and nothing wakes it but requests."""

    def __init__(self, application: ASGIApp, *, started: Callable[[], None]) -> None:
        """`started` is called once it accepts connections."""
        super().__init__(
            uvicorn.Config(
                Dated(application),
                loop="none",
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=_CLOSE_SECONDS,
            )
        )
        self._started = started
        self._is_told = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell so."""
        await super().startup(sockets)
        self._started()

    async def main_loop(self) -> None:
        """Wait for `end`; uvicorn would look ten times a second whether it is time."""
        await self._is_told.wait()

    def end(self) -> None:
        """Finish the answers under way, then return from `serve`."""
        self.should_exit = True
        self._is_told.set()
