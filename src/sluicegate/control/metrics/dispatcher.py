"""The metrics of a dispatcher: a process of its own, which has no management. So it answers scrapes itself.

Whoever can connect may read them: names of a sink, and counts. It listens on this machine alone unless told otherwise.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from prometheus_client.core import Metric

from sluicegate.control.consumers import Consumers
from sluicegate.control.metrics.exposition import exposition
from sluicegate.control.metrics.families import dispatcher_families
from sluicegate.control.metrics.processes import process_facts
from sluicegate.control.sinks import counted
from sluicegate.events.sinks.engine import Engine
from sluicegate.events.stream_group import GroupStanding, StreamUnavailableError

_LARGEST_HEAD = 16 * 1024
_PATIENCE = 10.0
"""Seconds for a request to come whole, and for its answer to be taken."""

Answer = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Makes body and media type of what is to be shown, given the request's `accept`."""


class DispatcherMetrics:
    """What a dispatcher shows: its sink, its process, and what it reads from."""

    def __init__(self, engine: Engine) -> None:
        """What is read is told later: a consumer of the journal by `consumers.add`, a stream by `follow`."""
        self.consumers = Consumers()
        self._engine = engine
        self._group: Callable[[], Awaitable[GroupStanding]] | None = None

    def __repr__(self) -> str:
        """Tell whose they are."""
        return f"<DispatcherMetrics {self._engine.name}>"

    def follow(self, group: Callable[[], Awaitable[GroupStanding]]) -> None:
        """Show how a group of readers of a stream stands; `group` may raise StreamUnavailableError."""
        self._group = group

    async def answer(self, accept: str) -> tuple[bytes, str]:
        """The answer to a scrape."""
        return exposition(await self._families(), accept)

    async def _families(self) -> list[Metric]:
        try:
            standings = await self.consumers.standings()
        except OSError:
            # All else is worth showing, most of all now.
            standings = ()
        facts = process_facts(os.getpid())
        counts = counted(self._engine.name, self._engine)
        return [*dispatcher_families(standings, counts, facts, await self._standing())]

    async def _standing(self) -> GroupStanding | None:
        if self._group is None:
            return None
        try:
            return await self._group()
        except StreamUnavailableError:
            return None


@asynccontextmanager
async def served(host: str, port: int, answer: Answer) -> AsyncIterator[int]:
    """Answer `GET /metrics` while the block runs; the port, which is a free one where `port` is 0. Raises OSError."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await _answered(head, answer))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # Whoever asked is gone, or says nothing that is HTTP: nobody waits for an answer.
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(converse, host, port, limit=_LARGEST_HEAD)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _answered(head: bytes, answer: Answer) -> bytes:
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, _, rest = first.partition(" ")
    if rest.partition(" ")[0].partition("?")[0] != "/metrics":
        return _response("404 Not Found", b"see /metrics\n", "text/plain")
    if method != "GET":
        return _response("405 Method Not Allowed", b"", "text/plain", "allow: GET\r\n")
    body, media = await answer(fields.get("accept", ""))
    return _response("200 OK", body, media)


def _response(status: str, body: bytes, media: str, more: str = "") -> bytes:
    fields = f"content-type: {media}\r\ncontent-length: {len(body)}\r\n{more}connection: close\r\n"
    return f"HTTP/1.1 {status}\r\n{fields}\r\n".encode() + body
