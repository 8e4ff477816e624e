"""Readers of a group on a real server: nothing is lost, whoever dies, and nothing is left behind."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
import structlog
from structlog.typing import EventDict

from sluicegate.config.redis_address import parse
from sluicegate.events.redis_reader import StreamReader
from sluicegate.events.redis_stream import Entry, RedisStream
from tests.ledger.valkey import Server

SHORT = 0.4
"""Seconds after which entries are abandoned here."""


class Delivered:
    """Takes what is delivered, and tells when it is all there."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._arrival = asyncio.Event()

    async def deliver(self, lines: Sequence[bytes]) -> None:
        """Take these."""
        self.lines += lines
        self._arrival.set()

    async def until(self, lines: set[bytes]) -> None:
        """Wait until each of these was delivered."""
        async with asyncio.timeout(60):
            while not lines <= set(self.lines):
                self._arrival.clear()
                await self._arrival.wait()


class Log:
    """Keeps what is logged, and tells when there is something."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.arrival = asyncio.Event()

    def note(self, logger: object, method: str, event: EventDict) -> EventDict:
        """Keep a line."""
        self.lines.append(event["event"])
        self.arrival.set()
        return event


def reader(
    stream: RedisStream, deliver: Callable[[Sequence[bytes]], Awaitable[None]], log: Log, **options: Any
) -> StreamReader:
    """A reader of the group `g`."""
    return StreamReader(
        stream,
        group="g",
        name=options.pop("name", "a"),
        deliver=deliver,
        log=structlog.wrap_logger(
            structlog.ReturnLogger(), processors=[log.note], wrapper_class=structlog.make_filtering_bound_logger(0)
        ),
        **{"abandoned_after": SHORT, "pause": 0.01, **options},
    )


def with_stream(server: Server, use: Callable[[Any], Awaitable[object]], kind: type[RedisStream] = RedisStream) -> None:
    """Use a stream of this server."""

    async def used() -> None:
        stream = kind(parse(server.url), "events", wait=0.05)
        try:
            await stream.open_group("g")
            await use(stream)
        finally:
            await stream.close()

    asyncio.run(used())


def pending(server: Server) -> int:
    """How many entries somebody has taken and not acknowledged."""
    count: int = server.call("XINFO GROUPS", "events")[0]["pending"]
    return count


def readers(server: Server) -> list[str]:
    """Who is known to the group."""
    return [one["name"] for one in server.call("XINFO CONSUMERS", "events", "g")]


def test_deliver_and_leave(server: Server) -> None:
    """Everything is delivered once, acknowledged, and the reader is forgotten when it ends."""

    async def use(stream: RedisStream) -> None:
        lines = [b"%d" % number for number in range(20)]
        await stream.add(lines, most=100)
        end, delivered = asyncio.Event(), Delivered()
        one = reader(stream, delivered.deliver, Log(), largest_batch=3)
        running = asyncio.ensure_future(one.run(end))
        await delivered.until(set(lines))
        end.set()
        await running
        assert delivered.lines == lines
        assert one.delivered == 20

    with_stream(server, use)
    assert (pending(server), readers(server)) == (0, [])


def test_what_is_no_event(server: Server) -> None:
    """It is told, acknowledged and passed over."""

    async def use(stream: RedisStream) -> None:
        server.call("XADD", "events", "*", "hello", "world")
        await stream.add([b"1"], most=100)
        end, delivered, log = asyncio.Event(), Delivered(), Log()
        running = asyncio.ensure_future(reader(stream, delivered.deliver, log).run(end))
        await delivered.until({b"1"})
        end.set()
        await running
        assert log.lines == ["entries without an event are passed over"]

    with_stream(server, use)
    assert pending(server) == 0


class Signs(RedisStream):
    """A stream that tells of each sign of life that a reader has given."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """None was given yet."""
        super().__init__(*arguments, **options)
        self.given = asyncio.Semaphore(0)

    async def hold(self, group: str, reader: str, entries: Sequence[Entry]) -> None:
        """Hold, and tell."""
        await super().hold(group, reader, entries)
        self.given.release()


def test_a_slow_delivery_is_not_abandoned(server: Server) -> None:
    """As long as a reader delivers it gives signs of life, after which nobody else claims what it has."""

    async def use(stream: Signs) -> None:
        released, end, log = asyncio.Event(), asyncio.Event(), Log()

        async def slow(lines: Sequence[bytes]) -> None:
            await released.wait()

        await stream.add([b"1"], most=100)
        one = reader(stream, slow, log, abandoned_after=0.1)
        running = asyncio.ensure_future(one.run(end))
        for _ in range(5):
            await stream.given.acquire()
        released.set()
        end.set()
        await running
        assert (one.delivered, log.lines) == (1, [])

    with_stream(server, use, Signs)
    assert (pending(server), readers(server)) == (0, [])


def test_an_end_that_cannot_wait(server: Server) -> None:
    """What is still being delivered after the time of grace stays for the others."""

    async def use(stream: RedisStream) -> None:
        end, other, begun = asyncio.Event(), Delivered(), asyncio.Event()

        async def stuck(lines: Sequence[bytes]) -> None:
            begun.set()
            await asyncio.Event().wait()

        await stream.add([b"1"], most=100)
        running = asyncio.ensure_future(reader(stream, stuck, Log()).run(end, grace=0))
        await begun.wait()
        end.set()
        await running
        assert (pending(server), readers(server)) == (1, ["a"])
        end = asyncio.Event()
        running = asyncio.ensure_future(reader(stream, other.deliver, Log(), name="b").run(end))
        await other.until({b"1"})
        end.set()
        await running

    with_stream(server, use)
    assert pending(server) == 0


def test_a_delivery_that_fails(server: Server) -> None:
    """What no delivery should raise ends the reader, and nothing is acknowledged."""

    async def use(stream: RedisStream) -> None:
        async def broken(lines: Sequence[bytes]) -> None:
            raise ValueError("broken")

        await stream.add([b"1"], most=100)
        with pytest.raises(ValueError, match="broken"):
            await reader(stream, broken, Log()).run(asyncio.Event())

    with_stream(server, use)
    assert pending(server) == 1


def test_a_server_that_stops_and_starts() -> None:
    """What was added is delivered, what was delivered is acknowledged once it is back, and both are told once."""
    own = Server()

    async def use(stream: RedisStream) -> None:
        end, log, delivered = asyncio.Event(), Log(), Delivered()

        async def kill(lines: Sequence[bytes]) -> None:
            if not delivered.lines:
                own.kill()
            await delivered.deliver(lines)

        await stream.add([b"1"], most=100)
        running = asyncio.ensure_future(reader(stream, kill, log).run(end))
        async with asyncio.timeout(60):
            await log.arrival.wait()
        own.start()
        second = RedisStream(parse(own.url), "events")
        await second.add([b"2"], most=100)
        await second.close()
        await delivered.until({b"1", b"2"})
        end.set()
        await running
        assert delivered.lines == [b"1", b"2"]
        assert log.lines == [
            "the stream of events cannot be read",
            "over: the stream of events cannot be read",
        ]

    with own:
        with_stream(own, use)
        assert (pending(own), readers(own)) == (0, [])


def test_an_end_without_the_server() -> None:
    """A reader ends in time though nobody answers, and says that it leaves without a word."""
    own = Server()

    async def use(stream: RedisStream) -> None:
        end, log, delivered = asyncio.Event(), Log(), Delivered()
        await stream.add([b"1"], most=100)
        running = asyncio.ensure_future(reader(stream, delivered.deliver, log).run(end))
        await delivered.until({b"1"})
        own.kill()
        end.set()
        await running
        assert log.lines[-1] == "the stream of events is left without a word"

    with own:
        with_stream(own, use)


PROGRAM = """
import asyncio, os, signal, sys, structlog
from sluicegate.config.redis_address import parse
from sluicegate.events.redis_reader import StreamReader
from sluicegate.events.redis_stream import Entry, RedisStream

