"""Control's end of the link, told as conversations with workers over real sockets."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime
from pathlib import Path

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.link_server import LinkServer, NoPrices
from sluicegate.control.token_directory import Answer, DeclaredTokens
from sluicegate.control.workers import Workers
from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import Snapshot
from sluicegate.wire.link import (
    LARGEST_FRAME,
    AskPrice,
    Bodies,
    Configure,
    Count,
    Counted,
    DeploymentHealth,
    Feed,
    Forget,
    ForgetPrices,
    FrameReader,
    Health,
    Hello,
    Journal,
    Lend,
    Lent,
    Priced,
    Ready,
    Recall,
    Resolve,
    Resolved,
    ToControl,
    ToWorker,
    frame,
    to_worker,
)

ONE = Principal("tok_1")
PRICE = Price("v1", Rates(1, 2))
FEED = Feed(0.0, float("inf"))
SNAPSHOT, NEWER = Snapshot(version=1), Snapshot(version=2)


class Counts:
    """Counts whose answers come when the test gives them."""

    def __init__(self) -> None:
        self.asked: list[tuple[Count, Callable[[Counted], None]]] = []

    def ask(self, question: Count, answer: Callable[[Counted], None]) -> None:
        """Keep the question."""
        self.asked.append((question, answer))


class Directory(DeclaredTokens):
    """Knows one token; remembers what it was told to be damaged."""

    def __init__(self) -> None:
        super().__init__({b"one": ONE})
        self.damaged: list[bytes] = []

    def find(self, digest: bytes, answer: Answer, *, is_damaged: bool = False) -> None:
        """Answer at once."""
        if is_damaged:
            self.damaged.append(digest)
        super().find(digest, answer)


class Limits:
    """Lends what is wanted when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[Lend, Hashable, Callable[[Lent], None]]] = []

    def lend(self, lend: Lend, asker: Hashable, answer: Callable[[Lent], None]) -> None:
        """Keep the question."""
        self.asked.append((lend, asker, answer))


class Prices:
    """Knows one model's price until it is told to forget."""

    def __init__(self) -> None:
        self.price: Price | None = PRICE

    def find(self, question: AskPrice, answer: Callable[[Price | None], None]) -> None:
        """Answer at once."""
        answer(self.price if question.model == "m" else None)

    def forget(self) -> None:
        """Know nothing."""
        self.price = None


class Worker:
    """A scripted worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, *messages: ToControl) -> None:
        """Send messages in one frame."""
        self.writer.write(frame(list(messages)))

    async def hear(self) -> list[ToWorker]:
        """The next frame; no messages where the link has ended."""
        try:
            head = await self.reader.readexactly(4)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return []
        [body] = FrameReader().feed(head + await self.reader.readexactly(int.from_bytes(head, "big")))
        return to_worker(body)

    async def hello(self, worker: int = 0, pid: int = 10) -> list[ToWorker]:
        """Introduce it; return what it is told."""
        self.say(Hello(worker, pid))
        return await self.hear()


class Bench:
    """A link server and everything around it."""

    def __init__(self, path: Path, now: Callable[[], datetime], log: FilteringBoundLogger) -> None:
        self.path = path
        self._connected: list[Worker] = []
        self.counts = Counts()
        self.limits = Limits()
        self.prices = Prices()
        self.workers = Workers(now=now)
        self.ready: list[tuple[int, int]] = []
        self.directory = Directory()
        self.feed = FEED
        self.kept: list[Bodies] = []
        self.server = LinkServer(
            SNAPSHOT,
            directory=self.directory,
            counts=self.counts,
            lending=self.limits,
            prices=self.prices,
            workers=self.workers,
            is_ready=lambda worker, pid: self.ready.append((worker, pid)),
            log=log,
            feed=lambda: self.feed,
            keep=self.kept.append,
        )

    async def connect(self) -> Worker:
        """A new worker's connection."""
        worker = Worker(*await asyncio.open_unix_connection(self.path))
        self._connected.append(worker)
        return worker

    async def end(self) -> None:
        """Close everything."""
        self.server.close()
        await self.server.all_gone()
        for worker in self._connected:
            worker.writer.close()
            await asyncio.gather(worker.writer.wait_closed(), return_exceptions=True)


Converse = Callable[[Callable[[Bench], Awaitable[None]]], None]


@pytest.fixture
def converse(tmp_path: Path, now: Callable[[], datetime], log: FilteringBoundLogger) -> Converse:
    """Run a conversation with a listening link server."""

    def run(conversation: Callable[[Bench], Awaitable[None]]) -> None:
        async def main() -> None:
            bench = Bench(tmp_path / "l", now, log)
            listener = await asyncio.get_running_loop().create_unix_server(bench.server, bench.path)
            await asyncio.wait_for(conversation(bench), 60)
            listener.close()
            await bench.end()

        asyncio.run(main())

    return run


