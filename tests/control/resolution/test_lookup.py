"""Batched questions about stored tokens, with a database that answers when the test says so."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.resolution.lookup import LARGEST_BATCH, PATIENCE, StoredTokens
from sluicegate.domain.principal import Principal

ONE, TWO = Principal("tok_1"), Principal("tok_2")


class Bench:
    """Stored tokens, their database and a clock."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self.now = 100.0
        self.queries: list[tuple[list[bytes], asyncio.Future[Mapping[bytes, Principal]]]] = []
        self.pauses: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue()
        self.answers: list[tuple[bytes, Principal | None]] = []
        self.declared: dict[bytes, Principal] = {}
        self.announced: list[list[bytes]] = []
        self.stored = StoredTokens(
            self.query,
            clock=lambda: self.now,
            log=log,
            known=self.declared.get,
            announce=lambda digests: self.announced.append(sorted(digests)),
        )

    async def query(self, digests: Sequence[bytes]) -> Mapping[bytes, Principal]:
        """Wait for the test."""
        future: asyncio.Future[Mapping[bytes, Principal]] = asyncio.get_running_loop().create_future()
        self.queries.append((list(digests), future))
        return await future

    async def pause(self) -> None:
        """Wait for the test."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.pauses.put_nowait(future)
        await future

    def ask(self, *digests: bytes) -> None:
        """Some worker asks."""
        for digest in digests:
            self.stored.find(digest, partial(self.answered, digest))

    def answered(self, digest: bytes, principal: Principal | None) -> None:
        """Keep an answer."""
        self.answers.append((digest, principal))

    async def asked(self) -> list[list[bytes]]:
        """The queries made so far, once nothing more is due."""
        for _ in range(8):
            await asyncio.sleep(0)
        return [digests for digests, _ in self.queries]

    async def says(self, **found: Principal) -> None:
        """The database answers the latest query."""
        self.queries[-1][1].set_result({name.encode(): principal for name, principal in found.items()})
        await self.asked()


Converse = Callable[[Callable[[Bench], Awaitable[None]]], None]


@pytest.fixture
def converse(log: FilteringBoundLogger) -> Converse:
    """Run a conversation while questions are being answered."""

    def run(conversation: Callable[[Bench], Awaitable[None]]) -> None:
        async def main() -> None:
            bench = Bench(log)
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(bench.stored.run(pause=bench.pause))
                await asyncio.wait_for(conversation(bench), 60)
                running.cancel()

        asyncio.run(main())

    return run


def test_questions_of_a_turn_are_one_query(converse: Converse) -> None:
    """Each digest is asked once, whoever asks; what the database does not know is nobody's."""

    async def conversation(bench: Bench) -> None:
        bench.ask(b"a", b"b", b"a", b"c")
        assert await bench.asked() == [[b"a", b"b", b"c"]]
        await bench.says(a=ONE, b=TWO)
        assert bench.answers == [(b"a", ONE), (b"a", ONE), (b"b", TWO), (b"c", None)]
        assert repr(bench.stored) == "<StoredTokens waiting=0 held=0 well>"

    converse(conversation)


def test_a_question_is_not_answered_by_a_query_under_way(converse: Converse) -> None:
    """What was read before it was asked could be older than the asker may believe."""

    async def conversation(bench: Bench) -> None:
        bench.ask(b"a")
        await bench.asked()
        bench.ask(b"a")
        assert await bench.asked() == [[b"a"]]
        await bench.says(a=ONE)
        assert await bench.asked() == [[b"a"], [b"a"]]
        assert bench.answers == [(b"a", ONE)]
        await bench.says(a=TWO)
        assert bench.answers == [(b"a", ONE), (b"a", TWO)]

    converse(conversation)


@pytest.mark.parametrize("announced", [[b"a"], None], ids=["by name", "all"])
def test_an_answer_older_than_an_announcement_does_not_leave(announced: list[bytes] | None, converse: Converse) -> None:
    """The classic race: read before the revocation, answered after it was announced. It is asked for once more."""

    async def conversation(bench: Bench) -> None:
        bench.ask(b"a")
        await bench.asked()
        bench.stored.doubt(announced)
        await bench.says(a=ONE)
        assert bench.answers == []
        assert await bench.asked() == [[b"a"], [b"a"]]
        await bench.says(a=TWO)
        assert bench.answers == [(b"a", TWO)]

    converse(conversation)


def test_a_doubt_about_another_token_delays_nothing(converse: Converse) -> None:
    """Nor does one that came before the query."""

    async def conversation(bench: Bench) -> None:
        bench.stored.doubt([b"a"])
        bench.ask(b"a")
        await bench.asked()
        bench.stored.doubt([b"b"])
        await bench.says(a=ONE)
        assert bench.answers == [(b"a", ONE)]

    converse(conversation)


@pytest.mark.parametrize("held", [[b"a"], None], ids=["by name", "all"])
def test_while_a_change_is_committed_its_tokens_are_not_answered(held: list[bytes] | None, converse: Converse) -> None:
    """Neither asked for nor answered until all who hold them have let go."""

    async def conversation(bench: Bench) -> None:
        bench.ask(b"a")
        await bench.asked()
        bench.stored.hold(held)
        bench.stored.hold(held)
        assert f"held={'all' if held is None else 1}" in repr(bench.stored)
        await bench.says(a=ONE)
        bench.ask(b"a")
        assert await bench.asked() == [[b"a"]]
        bench.stored.release(held)
        assert await bench.asked() == [[b"a"]]
        bench.stored.release(held)
        assert await bench.asked() == [[b"a"], [b"a"]]
        await bench.says(a=TWO)
        assert bench.answers == [(b"a", TWO), (b"a", TWO)]

    converse(conversation)


