"""A worker's end of the link, against a control process played on a real Unix socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import Context
from pathlib import Path
from typing import Any, TypeVarTuple

import msgspec
import uvloop

from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import Snapshot
from sluicegate.gateway.link import (
    COUNT_SECONDS,
    LARGEST_COUNTED,
    LARGEST_COUNTING,
    LARGEST_HANDING,
    LARGEST_UNSENT,
    Link,
)
from sluicegate.wire.link import (
    AskLease,
    AskPrice,
    Bodies,
    Configure,
    Count,
    Counted,
    Feed,
    Forget,
    ForgetPrices,
    FrameReader,
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
    to_control,
)

SOMEBODY = Principal("tok_1")
QUESTION = Count(0, "openai", "chat", "gpt", b"{}", b"hello", True, 3)


class Line:
    """Control's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def hears(self) -> list[ToControl]:
        """The messages of the next frame."""
        size = int.from_bytes(await self.reader.readexactly(4), "big")
        return to_control(await self.reader.readexactly(size))

    def says(self, *messages: ToWorker) -> None:
        """Send one frame."""
        self.writer.write(frame(messages))


class Worker:
    """Listens to the link: everything it is told, in order."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[object] = asyncio.Queue()

    def configured(self, snapshot: Snapshot) -> None:
        self.told.put_nowait(snapshot.version)

    def resolved(self, digest: bytes, principal: Principal | None) -> None:
        self.told.put_nowait((digest, principal))

    def forgotten(self, digests: tuple[bytes, ...]) -> None:
        self.told.put_nowait(digests)

    def feed_true(self, as_of: float, lease: float) -> None:
        self.told.put_nowait((as_of, lease))

    def recalled(self, accounts: tuple[str, ...]) -> None:
        self.told.put_nowait(("recalled", accounts))

    def prices_forgotten(self) -> None:
        self.told.put_nowait("prices")

    def link_lost(self) -> None:
        self.told.put_nowait("lost")


class Scene:
    """A link and the lines it has opened."""

    def __init__(self, path: str) -> None:
        self.lines: asyncio.Queue[Line] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []
        self.worker = Worker()
        self.link = Link(path, worker=3, pid=77, listener=self.worker, loop=asyncio.get_running_loop())

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.lines.put_nowait(Line(reader, writer))

    async def close(self) -> None:
        """End the link and every line, and let the loop finish with them."""
        self.link.close()
        for _ in range(5):
            await asyncio.sleep(0)
        for writer in self.writers:
            writer.transport.abort()
        for _ in range(5):
            await asyncio.sleep(0)

    async def line(self) -> Line:
        """The next line, after its greeting."""
        line = await self.lines.get()
        assert await line.hears() == [Hello(3, 77)]
        return line


@asynccontextmanager
async def a_scene(path: str) -> AsyncIterator[Scene]:
    """A link that was started, with control listening."""
    scene = Scene(path)
    server = await asyncio.start_unix_server(scene.accept, path)
    scene.link.start()
    try:
        yield scene
    finally:
        server.close()
        await scene.close()


def play(tmp_path: Path, script: Callable[[Scene], Awaitable[None]]) -> None:
    """Run a script in a scene."""

    async def main() -> None:
        async with a_scene(str(tmp_path / "s")) as scene:
            await asyncio.wait_for(script(scene), 60)

    asyncio.run(main())


def test_how_the_journal_does_is_told_where_somebody_listens(tmp_path: Path) -> None:
    """Who would tell learns that nobody did."""

    async def script(scene: Scene) -> None:
        assert not scene.link.journal(Journal("holding", 3))
        line = await scene.line()
        assert scene.link.journal(Journal("dropping", 4))
        assert await line.hears() == [Journal("dropping", 4)]

    play(tmp_path, script)


def test_the_worker_speaks_first_and_is_configured(tmp_path: Path) -> None:
    """It says who it is, takes the snapshot, and tells when it runs on it."""

    async def script(scene: Scene) -> None:
        assert repr(scene.link).startswith("<Link down")
        line = await scene.line()
        assert scene.link.is_up
        line.says(Configure(Snapshot(version=5)))
        assert await scene.worker.told.get() == 5
        scene.link.ready(5)
        assert await line.hears() == [Ready(5)]

    play(tmp_path, script)


def test_questions_of_one_turn_are_one_frame(tmp_path: Path) -> None:
    """Each has its number; answers may come in any order, also those that know of nobody."""

    async def script(scene: Scene) -> None:
        line = await scene.line()
        scene.link.resolve(b"a")
        scene.link.resolve(b"b")
        assert repr(scene.link) == "<Link up resolving=2 counting=0>"
        first, second = await line.hears()
        assert isinstance(first, Resolve)
        assert isinstance(second, Resolve)
        assert (first.digest, second.digest) == (b"a", b"b")
        line.says(Resolved(second.number, None), Resolved(first.number, SOMEBODY))
        assert [await scene.worker.told.get() for _ in range(2)] == [(b"b", None), (b"a", SOMEBODY)]
        scene.link.resolve(b"c")
        assert len(await line.hears()) == 1

    play(tmp_path, script)


def test_answers_to_no_question_are_passed_over(tmp_path: Path) -> None:
    """A number we did not give, or whose answer was taken already, tells us nothing."""

    async def script(scene: Scene) -> None:
        line = await scene.line()
        line.says(Resolved(99, SOMEBODY), Counted(99, 1, 2, "counted"), Forget((b"a", b"b")))
        assert await scene.worker.told.get() == (b"a", b"b")

    play(tmp_path, script)


def test_how_far_the_feed_is_true_is_passed_on(tmp_path: Path) -> None:
    """In the order in which it was said, between what was to be forgotten."""

    async def script(scene: Scene) -> None:
        line = await scene.line()
        line.says(Forget((b"a",)), Feed(12.5, 0.8), Forget((b"b",)))
        assert [await scene.worker.told.get() for _ in range(3)] == [(b"a",), (12.5, 0.8), (b"b",)]

    play(tmp_path, script)


def test_a_damaged_token_is_asked_for_as_such(tmp_path: Path) -> None:
    """Control then need not ask the database."""

    async def script(scene: Scene) -> None:
        line = await scene.line()
        scene.link.resolve(b"a", is_damaged=True)
        assert await line.hears() == [Resolve(1, b"a", True)]

    play(tmp_path, script)


def test_a_count_goes_to_control_and_its_answer_to_the_asker(tmp_path: Path) -> None:
    """The number is filled in; everything else travels as it was asked; one answer is taken once."""

    async def script(scene: Scene) -> None:
        line = await scene.line()
        answers: asyncio.Queue[Counted | None] = asyncio.Queue()
        scene.link.count(QUESTION, 0.0, answers.put_nowait)
        (asked,) = await line.hears()
        assert isinstance(asked, Count)
        assert asked == Count(asked.number, "openai", "chat", "gpt", b"{}", b"hello", True, 3)
        answer = Counted(asked.number, 1, 2, "counted")
        line.says(answer, answer, Forget())
        assert await answers.get() == answer
        assert await scene.worker.told.get() == ()
        assert answers.empty()

    play(tmp_path, script)


def some_bodies(size: int = 2) -> Bodies:
    """Bodies of so many bytes."""
    return Bodies("req_1", 7, "o", "p", b"a" * (size - 1), b"b", False, True)


def test_bodies_go_to_control(tmp_path: Path) -> None:
    """As they are; where there is no link they are lost."""

    async def script(scene: Scene) -> None:
        assert not scene.link.hand_over(some_bodies())
        line = await scene.line()
        assert scene.link.hand_over(some_bodies())
        assert await line.hears() == [some_bodies()]

    play(tmp_path, script)


def test_only_so_many_bodies_wait(tmp_path: Path) -> None:
    """Beyond the bound they are dropped, in the turn and while control does not read; then they are taken again."""

    async def script(scene: Scene) -> None:
        line = await scene.line()
        half = LARGEST_HANDING // 2
        assert not scene.link.hand_over(some_bodies(LARGEST_HANDING + 1))
        assert scene.link.hand_over(some_bodies(half))
        assert scene.link.hand_over(some_bodies(half))
        assert not scene.link.hand_over(some_bodies())
        await asyncio.sleep(0)
        assert not scene.link.hand_over(some_bodies(half + half // 2))
        assert len(await line.hears()) == 2
        for _ in range(100):
            await asyncio.sleep(0)
        assert scene.link.hand_over(some_bodies(half))
        assert await line.hears() == [some_bodies(half)]

    play(tmp_path, script)


def test_a_count_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    """The exchange is then recorded with its guess; a younger question still waits."""

    async def script(scene: Scene) -> None:
        await scene.line()
        answers: list[tuple[str, Counted | None]] = []
        scene.link.count(QUESTION, 100.0, lambda answer: answers.append(("old", answer)))
        scene.link.count(QUESTION, 101.0, lambda answer: answers.append(("young", answer)))
        scene.link.sweep(100.0 + COUNT_SECONDS)
        assert answers == []
        scene.link.sweep(100.5 + COUNT_SECONDS)
        assert answers == [("old", None)]

    play(tmp_path, script)


def test_only_so_many_counts_wait(tmp_path: Path) -> None:
    """Beyond the bound the guess is taken at once."""

    async def script(scene: Scene) -> None:
        await scene.line()
        answers: list[Counted | None] = []
        for _ in range(LARGEST_COUNTING):
            scene.link.count(QUESTION, 0.0, answers.append)
        assert answers == []
        scene.link.count(QUESTION, 0.0, answers.append)
        assert answers == [None]

    play(tmp_path, script)


def test_a_control_process_that_takes_nothing_does_not_fill_the_memory(tmp_path: Path) -> None:
    """Bodies wait for it up to a bound; beyond it the guess is taken at once, also within one turn."""

    async def script(scene: Scene) -> None:
        line = await scene.line()
        answers: list[Counted | None] = []
        large = msgspec.structs.replace(QUESTION, request=b" " * (LARGEST_COUNTED - 100))
        fitting = LARGEST_UNSENT // LARGEST_COUNTED
        for _ in range(fitting):
            scene.link.count(large, 0.0, answers.append)
        assert answers == []
        scene.link.count(large, 0.0, answers.append)
        assert answers == [None]
        await asyncio.sleep(0)
        scene.link.count(large, 0.0, answers.append)
        assert answers == [None, None]
        reader, heard = FrameReader(), list[ToControl]()
        while len(heard) < fitting:
            for body in reader.feed(await line.reader.read(2**20)):
                heard += to_control(body)
        scene.link.count(large, 0.0, answers.append)
        assert answers == [None, None]

    play(tmp_path, script)


def test_large_bodies_that_end_together_break_no_link(tmp_path: Path) -> None:
    """As when a provider dies under many long streams: they go in as many frames as it takes, in their order."""

    async def script(scene: Scene) -> None:
        line = await scene.line()
        large = msgspec.structs.replace(QUESTION, request=b" " * (LARGEST_COUNTED - 100))
        scene.link.ready(1)
        for _ in range(3):
            scene.link.count(large, 0.0, lambda answer: None)
        scene.link.ready(2)
        reader, heard = FrameReader(), list[ToControl]()
        while len(heard) < 5:
            for body in reader.feed(await line.reader.read(2**20)):
                heard += to_control(body)
        assert [type(message) for message in heard] == [Ready, Count, Count, Count, Ready]

    play(tmp_path, script)


def test_what_fits_in_no_frame_is_not_counted(tmp_path: Path) -> None:
    """Its event keeps the guess; the link stands."""

    async def script(scene: Scene) -> None:
        line = await scene.line()
        answers: list[Counted | None] = []
        scene.link.count(msgspec.structs.replace(QUESTION, request=b" " * (LARGEST_COUNTED + 1)), 0.0, answers.append)
        assert answers == [None]
        scene.link.ready(1)
        assert await line.hears() == [Ready(1)]

    play(tmp_path, script)


def test_a_lost_link_is_told_and_comes_back(tmp_path: Path) -> None:
    """Open counts are answered with None, open questions end, and the new line begins with a greeting only."""

    async def script(scene: Scene) -> None:
        line = await scene.line()
        answers: list[Counted | None] = []
        scene.link.resolve(b"a")
        scene.link.count(QUESTION, 0.0, answers.append)
        await line.hears()
        line.writer.close()
        assert await scene.worker.told.get() == "lost"
        assert answers == [None]
        assert repr(scene.link) == "<Link down resolving=0 counting=0>"
        again = await scene.line()
        scene.link.resolve(b"b")
        (asked,) = await again.hears()
        assert isinstance(asked, Resolve)
        assert asked.digest == b"b"

    play(tmp_path, script)


def test_what_was_asked_in_the_turn_of_the_loss_is_not_sent_later(tmp_path: Path) -> None:
    """A question belongs to its connection: whoever still wants it asks again."""

    async def script(scene: Scene) -> None:
        line = await scene.line()
        line.writer.close()
        while not scene.worker.told.qsize():
            scene.link.resolve(b"a")
            scene.link.ready(1)
            scene.link.count(QUESTION, 0.0, lambda answer: None)
            await asyncio.sleep(0)
        again = await scene.line()
        again.says(Forget())
        assert [await scene.worker.told.get() for _ in range(2)] == ["lost", ()]
        scene.link.ready(9)
        assert await again.hears() == [Ready(9)]

    play(tmp_path, script)


def test_a_broken_frame_ends_the_connection(tmp_path: Path) -> None:
    """What is not the protocol is not answered: the link is made anew."""

    async def script(scene: Scene) -> None:
        for broken in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x01\xc1"):
            line = await scene.line()
            line.writer.write(broken)
            assert await scene.worker.told.get() == "lost"
            line.writer.close()
        await scene.line()

    play(tmp_path, script)


def test_a_frame_may_come_in_pieces(tmp_path: Path) -> None:
    """The reads' boundaries mean nothing."""

    async def script(scene: Scene) -> None:
        line = await scene.line()
        for byte in frame([Forget((b"a",))]):
            line.writer.write(bytes((byte,)))
            await line.writer.drain()
        assert await scene.worker.told.get() == (b"a",)

    play(tmp_path, script)


