"""What a worker remembers about tokens, for how long, and when it asks."""

import asyncio
from collections.abc import Iterator

import pytest

from sluicegate.domain.errors import ControlUnavailableError, OverloadedError
from sluicegate.domain.principal import Principal
from sluicegate.gateway.principals import (
    ASK_SECONDS,
    LARGEST_ASKED,
    LARGEST_KNOWN,
    LARGEST_UNKNOWN,
    UNKNOWN_SECONDS,
    Principals,
)

SOMEBODY = Principal("tok_1")


class Desk:
    """Principals with a clock moved by hand and a list of the questions asked."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = 100.0
        self.questions: list[bytes] = []
        self.principals = Principals(self, clock=lambda: self.now, loop=loop)

    def resolve(self, digest: bytes) -> None:
        self.questions.append(digest)

    def get(self, digest: bytes) -> Principal | None:
        return self.principals.get(digest, self.now)

    def find(self, digest: bytes) -> "asyncio.Future[Principal | None] | None":
        return self.principals.find(digest, self.now)

    def asks(self, digest: bytes) -> "asyncio.Future[Principal | None]":
        """Find what must be asked for."""
        future = self.find(digest)
        assert future is not None
        return future


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Principals that know nothing."""
    loop = asyncio.new_event_loop()
    yield Desk(loop)
    loop.close()


def numbered(number: int) -> bytes:
    """A digest."""
    return number.to_bytes(4, "big")


def test_an_answer_is_kept(desk: Desk) -> None:
    """The question's future has the answer, and so has everyone after it without a question."""
    future = desk.asks(b"a")
    desk.principals.learn(b"a", SOMEBODY)
    assert future.result() is SOMEBODY
    assert desk.get(b"a") is SOMEBODY
    assert desk.questions == [b"a"]


def test_the_same_question_is_asked_once(desk: Desk) -> None:
    """Who asks meanwhile waits for the same answer."""
    assert desk.asks(b"a") is desk.asks(b"a")
    assert desk.asks(b"b") is not desk.asks(b"a")
    assert desk.questions == [b"a", b"b"]


def test_an_unknown_digest_is_refused_for_a_while_without_asking(desk: Desk) -> None:
    """After that time it is asked for again: its token may have been made meanwhile."""
    future = desk.asks(b"x")
    desk.principals.learn(b"x", None)
    assert future.result() is None
    desk.now += UNKNOWN_SECONDS - 0.1
    assert desk.find(b"x") is None
    desk.now += 0.2
    desk.asks(b"x")
    assert desk.questions == [b"x", b"x"]


def test_refusals_are_dropped_by_the_sweep(desk: Desk) -> None:
    """A refusal that has served its time does not stay in memory; a younger one does."""
    desk.principals.learn(b"x", None)
    desk.now += UNKNOWN_SECONDS / 2
    desk.principals.learn(b"y", None)
    desk.now += UNKNOWN_SECONDS / 2
    desk.principals.sweep(desk.now)
    assert "unknown=1 " in repr(desk.principals)
    assert desk.find(b"y") is None


def test_random_credentials_do_not_fill_memory(desk: Desk) -> None:
    """Beyond the bound the oldest refusal makes room."""
    for number in range(LARGEST_UNKNOWN + 1):
        desk.principals.learn(numbered(number), None)
    assert f"unknown={LARGEST_UNKNOWN} " in repr(desk.principals)
    assert desk.find(numbered(1)) is None
    desk.asks(numbered(0))


def test_what_is_known_is_bounded(desk: Desk) -> None:
    """Beyond the bound the principal learned longest ago makes room; one learned again is young."""
    for number in range(LARGEST_KNOWN):
        desk.principals.learn(numbered(number), SOMEBODY)
    desk.principals.learn(numbered(0), SOMEBODY)
    desk.principals.learn(numbered(LARGEST_KNOWN), SOMEBODY)
    assert desk.get(numbered(0)) is SOMEBODY
    assert desk.get(numbered(1)) is None
    assert f"known={LARGEST_KNOWN} " in repr(desk.principals)


def test_too_many_open_questions_are_refused(desk: Desk) -> None:
    """A flood of new credentials gets 503; what is asked already may still be waited for."""
    for number in range(LARGEST_ASKED):
        desk.find(numbered(number))
    with pytest.raises(OverloadedError):
        desk.find(b"one too many")
    assert desk.asks(numbered(0)) is not None
    assert len(desk.questions) == LARGEST_ASKED


