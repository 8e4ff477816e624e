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


def ask(
    application: ASGIApp, method: str, target: str, headers: dict[str, str] | None = None, *, body: bytes = b""
) -> Answer:
    """Send a request, from outside of any loop; a test's own defect (ZeroDivisionError) is what a server would log."""
    return asyncio.run(send(application, method, target, headers or {}, body))


async def send(application: ASGIApp, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
    """Send a request; return its answer, however it is cut."""
    path, _, query = target.partition("?")
    sent: list[Message] = []
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        # The client stays for the whole answer.
        never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await never

    async def take(message: Message) -> None:
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
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        "server": ("gateway", 80),
        "client": None,
    }
    try:
        await application(scope, receive, take)
    except ZeroDivisionError:
        # A test's own defect, which a server would log.
        assert sent
    start = sent[0]
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body)