class CountingLoop(asyncio.SelectorEventLoop):
    """A loop that tells when an attempt to reach control has failed."""

    failed: asyncio.Event

    async def create_unix_connection(self, *arguments: Any, **named: Any) -> Any:
        try:
            return await super().create_unix_connection(*arguments, **named)
        except OSError:
            self.failed.set()
            raise


def in_counting_loop(main: Callable[[CountingLoop], Coroutine[Any, Any, None]]) -> None:
    """Run on such a loop."""
    loop = CountingLoop()
    loop.failed = asyncio.Event()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main(loop))


def test_a_control_process_that_is_away_is_tried_again(tmp_path: Path) -> None:
    """The worker starts before control is there, and connects when it is; a second start changes nothing."""
    path = str(tmp_path / "s")

    async def main(loop: CountingLoop) -> None:
        scene = Scene(path)
        scene.link.start()
        scene.link.start()
        for _ in range(2):
            await loop.failed.wait()
            loop.failed.clear()
        server = await asyncio.start_unix_server(scene.accept, path)
        await scene.line()
        assert scene.lines.empty()
        server.close()
        await scene.close()

    in_counting_loop(main)


class DyingLoop(asyncio.SelectorEventLoop):
    """A loop whose first connection is lost before whoever made it goes on."""

    has_lost = False

    async def create_unix_connection(self, *arguments: Any, **named: Any) -> Any:
        transport, protocol = await super().create_unix_connection(*arguments, **named)
        if not self.has_lost:
            self.has_lost = True
            transport.abort()
            await asyncio.sleep(0)
        return transport, protocol