def test_others_are_answered_while_some_are_held(converse: Converse) -> None:
    """A commit that takes long is felt by its own tokens only."""

    async def conversation(bench: Bench) -> None:
        bench.stored.hold([b"a"])
        bench.ask(b"a", b"b")
        assert await bench.asked() == [[b"b"]]
        await bench.says(b=TWO)
        assert bench.answers == [(b"b", TWO)]
        assert len(bench.queries) == 1

    converse(conversation)


def test_a_database_that_fails_is_asked_again(converse: Converse, captured: LogCapture) -> None:
    """After a pause; the trouble is logged once, and so is its end. Nobody is told that a token is unknown."""

    async def conversation(bench: Bench) -> None:
        bench.ask(b"a")
        await bench.asked()
        for error in (OSError("gone"), TimeoutError()):
            bench.queries[-1][1].set_exception(error)
            pause = await bench.pauses.get()
            bench.ask(b"b")
            assert bench.answers == []
            pause.set_result(None)
            await bench.asked()
        assert "TimeoutError" in repr(bench.stored)
        assert bench.queries[-1][0] == [b"a", b"b"]
        await bench.says(a=ONE)
        assert bench.answers == [(b"a", ONE), (b"b", None), (b"b", None)]
        events: list[Any] = [entry["event"] for entry in captured.entries]
        assert events == ["tokens cannot be looked up", "over: tokens cannot be looked up"]

    converse(conversation)


def test_a_question_is_dropped_when_its_worker_gave_up(converse: Converse) -> None:
    """A database that is away for long does not gather questions."""

    async def conversation(bench: Bench) -> None:
        bench.ask(b"a", b"b")
        await bench.asked()
        bench.queries[-1][1].set_exception(OSError("gone"))
        pause = await bench.pauses.get()
        bench.now += PATIENCE
        bench.ask(b"a")
        bench.now += 0.1
        pause.set_result(None)
        assert (await bench.asked())[-1] == [b"a"]
        await bench.says(a=ONE)
        assert bench.answers == [(b"a", ONE)]
        assert repr(bench.stored) == "<StoredTokens waiting=0 held=0 well>"

    converse(conversation)


def test_a_flood_is_asked_in_pieces(converse: Converse) -> None:
    """No query grows beyond the bound; the rest follows at once."""

    async def conversation(bench: Bench) -> None:
        bench.ask(*(b"%d" % number for number in range(LARGEST_BATCH + 1)))
        assert [len(query) for query in await bench.asked()] == [LARGEST_BATCH]
        await bench.says()
        assert [len(query) for query in await bench.asked()] == [LARGEST_BATCH, 1]

    converse(conversation)


def test_what_a_file_declares_is_told_while_the_database_is_away(converse: Converse) -> None:
    """At once after the first failure, and as long as that lasts; then it is announced, to be asked for anew."""

    async def conversation(bench: Bench) -> None:
        bench.declared.update({b"a": ONE, b"b": TWO})
        bench.ask(b"a", b"stored")
        await bench.asked()
        bench.queries[-1][1].set_exception(OSError("refused"))
        await bench.asked()
        assert bench.answers == [(b"a", ONE)]
        bench.ask(b"b")
        assert bench.answers == [(b"a", ONE), (b"b", TWO)]
        bench.ask(b"c")
        assert bench.announced == []
        (await bench.pauses.get()).set_result(None)
        assert await bench.asked() == [[b"a", b"stored"], [b"stored", b"c"]]
        await bench.says(stored=ONE)
        assert bench.answers[2:] == [(b"stored", ONE), (b"c", None)]
        assert bench.announced == [[b"a", b"b"]]
        bench.ask(b"a")
        await bench.asked()
        await bench.says(a=TWO)
        assert bench.answers[-1] == (b"a", TWO)
        assert len(bench.announced) == 1

    converse(conversation)


def test_the_database_is_tried_again_where_nobody_waits(converse: Converse) -> None:
    """One of those that were told something makeshift serves to see whether it is back."""

    async def conversation(bench: Bench) -> None:
        bench.declared[b"a"] = ONE
        bench.ask(b"a")
        for _ in range(2):
            await bench.asked()
            bench.queries[-1][1].set_exception(OSError("refused"))
            (await bench.pauses.get()).set_result(None)
        assert await bench.asked() == [[b"a"]] * 3
        assert bench.announced == []
        await bench.says(a=ONE)
        assert (bench.announced, bench.answers) == ([[b"a"]], [(b"a", ONE)])
        assert await bench.asked() == [[b"a"]] * 3, "nothing is left to ask"

    converse(conversation)


def test_within_a_change_nothing_makeshift_is_told(converse: Converse) -> None:
    """What is being committed holds back declared tokens as well, until it is announced again."""

    async def conversation(bench: Bench) -> None:
        bench.declared[b"a"] = ONE
        bench.ask(b"a")
        await bench.asked()
        bench.stored.hold([b"a"])
        bench.queries[-1][1].set_exception(OSError("refused"))
        await bench.asked()
        bench.ask(b"a")
        assert bench.answers == []
        bench.stored.release([b"a"])
        (await bench.pauses.get()).set_result(None)
        await bench.asked()
        await bench.says(a=TWO)
        assert bench.answers == [(b"a", TWO), (b"a", TWO)]

    converse(conversation)
