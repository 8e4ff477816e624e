"""The mock provider: listens, decides each answer, counts."""

import asyncio
import json
import socket
import ssl
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sluicegate.bench.mock import openai
from sluicegate.bench.mock.answers import Answer, whole
from sluicegate.bench.mock.connection import MockConnection
from sluicegate.bench.mock.counters import Counters
from sluicegate.bench.mock.request import Request, path_of
from sluicegate.bench.mock.routes import reply, route_of
from sluicegate.bench.mock.script import Script, script
from sluicegate.bench.mock.settings import HEADER_PREFIX, MockSettings, SettingError, overridden

STATS_PATH = b"/__stats"
SETTINGS_PATH = b"/__settings"
_REALTIME = "/realtime"

_DEFAULTS = MockSettings()
_PREFIX = HEADER_PREFIX.encode()
_BACKLOG = 4096
"""As many clients may arrive in one instant as a test with thousands of streams has."""


class MockServer:
    """A running mock. An asynchronous context manager: leaving it closes it."""

    def __init__(self, settings: MockSettings) -> None:
        """`settings` are the defaults; `POST /__settings` changes them while it runs."""
        self.settings = settings
        self.counters = Counters()
        self.port = 0
        self._connections: set[MockConnection] = set()
        self._server: asyncio.Server | None = None
        self._faults_met = 0

    def __repr__(self) -> str:
        """Tell where it listens and what it has served."""
        return f"<MockServer port={self.port} requests={self.counters.total} open={len(self._connections)}>"

    @property
    def requests(self) -> Counters:
        """The totals: requests, by path, tokens, answers cancelled by clients."""
        return self.counters

    @property
    def stats(self) -> Counters:
        """The totals, under the name `/__stats` has."""
        return self.counters

    @property
    def open_connections(self) -> int:
        """Clients connected now."""
        return len(self._connections)

    async def __aenter__(self) -> Self:
        """Be usable with `async with`."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        assert self._server is not None
        self._server.close()
        for connection in tuple(self._connections):
            connection.abort()
        await self._server.wait_closed()

    def listening(self, server: asyncio.Server) -> None:
        """Take the listening sockets over, and the port from the first of them."""
        self._server = server
        name = server.sockets[0].getsockname()
        self.port = name[1] if isinstance(name, tuple) else 0

    # What connections ask

    def connected(self, connection: MockConnection) -> None:
        """Count a new connection."""
        self._connections.add(connection)
        self.counters.connections += 1

    def disconnected(self, connection: MockConnection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def keeps_body(self, url: bytes) -> bool:
        """Whether the body to a path that no API has is wanted."""
        return url == SETTINGS_PATH

    def answer(self, request: Request) -> tuple[Answer, Script]:
        """Decide what to say to a request and how to say it."""
        if request.url == STATS_PATH:
            return _as_is(whole(self.counters.as_json(self.open_connections)))
        if request.url == SETTINGS_PATH:
            return _as_is(self._change_settings(request))
        self._count(request)
        try:
            settings = self._settings_of(request)
        except SettingError as error:
            return _as_is(openai.error(400, str(error)))
        answer = reply(request, settings)
        return answer, script(answer, settings)

    def refusal_of_upgrade(self, request: Request) -> bytes | None:
        """Return the answer to a WebSocket that may not be opened; None if it may."""
        self._count(request)
        if not request.path.endswith(_REALTIME):
            return openai.error(404, f"no such path: {request.path}").wire
        # Of a plain request to a path that takes all: the key and the faulty status are judged there.
        answer = reply(replace(request, url=b"/echo?" + request.url.partition(b"?")[2]), self.settings)
        return None if answer.head.startswith(b"HTTP/1.1 200") else b"".join(script(answer, self.settings).writes)

    def _count(self, request: Request) -> None:
        counters = self.counters
        counters.total += 1
        counters.body_bytes += request.size
        path = _path_of(request.url)
        counters.paths[path] = counters.paths.get(path, 0) + 1

    def _settings_of(self, request: Request) -> MockSettings:
        given = request.family(_PREFIX)
        settings = overridden(self.settings, given) if given else self.settings
        route = route_of(request.url)
        if settings.fault is None or "fault" in given:
            return settings
        is_over = settings.fault_first and self._faults_met >= settings.fault_first
        if is_over or (route is not None and route.is_open):
            return replace(settings, fault=None)
        self._faults_met += 1
        return settings

    def _change_settings(self, request: Request) -> Answer:
        """Change the defaults: a JSON object of strings, its names those of the headers without their prefix."""
        try:
            given = json.loads(request.body)
            self.settings = overridden(self.settings, {str(name): str(value) for name, value in given.items()})
        except (ValueError, AttributeError) as error:
            return openai.error(400, f"settings: {error}")
        self._faults_met = 0
        return whole({"settings": repr(self.settings)})


async def start_mock(
    settings: MockSettings = _DEFAULTS,
    host: str = "127.0.0.1",
    port: int = 0,
    ssl_context: ssl.SSLContext | None = None,
    uds: Path | None = None,
    *,
    sock: socket.socket | None = None,
) -> MockServer:
    """Start a mock in this event loop: on `sock` if given, else on the Unix socket `uds`, else on `host` and `port`
    (0 takes a free one). Raises OSError if it cannot listen there.
    """
    loop = asyncio.get_running_loop()
    mock = MockServer(settings)

    def connection() -> MockConnection:
        return MockConnection(mock, loop)

    options: dict[str, Any] = {"ssl": ssl_context, "backlog": _BACKLOG}
    if sock is not None:
        server = await loop.create_server(connection, sock=sock, **options)
    elif uds is not None:
        server = await loop.create_unix_server(connection, str(uds), **options)
    else:
        server = await loop.create_server(connection, host, port, **options)
    mock.listening(server)
    return mock


def _as_is(answer: Answer) -> tuple[Answer, Script]:
    return answer, script(answer, MockSettings())


_path_of = lru_cache(1024)(path_of)
