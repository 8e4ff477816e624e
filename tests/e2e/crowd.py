"""Many callers at once: how many requests a gateway lets pass, and what the provider behind it has counted."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

SECONDS = 120.0
"""For one answer: a request may wait for what others have reserved, or for a worker that comes back."""
LOST = 0
"""In place of a status: the connection ended without an answer."""


@dataclass(frozen=True)
class Question:
    """What everyone asks."""

    body: Mapping[str, Any]
    path: str = "/v1/chat/completions"
    headers: Mapping[str, str] = field(default_factory=dict)

    def bytes_for(self, token: str) -> bytes:
        """The request, on a connection of its own."""
        content = json.dumps(self.body).encode()
        fields = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        start = f"POST {self.path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n"
        return f"{start}{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


async def _status(port: int, request: bytes) -> int:
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request)
                answer = await reader.read()
            finally:
                writer.close()
    except ConnectionError:
        return LOST
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else LOST


async def _statuses(ports: list[int], request: bytes, number: int) -> Counter[int]:
    asked = (_status(ports[each % len(ports)], request) for each in range(number))
    return Counter(await asyncio.gather(*asked))


def statuses(ports: list[int], question: Question, token: str, number: int) -> Counter[int]:
    """How often each status was answered to so many requests at once, in turn through these ports."""
    return asyncio.run(_statuses(ports, question.bytes_for(token), number))


@dataclass(frozen=True)
class Provider:
    """A mock provider's own books."""

    base_url: str

    def served(self) -> int:
        """Chat completions it has received whole, so far."""
        address = urlsplit(self.base_url)
        connection = HTTPConnection(address.hostname or "", address.port)
        connection.request("GET", "/__stats")
        stats = json.loads(connection.getresponse().read())
        connection.close()
        return int(stats["paths"].get("/v1/chat/completions", 0))
