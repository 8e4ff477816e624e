"""A whole control process but for its own process: a scripted supervisor and scripted workers talk to it."""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.beginning import Begun, Choice, choose, listen
from sluicegate.control.channel import (
    DrainChanged,
    LineReader,
    Message,
    Reload,
    Serving,
    WorkerReady,
    line,
)
from sluicegate.control.last_good import LastGood
from sluicegate.control.service import Service, run
from sluicegate.control.watch import fingerprint
from sluicegate.dialects.table import DIALECTS
from sluicegate.domain.tokens import digest
from sluicegate.wire.link import (
    Configure,
    Count,
    Counted,
    Forget,
    Hello,
    Ready,
    Resolve,
    Resolved,
    ToControl,
    ToWorker,
    frame,
    to_worker,
)
from tests.control.conftest import MINIMAL, WriteSources

CALLER = digest(b"caller-secret")


class Peer:
    """The other end of a stream, supervisor's or worker's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def told(self) -> Message:
        """The next line, as the supervisor hears it."""
        [message] = LineReader().feed(await self.reader.readline())
        return message

    def say(self, *messages: ToControl) -> None:
        """Send a frame, as a worker."""
        self.writer.write(frame(list(messages)))

    async def hear(self) -> list[ToWorker]:
        """The next frame, as a worker hears it."""
        size = int.from_bytes(await self.reader.readexactly(4), "big")
        return to_worker(await self.reader.readexactly(size))


class Bench:
    """What a control process finds around it."""

    def __init__(self, directory: Path, write: WriteSources, log: FilteringBoundLogger) -> None:
        self.write = write
        self.log = log
        self.directory = directory
        self.supervisor, self.channel = socket.socketpair()
        self.memory = os.memfd_create("test")
        self.last_good = LastGood(self.memory, dialects=DIALECTS)
        self._peers: list[Peer] = []

    def begun(self, text: str = MINIMAL) -> Begun:
        """The first part of the process, done."""
        sources = self.write(text)
        seen = fingerprint(self.directory / "sluicegate.yaml")
        choice = choose(sources, self.last_good)
        link, web = listen(self.directory / "l"), listen(self.directory / "h")
        return Begun(sources, choice, seen, self.last_good, self.channel, link, web)

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


@pytest.fixture
def bench(tmp_path: Path, write: WriteSources, log: FilteringBoundLogger) -> Iterator[Bench]:
    """Everything around a control process."""
    bench = Bench(tmp_path, write, log)
    yield bench
    bench.supervisor.close()
    bench.channel.close()
    os.close(bench.memory)


Conversation = Callable[[Bench, Peer], Awaitable[None]]


def converse(bench: Bench, conversation: Conversation, begun: Begun | None = None) -> None:
    """Run a service, talk to it, and see that it ends by itself."""
    begun = begun or bench.begun()

    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            service = Service(begun, executor=executor, log=bench.log)
            serving = asyncio.ensure_future(service.run())
            supervisor = await bench.peer(asyncio.open_unix_connection(sock=bench.supervisor))
            assert await supervisor.told() == Serving()
            await conversation(bench, supervisor)
            await serving
            await bench.close()

    asyncio.run(asyncio.wait_for(main(), 20))


def end() -> None:
    """Tell this process to end, as the supervisor does."""
    os.kill(os.getpid(), signal.SIGTERM)


def test_worker_is_served(bench: Bench) -> None:
    """A worker gets its snapshot, its questions are answered, and the supervisor learns that it is ready."""

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        worker = await bench.worker(pid=77)
        [configure] = await worker.hear()
        assert isinstance(configure, Configure)
        assert configure.snapshot.version == 1
        worker.say(Ready(1), Resolve(1, CALLER))
        assert await supervisor.told() == WorkerReady(0, 77)
        [resolved] = await worker.hear()
        assert isinstance(resolved, Resolved)
        assert resolved.principal is not None
        assert resolved.principal.name == "lan"
        worker.say(Count(2, "openai", "no such operation", "m", b"", b"", is_text=True))
        [counted] = await worker.hear()
        assert isinstance(counted, Counted)
        assert (counted.number, counted.output_tokens) == (2, 0)
        end()

    converse(bench, conversation)


@pytest.mark.parametrize("cause", ["supervisor", "signal", "file"])
def test_change_reaches_workers_and_supervisor(bench: Bench, cause: str, captured: LogCapture) -> None:
    """However it is caused, a reload swaps the snapshot, has the changed token forgotten, and tells the drain time."""

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        worker = await bench.worker()
        await worker.hear()
        bench.write(MINIMAL.replace("caller-secret", "other-caller-secret") + "server: {drain_seconds: 3}\n")
        if cause == "supervisor":
            supervisor.writer.write(line(Reload()))
        elif cause == "signal":
            os.kill(os.getpid(), signal.SIGHUP)
        [configure, forget] = await worker.hear()
        assert isinstance(configure, Configure)
        assert (configure.snapshot.version, configure.snapshot.drain_seconds) == (2, 3.0)
        assert isinstance(forget, Forget)
        assert set(forget.digests) == {CALLER, digest(b"other-caller-secret")}
        assert await supervisor.told() == DrainChanged(3.0)
        worker.say(Resolve(1, CALLER))
        assert await worker.hear() == [Resolved(1, None)]
        end()

    converse(bench, conversation)
    assert captured.entries[0]["event"] == "configuration loaded"
    recalled = bench.last_good.recall()
    assert recalled is not None
    assert recalled[1].snapshot.version == 2


def test_broken_change_leaves_workers_alone(bench: Bench, captured: LogCapture) -> None:
    """A broken file is logged; what workers run on, and what is answered, stays."""

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        worker = await bench.worker()
        await worker.hear()
        bench.write("nonsense: 1")
        supervisor.writer.write(line(Reload()))
        while not captured.entries:
            worker.say(Resolve(1, CALLER))
            [resolved] = await worker.hear()
            assert isinstance(resolved, Resolved)
            assert resolved.principal is not None
        end()

    converse(bench, conversation)
    assert captured.entries[0]["event"] == "configuration refused, the old one stays"


def test_management_api_is_served(bench: Bench) -> None:
    """The management API answers on its own socket."""

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        client = await bench.peer(asyncio.open_unix_connection(bench.directory / "h"))
        client.writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = await client.reader.read()
        assert msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])["name"] == "sluicegate"
        end()

    converse(bench, conversation)


def test_orphan_serves_workers_to_their_end(bench: Bench, captured: LogCapture) -> None:
    """Without a supervisor the process goes on until the draining workers are gone, and then ends by itself."""

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        worker = await bench.worker()
        await worker.hear()
        supervisor.writer.close()
        while not captured.entries:
            worker.say(Resolve(1, CALLER))
            await worker.hear()
        worker.say(Resolve(2, CALLER))
        assert len(await worker.hear()) == 1
        worker.writer.close()

    converse(bench, conversation)
    assert [entry["event"] for entry in captured.entries] == ["the supervisor is gone, ending"]


def test_orphan_does_not_wait_for_ever(bench: Bench, captured: LogCapture) -> None:
    """Workers that do not end in their time to drain are left behind."""
    begun = bench.begun(MINIMAL + "server: {drain_seconds: 0}\n")

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        worker = await bench.worker()
        await worker.hear()
        supervisor.writer.close()

    converse(bench, conversation, begun)
    assert captured.entries[-1]["event"] == "workers did not end in time"


def test_process_without_a_file_runs(bench: Bench) -> None:
    """Where there is no configuration file, there is nothing to watch, and all else works."""
    begun = bench.begun()
    fileless = replace(begun, sources=replace(begun.sources, path=None), seen=None)

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        await (await bench.worker()).hear()
        end()

    converse(bench, conversation, fileless)


def test_successor_says_why_it_is_not_on_the_file(bench: Bench, captured: LogCapture) -> None:
    """A process that begins with its predecessor's configuration logs what is wrong with the file, and ends with it."""
    compiled = bench.write(MINIMAL).load(1)
    bench.last_good.keep(compiled, compiled)
    begun = bench.begun("nonsense: 1")
    assert begun.choice == Choice(compiled, compiled, begun.choice.refused)
    bench.supervisor.shutdown(socket.SHUT_RDWR)
    run(begun, log=bench.log)
    assert captured.entries[0]["event"] == "configuration refused, the last good one is used"
    assert "nonsense" in captured.entries[0]["problems"]
