"""Bytes to a mock and back: what a test says, and all that it hears until the connection ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sluicegate.bench.mock import MockServer, MockSettings, start_mock

T = TypeVar("T")

LONGEST = 60
"""Seconds after which a conversation that hangs has failed."""


def with_mock(conversation: Callable[[MockServer], Awaitable[T]], settings: MockSettings | None = None) -> T:
    """Run a conversation with a mock that lives as long as it."""

    async def run() -> T:
        async with asyncio.timeout(LONGEST), await start_mock(settings or MockSettings()) as mock:
            return await conversation(mock)

    return asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    """Return once the condition holds; a conversation has its own bound of time."""
    for _ in iter(condition, True):
        await asyncio.sleep(0)


def request(path: str, body: bytes = b"", *headers: str, method: str = "POST") -> bytes:
    """A request that asks for the connection to be closed after it."""
    lines = [f"{method} {path} HTTP/1.1", "host: mock", "connection: close", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def heard(mock: MockServer, said: bytes) -> bytes:
    """Say it, and return all there is until the end of the connection. Raises ConnectionResetError."""
    reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
    try:
        writer.write(said)
        return await reader.read()
    finally:
        writer.close()


def answer_to(said: bytes, settings: MockSettings | None = None) -> bytes:
    """What a mock of these settings says to it."""
    return with_mock(lambda mock: heard(mock, said), settings)
