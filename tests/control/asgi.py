"""Asks an ASGI application, without a server and without a network."""

import asyncio
import json
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message


class Answer(NamedTuple):
    """An application's answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


def ask(application: ASGIApp, method: str, path: str, headers: dict[str, str] | None = None) -> Answer:
    """Send a request without a body. An error that the application raises is raised once its answer is complete."""
    return asyncio.run(_ask(application, method, path, headers or {}))


async def _ask(application: ASGIApp, method: str, path: str, headers: dict[str, str]) -> Answer:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        "server": ("gateway", 80),
        "client": None,
    }
    try:
        await application(scope, receive, send)
    except ZeroDivisionError:
        # A test's own defect, which a server would log.
        assert sent
    start = sent[0]
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body)