def test_a_question_without_an_answer_is_given_up(desk: Desk) -> None:
    """Whoever waited hears that control is away, once the time is over and not before; asking again is possible."""
    future = desk.asks(b"a")
    desk.principals.sweep(desk.now + ASK_SECONDS)
    assert not future.done()
    desk.principals.sweep(desk.now + ASK_SECONDS + 0.1)
    assert isinstance(future.exception(), ControlUnavailableError)
    assert desk.asks(b"a") is not future


def test_a_cancelled_question_harms_nobody(desk: Desk) -> None:
    """Neither the answer nor the end of the wait touches a future that is done."""
    desk.asks(b"a").cancel()
    desk.principals.learn(b"a", SOMEBODY)
    assert desk.get(b"a") is SOMEBODY
    desk.asks(b"b").cancel()
    desk.principals.sweep(desk.now + ASK_SECONDS + 1)
    assert "asked=0" in repr(desk.principals)


def test_an_answer_nobody_asked_for_is_kept(desk: Desk) -> None:
    """A late answer, after its question was given up, is as good as any."""
    desk.principals.learn(b"a", SOMEBODY)
    assert desk.get(b"a") is SOMEBODY


def test_the_feed_drops_what_it_names(desk: Desk) -> None:
    """Named digests are asked for again, whether they were known or refused; others stay."""
    desk.principals.learn(b"a", SOMEBODY)
    desk.principals.learn(b"b", SOMEBODY)
    desk.principals.learn(b"x", None)
    desk.principals.forget((b"a", b"x", b"never seen"))
    assert desk.get(b"a") is None
    assert desk.get(b"b") is SOMEBODY
    desk.asks(b"x")


def test_a_feed_that_names_nothing_drops_all(desk: Desk) -> None:
    """An empty list means everything."""
    desk.principals.learn(b"a", SOMEBODY)
    desk.principals.learn(b"x", None)
    desk.principals.forget(())
    assert repr(desk.principals) == "<Principals known=0 unknown=0 asked=0 feed=live>"


def test_what_is_known_stays_good_for_the_grace_only(desk: Desk) -> None:
    """While control restarts callers are served; after the grace neither they nor refusals are believed."""
    desk.principals.learn(b"a", SOMEBODY)
    desk.principals.feed_cut(3.0)
    desk.principals.learn(b"x", None)
    assert repr(desk.principals).endswith("feed=cut until=103.0>")
    desk.now += 3.0
    assert desk.get(b"a") is SOMEBODY
    assert desk.find(b"x") is None
    desk.now += 0.1
    assert desk.get(b"a") is None
    desk.asks(b"x")


def test_a_second_cut_does_not_prolong_the_grace(desk: Desk) -> None:
    """A link that breaks again before it was restored changes nothing."""
    desk.principals.learn(b"a", SOMEBODY)
    desk.principals.feed_cut(3.0)
    desk.now += 2.0
    desk.principals.feed_cut(3.0)
    desk.now += 1.5
    assert desk.get(b"a") is None


def test_a_restored_feed_forgets_and_asks_anew(desk: Desk) -> None:
    """What changed meanwhile is unknown; questions lost with the old link are sent over the new one."""
    desk.principals.learn(b"a", SOMEBODY)
    open_question = desk.asks(b"b")
    desk.principals.feed_cut(0.0)
    desk.principals.feed_restored()
    assert desk.get(b"a") is None
    assert desk.questions == [b"b", b"b"]
    desk.now += 1000.0
    desk.principals.learn(b"b", SOMEBODY)
    assert open_question.result() is SOMEBODY
    assert desk.get(b"b") is SOMEBODY


def test_without_a_loop_of_its_own_the_running_one_is_used() -> None:
    """A worker makes its principals before its loop runs."""

    class Silent:
        def resolve(self, digest: bytes) -> None:
            """Never answer."""

    async def ask() -> bool:
        future = Principals(Silent(), clock=lambda: 0.0).find(b"a", 0.0)
        return future is not None and future.get_loop() is asyncio.get_running_loop()

    assert asyncio.run(ask())
