"""Streams that are opened and then left open, to see what each costs in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

from sluicegate.bench.request import Target


class StreamsLostError(Exception):
    """Not all streams opened, or not all stayed open."""


class _Held(asyncio.Protocol):
    """One stream, begun once its first event is there."""

    __slots__ = ("_crowd", "_is_begun", "_seen", "transport")

    def __init__(self, crowd: "Crowd") -> None:
        self._crowd = crowd
        self._is_begun = False
        self._seen = b""
        self.transport = cast("asyncio.Transport", None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._crowd.request)

    def data_received(self, data: bytes) -> None:
        if not self._is_begun:
            self._seen += data
            if b"\ndata:" in self._seen:
                self._is_begun = True
                self._seen = b""
                self._crowd.begun()

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.lost += 1


class Crowd:
    """All streams together."""

    def __init__(self, request: bytes, count: int) -> None:
        """None of so many has begun."""
        self.request = request
        self.lost = 0
        """Streams that have ended."""
        self._missing = count
        self.all_begun = asyncio.Event()

    def __repr__(self) -> str:
        """Tell how many are still to begin, and how many have ended."""
        return f"<Crowd missing={self._missing} lost={self.lost}>"

    def begun(self) -> None:
        """One of them has begun."""
        self._missing -= 1
        if self._missing == 0:
            self.all_begun.set()


@contextlib.asynccontextmanager
async def held_streams(target: Target, request: bytes, count: int, *, patience: float = 60.0) -> AsyncIterator[Crowd]:
    """Open `count` streams and wait for the first event of each; close them afterwards.

    Raises StreamsLostError if some did not begin within `patience` seconds, or ended while they were to be held.
    """
    loop, crowd = asyncio.get_running_loop(), Crowd(request, count)
    streams: list[_Held] = []
    try:
        try:
            async with asyncio.timeout(patience):
                for _ in range(count):
                    made = await loop.create_connection(lambda: _Held(crowd), target.host, target.port)
                    streams.append(made[1])
                await crowd.all_begun.wait()
        except (OSError, TimeoutError) as error:
            raise StreamsLostError(f"{len(streams)} of {count} streams connected, {crowd.lost} lost") from error
        yield crowd
        if crowd.lost:
            raise StreamsLostError(f"{crowd.lost} of {count} streams ended early")
    finally:
        for stream in streams:
            stream.transport.abort()
