"""What a control process finds around it, scripted: a supervisor, workers, a file, a database."""

import asyncio
import io
import mmap
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from structlog.typing import FilteringBoundLogger

from sluicegate.control.beginning import Begun, choose, listen
from sluicegate.control.channel import (
    LineReader,
    Message,
    Serving,
)
from sluicegate.control.clocks import Clocks
from sluicegate.control.counting import Counter
from sluicegate.control.counting_queue import CountingQueue
from sluicegate.control.last_good import LastGood
from sluicegate.control.loading import Sources
from sluicegate.control.logs import Logs
from sluicegate.control.service import Service
from sluicegate.control.storage import Storage, opened
from sluicegate.control.watch import fingerprint
from sluicegate.dialects.table import DIALECTS
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import DEFAULT_ORGANIZATION, DEFAULT_PROJECT, Token
from sluicegate.domain.tokens import digest
from sluicegate.store.database import Database
from sluicegate.wire.link import (
    Configure,
    Count,
    Counted,
    Forget,
    ForgetPrices,
    Hello,
    Lent,
    Resolve,
    Resolved,
    ToControl,
    ToWorker,
    frame,
    to_worker,
)
from sluicegate.wire.pulse import PULSE_BYTES, Pulse

SaidT = TypeVar("SaidT", Configure, Resolved, Counted, Forget, ForgetPrices, Lent)

CLOCKS = Clocks(time.monotonic, lambda: datetime.now(UTC))
CALLER = digest(b"caller-secret")
ISSUED = digest(b"issued-secret")


class Peer:
    """The other end of a stream, supervisor's or worker's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._heard: list[ToWorker] = []

    async def told(self) -> Message:
        """The next line, as the supervisor hears it."""
        [message] = LineReader().feed(await self.reader.readline())
        return message

    def say(self, *messages: ToControl) -> None:
        """Send a frame, as a worker."""
        self.writer.write(frame(list(messages)))

    async def hear(self, kind: type[SaidT]) -> SaidT:
        """The next message of this kind, as a worker hears it."""
        while True:
            while not self._heard:
                size = int.from_bytes(await self.reader.readexactly(4), "big")
                self._heard += to_worker(await self.reader.readexactly(size))
            message = self._heard.pop(0)
            if isinstance(message, kind):
                return message

    async def hear_names(self) -> set[bytes]:
        """The digests that the next change names: one that is about all tokens says only that the feed begins."""
        while not (digests := (await self.hear(Forget)).digests):
            pass
        return set(digests)

    async def ask(self, digest: bytes) -> Principal | None:
        """Whose token it is, asked as a worker."""
        self.say(Resolve(1, digest))
        return (await self.hear(Resolved)).principal


class Bench:
    """What a control process finds around it."""

    def __init__(
        self, directory: Path, write: Callable[[str], Sources], minimal: str, log: FilteringBoundLogger
    ) -> None:
        """`write` writes a configuration, `minimal` is one that will do."""
        self.write = write
        self._minimal = minimal
        self.log = log
        self.logs = Logs(io.StringIO(), process="control", clock=lambda: 0.0)
        self.directory = directory
        self.supervisor, self.channel = socket.socketpair()
        self.memory = os.memfd_create("test")
        self.pulses = mmap.mmap(-1, PULSE_BYTES)
        self.last_good = LastGood(self.memory, dialects=DIALECTS)
        self._peers: list[Peer] = []
        self.listeners: list[socket.socket] = []

    def begun(self, text: str | None = None) -> Begun:
        """The first part of the process, done."""
        sources = self.write(self._minimal if text is None else text)
        seen = fingerprint(self.directory / "sluicegate.yaml")
        choice = choose(sources, self.last_good)
        link, web = listen(self.directory / "l"), listen(self.directory / "h")
        self.listeners += [link, web]
        return Begun(sources, choice, seen, self.last_good, self.channel, Pulse(self.pulses, 0), link, web)

    def service(self, begun: Begun, storage: Storage) -> Service:
        """The whole of it, counting here. Must be made in a running event loop."""
        counts = CountingQueue(_count, log=self.log)
        return Service(begun, storage, counts=counts, clocks=CLOCKS, log=self.log, logs=self.logs)

    async def issue(self) -> Token:
        """A token of the database."""
        token = Token(
            id="tok_issued",
            digest=ISSUED,
            prefix="sk-sg-",
            last_four="cret",
            organization_id=DEFAULT_ORGANIZATION,
            project_id=DEFAULT_PROJECT,
            created_at=1,
            updated_at=1,
        )
        database = await Database.open("sqlite", self.directory / "data")
        async with database.writing() as session:
            await session.tokens.add(token)
        await database.close()
        return token

    async def manage(self, method: str, path: str, credential: str) -> dict[str, Any]:
        """Ask the management API on its own socket."""
        client = await self.peer(asyncio.open_unix_connection(self.directory / "h"))
        head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {credential}\r\n"
        client.writer.write(f"{head}content-length: 0\r\nconnection: close\r\n\r\n".encode())
        answer: dict[str, Any] = msgspec.json.decode((await client.reader.read()).partition(b"\r\n\r\n")[2])
        return answer

    async def worker(self, pid: int = 10) -> Peer:
        """A worker that has introduced itself."""
        peer = await self.peer(asyncio.open_unix_connection(self.directory / "l"))
        peer.say(Hello(0, pid))
        return peer

    async def peer(self, opening: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> Peer:
        """A connection that is closed at the end."""
        peer = Peer(*await opening)
        self._peers.append(peer)
        return peer

    async def close(self) -> None:
        """Close the connections."""
        for peer in self._peers:
            peer.writer.close()
            await asyncio.gather(peer.writer.wait_closed(), return_exceptions=True)


async def _count(question: Count) -> Counted:
    return Counter().count(question)


Conversation = Callable[[Bench, Peer], Awaitable[None]]


def converse(bench: Bench, conversation: Conversation, begun: Begun | None = None) -> None:
    """Run a service, talk to it, and see that it ends by itself."""
    begun = begun or bench.begun()

    async def main() -> None:
        async with opened(begun.choice.started, now=lambda: 1.0) as storage:
            service = bench.service(begun, storage)
            assert repr(service).startswith("<Service <Configuration ")
            serving = asyncio.ensure_future(service.run())
            supervisor = await bench.peer(asyncio.open_unix_connection(sock=bench.supervisor))
            assert await supervisor.told() == Serving()
            await conversation(bench, supervisor)
            await serving
        await bench.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def end() -> None:
    """Tell this process to end, as the supervisor does."""
    os.kill(os.getpid(), signal.SIGTERM)