async def main(url):
    batches = []
    async def deliver(lines):
        print(*(line.decode() for line in lines), flush=True)
        batches.append(lines)
        if len(batches) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    stream = RedisStream(parse(url), "events", wait=0.05)
    log = structlog.wrap_logger(structlog.PrintLogger(sys.stderr))
    reader = StreamReader(stream, group="g", name="victim", deliver=deliver, log=log, largest_batch=7)
    await reader.run(asyncio.Event())

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_replica_is_killed(server: Server) -> None:
    """Of two processes one is killed between delivery and acknowledgement: nothing is lost, or left with the dead."""

    async def use(stream: RedisStream) -> None:
        lines = [b"%d" % number for number in range(1000)]
        end, dead, delivered = asyncio.Event(), asyncio.Event(), Delivered()

        async def deliver(batch: Sequence[bytes]) -> None:
            await dead.wait()
            await delivered.deliver(batch)

        running = asyncio.ensure_future(reader(stream, deliver, Log(), largest_batch=7).run(end))
        await stream.add(lines, most=10_000)
        command = [sys.executable, "-c", PROGRAM, server.url]
        victim = await asyncio.to_thread(subprocess.run, command, stdout=subprocess.PIPE, check=False)
        assert victim.returncode == -signal.SIGKILL
        dead.set()
        printed = victim.stdout.split()
        assert len(printed) == 21
        await delivered.until(set(lines) - set(printed[:14]))
        end.set()
        await running
        # The third batch of the dead, twice; all the rest once.
        assert sorted([*delivered.lines, *printed[:14]]) == sorted(lines)

    with_stream(server, use)
    assert pending(server) == 0