def test_worker_is_configured_and_answered(converse: Converse) -> None:
    """A worker gets its snapshot for its name, and answers to its questions; what it asks at once, in one frame."""

    async def conversation(bench: Bench) -> None:
        worker = await bench.connect()
        assert await worker.hello(2, 77) == [Configure(SNAPSHOT), FEED]
        worker.say(Resolve(1, b"one"), Resolve(2, b"two", is_damaged=True), Ready(1))
        assert await worker.hear() == [Resolved(1, ONE), Resolved(2, None)]
        assert bench.directory.damaged == [b"two"]
        assert bench.ready == [(2, 77)]
        assert [(state.pid, state.version) for state in bench.workers.listed()] == [(77, 1)]
        assert repr(bench.server) == "<LinkServer version=1 links=1>"

    converse(conversation)


def test_counts_are_answered_in_any_order(converse: Converse) -> None:
    """A count that takes long holds up nothing else."""

    async def conversation(bench: Bench) -> None:
        worker = await bench.connect()
        await worker.hello()
        worker.say(Count(1, "openai", "chat", "m", b"", b"x", is_text=True), Resolve(2, b"one"))
        assert await worker.hear() == [Resolved(2, ONE)]
        [(question, answer)] = bench.counts.asked
        assert question.number == 1
        answer(Counted(1, 3, 4, "counted"))
        assert await worker.hear() == [Counted(1, 3, 4, "counted")]

    converse(conversation)


def test_bodies_are_kept_without_an_answer(converse: Converse) -> None:
    """In the order in which they come."""

    async def conversation(bench: Bench) -> None:
        worker = await bench.connect()
        await worker.hello()
        bodies = [Bodies(f"req_{number}", 7, "o", "p", b"{}", b"hi", False, True) for number in range(2)]
        worker.say(*bodies, Resolve(2, b"one"))
        assert await worker.hear() == [Resolved(2, ONE)]
        assert bench.kept == bodies

    converse(conversation)


def test_leases_are_lent_and_recalled(converse: Converse) -> None:
    """Each worker gets its own answer when it comes; who waits for a lease is not reminded of its own."""

    async def conversation(bench: Bench) -> None:
        one, other = await bench.connect(), await bench.connect()
        await one.hello(0, 10)
        await other.hello(1, 11)
        one.say(Lend(7, "000-a", ()), Resolve(1, b"one"))
        assert await one.hear() == [Resolved(1, ONE)]
        [(lend, asker, answer)] = bench.limits.asked
        assert lend == Lend(7, "000-a", ())
        bench.server.recall(["a|requests|1h"], but=frozenset({asker}))
        assert await other.hear() == [Recall(("a|requests|1h",))]
        answer(Lent(7, (), 5.0))
        assert await one.hear() == [Lent(7, (), 5.0)]
        bench.server.recall(["b|requests|1h"], but=frozenset())
        assert await one.hear() == await other.hear() == [Recall(("b|requests|1h",))]

    converse(conversation)


def test_prices_are_told_until_they_change(converse: Converse) -> None:
    """A change is told to all workers, who then ask again, and hear what is known then."""

    async def conversation(bench: Bench) -> None:
        worker = await bench.connect()
        await worker.hello()
        worker.say(AskPrice(1, "openai", "m", "org"), AskPrice(2, "openai", "n", "org"))
        assert await worker.hear() == [Priced(1, PRICE), Priced(2, None)]
        bench.server.forget_prices()
        assert await worker.hear() == [ForgetPrices()]
        worker.say(AskPrice(3, "openai", "m", "org"))
        assert await worker.hear() == [Priced(3, None)]

    converse(conversation)


def test_what_a_worker_says_of_deployments_is_kept_as_long_as_its_link_stands(converse: Converse) -> None:
    """The last word counts; with the link it goes."""

    async def conversation(bench: Bench) -> None:
        worker = await bench.connect()
        await worker.hello(2, 77)
        for failures in (1, 2):
            worker.say(Health((DeploymentHealth("a", "open", failures, 5.0, 0.0, 0, 1),)), Resolve(1, b"one"))
            assert await worker.hear() == [Resolved(1, ONE)]
        assert [(told.pid, told.health.failures) for told in bench.workers.health_of("a")] == [(77, 2)]
        worker.writer.close()
        await bench.server.all_gone()
        assert bench.workers.health_of("a") == []

    converse(conversation)


def test_what_a_worker_says_of_its_journal_is_known(converse: Converse) -> None:
    """As it says it."""

    async def conversation(bench: Bench) -> None:
        worker = await bench.connect()
        await worker.hello(2, 77)
        worker.say(Journal("holding", 3), Resolve(1, b"one"))
        assert await worker.hear() == [Resolved(1, ONE)]
        assert (bench.workers.writing_of(77), bench.workers.dropped) == ("holding", 3)

    converse(conversation)


def test_without_prices_there_are_none() -> None:
    """Every question is answered."""
    prices, answers = NoPrices(), list[Price | None]()
    prices.find(AskPrice(1, "openai", "m", "org"), answers.append)
    prices.forget()
    assert answers == [None]
    assert repr(prices) == "<NoPrices>"