def test_a_connection_that_is_lost_as_it_is_made_is_made_again(tmp_path: Path) -> None:
    """A control process may be killed just when it is reached: its worker comes to the next one."""

    async def main() -> None:
        async with a_scene(str(tmp_path / "s")) as scene:
            assert await scene.worker.told.get() == "lost"
            await scene.lines.get()
            await asyncio.wait_for(scene.line(), 60)
            assert scene.worker.told.empty()

    with asyncio.Runner(loop_factory=DyingLoop) as runner:
        runner.run(main())


Passed = TypeVarTuple("Passed")


class PausingLoop(asyncio.SelectorEventLoop):
    """A loop that notes the pauses between attempts, and makes none."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def call_later(
        self, delay: float, callback: Callable[[*Passed], object], *args: *Passed, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self.pauses.append(delay)
        return super().call_later(0.0, callback, *args, context=context)


def test_a_control_process_that_answers_nothing_is_not_asked_all_the_time(tmp_path: Path) -> None:
    """It may speak as no worker of this version does: then each of its connections ends at once."""
    loop = PausingLoop()

    async def main() -> None:
        async with a_scene(str(tmp_path / "s")) as scene:
            for _ in range(3):
                (await scene.line()).writer.write(b"\xff" * 4)
                assert await scene.worker.told.get() == "lost"
            line = await scene.line()
            assert loop.pauses == [0.02, 0.05, 0.1]
            line.says(Configure(Snapshot(version=5)))
            assert await scene.worker.told.get() == 5
            line.writer.write(b"\xff" * 4)
            assert await scene.worker.told.get() == "lost"
            await scene.line()
            assert loop.pauses == [0.02, 0.05, 0.1], "one that has answered is come back to at once"

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())


def test_a_link_that_is_closed_as_its_connection_stands_is_down(tmp_path: Path) -> None:
    """In whichever turn: uvloop ends such a connection without a word, and a count would be waited for in vain."""
    path = str(tmp_path / "s")
    links: list[Link] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(asyncio.Protocol, path)
        for turns in range(8):
            link = Link(path, worker=3, pid=77, listener=Worker(), loop=loop)
            link.start()
            for _ in range(turns):
                await asyncio.sleep(0)
            link.close()
            for _ in range(8):
                await asyncio.sleep(0)
            links.append(link)
        server.close()

    uvloop.run(main())
    assert [link.is_up for link in links] == [False] * 8


def test_a_closed_link_is_not_tried_again(tmp_path: Path) -> None:
    """Closing ends the attempts, and starting has no effect any more."""

    async def main(loop: CountingLoop) -> None:
        scene = Scene(str(tmp_path / "s"))
        scene.link.start()
        await loop.failed.wait()
        scene.link.close()
        scene.link.start()
        assert len(asyncio.all_tasks()) <= 2
        assert not scene.link.is_up

    in_counting_loop(main)


def test_while_the_link_is_down_questions_are_dropped(tmp_path: Path) -> None:
    """Nobody waits for an answer that cannot come: counts are refused at once, the rest is asked anew later."""

    async def main(_loop: CountingLoop) -> None:
        scene = Scene(str(tmp_path / "s"))
        answers: list[Counted | None] = []
        scene.link.resolve(b"a")
        scene.link.ready(1)
        scene.link.count(QUESTION, 0.0, answers.append)
        assert answers == [None]
        assert repr(scene.link) == "<Link down resolving=0 counting=0>"

    in_counting_loop(main)


def test_closing_ends_the_line(tmp_path: Path) -> None:
    """Control sees the end; the worker is not connected again."""

    async def script(scene: Scene) -> None:
        line = await scene.line()
        answers: list[Counted | None] = []
        scene.link.count(QUESTION, 0.0, answers.append)
        assert repr(scene.link) == "<Link up resolving=0 counting=1>"
        scene.link.close()
        assert answers == [None], "who waits is told before the loop goes on: there is no later"
        assert not scene.link.is_counting
        assert await line.reader.read() == b""
        assert await scene.worker.told.get() == "lost"
        assert scene.worker.told.empty()
        assert scene.lines.empty()
        line.writer.close()

    play(tmp_path, script)


def test_leases_and_prices_are_asked_for(tmp_path: Path) -> None:
    """Each answer goes to whom asked; what nobody asked for is passed over."""

    async def script(scene: Scene) -> None:
        line = await scene.line()
        told: asyncio.Queue[object] = asyncio.Queue()
        ask = AskLease("tok_1|requests|1h", 10, 0, 1, 2, 0)
        scene.link.lend((ask,), told.put_nowait)
        scene.link.ask_price("openai", "gpt", "org_a", told.put_nowait)
        lend, priced = await line.hears()
        assert isinstance(lend, Lend)
        assert (lend.holder, lend.asks) == ("", (ask,))
        assert priced == AskPrice(lend.number + 1, "openai", "gpt", "org_a")
        answers = (Priced(lend.number + 1, None), Lent(lend.number, (), 5.0))
        line.says(Lent(99, (), 5.0), Priced(99, None), *answers)
        assert [await told.get() for _ in range(2)] == list(answers)
        line.says(Recall(("tok_1|requests|1h",)), ForgetPrices())
        assert [await scene.worker.told.get() for _ in range(2)] == [("recalled", ("tok_1|requests|1h",)), "prices"]

    play(tmp_path, script)


def test_a_broken_link_answers_nobody(tmp_path: Path) -> None:
    """Who asked for leases and prices hears so, whether it broke before the answer or was down before the question."""

    async def script(scene: Scene) -> None:
        line = await scene.line()
        told: list[object] = []
        scene.link.lend((), told.append)
        scene.link.ask_price("openai", "gpt", "org_a", told.append)
        await line.hears()
        line.writer.transport.abort()
        assert await scene.worker.told.get() == "lost"
        assert told == [None, None]
        scene.link.lend((), told.append)
        scene.link.ask_price("openai", "gpt", "org_a", told.append)
        assert told == [None] * 4
        await scene.line()

    play(tmp_path, script)