def test_change_reaches_every_worker(converse: Converse) -> None:
    """A new snapshot and what is to be forgotten go to all, the snapshot first; later workers begin with it."""

    async def conversation(bench: Bench) -> None:
        one, other = await bench.connect(), await bench.connect()
        await one.hello(0, 10)
        await other.hello(1, 11)
        bench.server.change(NEWER, (b"one",))
        for worker in (one, other):
            assert await worker.hear() == [Configure(NEWER), FEED, Forget((b"one",))]
        bench.server.change(NEWER, ())
        assert await one.hear() == [Configure(NEWER), FEED]
        assert await (await bench.connect()).hello(2, 12) == [Configure(NEWER), FEED]

    converse(conversation)


def test_announcement_is_on_its_way_at_once(converse: Converse) -> None:
    """It goes behind what was said before it in the same turn, and before what is said after; to all workers."""

    async def conversation(bench: Bench) -> None:
        one, other = await bench.connect(), await bench.connect()
        await one.hello(0, 10)
        await other.hello(1, 11)
        one.say(Count(1, "openai", "chat", "m", b"", b"x", is_text=True), Resolve(1, b"one"))
        assert await one.hear() == [Resolved(1, ONE)]
        bench.counts.asked[0][1](Counted(1, 3, 4, "counted"))
        bench.server.forget([b"one", b"two"])
        bench.server.forget([])
        bench.server.forget(None)
        bench.feed = Feed(5.0, 0.8)
        bench.server.tell_feed()
        assert await one.hear() == [Counted(1, 3, 4, "counted"), Forget((b"one", b"two"))]
        assert await one.hear() == [Forget(), ForgetPrices()]
        assert await one.hear() == [Feed(5.0, 0.8)]
        assert [await other.hear() for _ in range(3)] == [
            [Forget((b"one", b"two"))],
            [Forget(), ForgetPrices()],
            [Feed(5.0, 0.8)],
        ]

    converse(conversation)


@pytest.mark.parametrize(
    "broken",
    [
        (LARGEST_FRAME + 1).to_bytes(4, "big"),
        b"\0\0\0\1x",
        frame([Resolve(1, b"one")]),
        frame([Hello(0, 10), Hello(0, 10)]),
    ],
    ids=["too large", "nonsense", "no introduction", "two introductions"],
)
def test_broken_frame_closes_only_its_link(broken: bytes, converse: Converse, captured: LogCapture) -> None:
    """Who breaks the protocol is cut off, and logged; the others are served as before."""

    async def conversation(bench: Bench) -> None:
        good, bad = await bench.connect(), await bench.connect()
        await good.hello(1, 11)
        bad.writer.write(broken)
        while await bad.hear():
            pass
        good.say(Resolve(1, b"one"))
        assert await good.hear() == [Resolved(1, ONE)]
        assert [state.pid for state in bench.workers.listed()] == [11]
        assert captured.entries[0]["event"] == "a worker's link is broken"

    converse(conversation)


def test_answer_to_a_worker_that_left_is_dropped(converse: Converse) -> None:
    """A count that comes in after its worker died harms nobody, and the worker is listed no more."""

    async def conversation(bench: Bench) -> None:
        worker = await bench.connect()
        await worker.hello()
        worker.say(Count(1, "openai", "chat", "m", b"", b"x", is_text=True), Resolve(2, b"one"))
        await worker.hear()
        worker.writer.close()
        await bench.server.all_gone()
        bench.counts.asked[0][1](Counted(1, 3, 4, "counted"))
        await asyncio.sleep(0)
        assert bench.workers.listed() == []

    converse(conversation)


def test_worker_that_came_back_stays_known(converse: Converse) -> None:
    """Its old link may be seen to end after the new one stands: it is the same worker."""

    async def conversation(bench: Bench) -> None:
        old, new = await bench.connect(), await bench.connect()
        await old.hello(3, 10)
        await new.hello(3, 10)
        old.writer.close()
        while "links=2" in repr(bench.server):
            await asyncio.to_thread(lambda: None)
        new.say(Ready(1), Resolve(1, b"one"))
        assert await new.hear() == [Resolved(1, ONE)]
        assert [(state.pid, state.is_ready) for state in bench.workers.listed()] == [(10, True)]

    converse(conversation)


def test_worker_that_does_not_read_is_not_read_from(converse: Converse) -> None:
    """What waits for one worker stays bounded: its questions stay in its own socket until it takes the answers."""

    class Transport(asyncio.Transport):
        """A transport that records what is asked of it."""

        def __init__(self) -> None:
            super().__init__()
            self.calls: list[str] = []

        def pause_reading(self) -> None:
            self.calls.append("pause")

        def resume_reading(self) -> None:
            self.calls.append("resume")

    async def conversation(bench: Bench) -> None:
        link = bench.server()
        link.pause_writing()
        link.resume_writing()
        link.close()
        transport = Transport()
        link.connection_made(transport)
        assert repr(link) == "<WorkerLink None waiting=0>"
        link.pause_writing()
        link.resume_writing()
        assert transport.calls == ["pause", "resume"]

    converse(conversation)
