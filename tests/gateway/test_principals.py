"""What a worker remembers about tokens, for how long, and when it asks."""

import asyncio
from collections.abc import Iterator

import pytest

from sluicegate.domain.errors import ControlUnavailableError, OverloadedError, TooManyUnknownError
from sluicegate.domain.principal import Principal
from sluicegate.gateway.principals import (
    ANSWER_SECONDS,
    ASK_SECONDS,
    LARGEST_ASKED,
    LARGEST_KNOWN,
    LARGEST_UNKNOWN,
    UNKNOWN_SECONDS,
    Principals,
)
from sluicegate.gateway.strangers import BURST, PER_SECOND

SOMEBODY = Principal("tok_1")


class Desk:
    """Principals with a clock moved by hand and a list of the questions asked."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = 100.0
        self.questions: list[bytes] = []
        self.damaged: list[bytes] = []
        self.principals = Principals(self, clock=lambda: self.now, loop=loop)

    def resolve(self, digest: bytes, *, is_damaged: bool = False) -> None:
        self.questions.append(digest)
        if is_damaged:
            self.damaged.append(digest)

    def get(self, digest: bytes) -> Principal | None:
        return self.principals.get(digest, self.now)

    def find(self, digest: bytes, address: str = "") -> "Principal | asyncio.Future[Principal | None] | None":
        return self.principals.find(digest, self.now, address)

    def asks(self, digest: bytes, address: str = "") -> "asyncio.Future[Principal | None]":
        """Find what must be asked for."""
        future = self.find(digest, address)
        assert isinstance(future, asyncio.Future)
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
    assert (desk.questions, desk.damaged) == ([b"a"], [])


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
    desk.principals.learn(numbered(LARGEST_KNOWN - 1), SOMEBODY)
    assert desk.get(numbered(0)) is SOMEBODY
    desk.principals.learn(numbered(0), SOMEBODY)
    desk.principals.learn(numbered(LARGEST_KNOWN), SOMEBODY)
    assert desk.get(numbered(0)) is SOMEBODY
    assert desk.get(numbered(1)) is None
    assert f"known={LARGEST_KNOWN} " in repr(desk.principals)


def test_too_many_open_questions_are_refused(desk: Desk) -> None:
    """A flood of new credentials gets 503; what is asked already may be waited for, and who was known comes in."""
    desk.principals.learn(b"known", SOMEBODY)
    desk.principals.forget((b"known",))
    for number in range(LARGEST_ASKED):
        desk.find(numbered(number), f"192.0.2.{number % 100}")
    with pytest.raises(OverloadedError):
        desk.find(b"one too many", "198.51.100.1")
    assert desk.asks(numbered(0)) is not None
    assert len(desk.questions) == LARGEST_ASKED
    desk.asks(b"known")
    desk.principals.learn(b"known", SOMEBODY)
    for _ in range(BURST + 1):
        # It says nothing against the address.
        with pytest.raises(OverloadedError):
            desk.find(b"one too many", "198.51.100.1")
    desk.principals.learn(numbered(0), None)
    desk.asks(b"one more", "198.51.100.1")
    with pytest.raises(OverloadedError):
        desk.find(b"one too many", "198.51.100.1")


def test_an_address_that_guesses_is_slowed_down(desk: Desk) -> None:
    """It gets 429 and when to come back; a moment before that it is refused again, then it is not."""
    for number in range(BURST):
        desk.asks(numbered(number), "192.0.2.1")
        desk.principals.learn(numbered(number), None)
    with pytest.raises(TooManyUnknownError) as refusal:
        desk.find(b"guess", "192.0.2.1")
    wait = refusal.value.retry_after or 0.0
    assert wait == pytest.approx(1 / PER_SECOND)
    assert len(desk.questions) == BURST
    desk.now += wait * 0.9
    with pytest.raises(TooManyUnknownError):
        desk.find(b"guess", "192.0.2.1")
    desk.now += wait * 0.1
    desk.asks(b"guess", "192.0.2.1")


def test_known_callers_are_served_beside_a_guesser(desk: Desk) -> None:
    """Whoever is known, was known before the feed named it, or comes from elsewhere, is not held up by a guesser."""
    for known in (b"known", b"named", b"all"):
        desk.principals.learn(known, SOMEBODY)
    desk.principals.forget((b"named",))
    for number in range(BURST):
        desk.find(numbered(number), "192.0.2.1")
    assert desk.get(b"known") is SOMEBODY
    desk.asks(b"named", "192.0.2.1")
    desk.asks(b"new", "192.0.2.2")
    desk.principals.forget(())
    desk.asks(b"all", "192.0.2.1")


@pytest.mark.parametrize("was_fresh", [False, True])
def test_callers_whose_entries_have_lapsed_are_no_strangers(desk: Desk, *, was_fresh: bool) -> None:
    """They are asked for again beside a guesser, whether the feed was true when they were answered or not."""
    if was_fresh:
        desk.principals.feed_true(desk.now - 10, 0.8)
    for known in (b"one", b"another"):
        desk.asks(known)
        desk.principals.learn(known, SOMEBODY)
    desk.principals.feed_true(desk.now - 10, 0.8)
    desk.now += ANSWER_SECONDS + 0.1
    for number in range(BURST):
        desk.find(numbered(number), "192.0.2.1")
    desk.asks(b"one", "192.0.2.1")
    desk.asks(b"another", "192.0.2.1")


def test_an_honest_crowd_is_not_charged(desk: Desk) -> None:
    """Callers who turn out to be known cost their address nothing, however many there are."""
    for number in range(BURST * 3):
        desk.asks(numbered(number), "192.0.2.1")
        desk.principals.learn(numbered(number), SOMEBODY)
    desk.asks(b"new", "192.0.2.1")


def test_a_refusal_that_is_remembered_costs_nothing(desk: Desk) -> None:
    """A client that repeats one wrong key is answered by the cache, and is still told 401."""
    desk.asks(b"wrong", "192.0.2.1")
    desk.principals.learn(b"wrong", None)
    for _ in range(BURST * 2):
        assert desk.find(b"wrong", "192.0.2.1") is None
    desk.asks(b"other", "192.0.2.1")
    assert len(desk.questions) == 2


def test_a_caller_whose_token_is_gone_is_a_stranger(desk: Desk) -> None:
    """What control does not know any more has no privilege."""
    desk.principals.learn(b"a", SOMEBODY)
    desk.principals.forget((b"a",))
    desk.asks(b"a")
    desk.principals.learn(b"a", None)
    for number in range(BURST):
        desk.find(numbered(number), "192.0.2.1")
    desk.now += UNKNOWN_SECONDS
    for number in range(BURST, BURST + int(UNKNOWN_SECONDS * PER_SECOND)):
        desk.find(numbered(number), "192.0.2.1")
    with pytest.raises(TooManyUnknownError):
        desk.find(b"a", "192.0.2.1")


def test_who_was_known_is_remembered_within_bounds(desk: Desk) -> None:
    """Those remembered are as many as may be known; the latest stay."""
    for start in (0, LARGEST_KNOWN):
        for number in range(start, start + LARGEST_KNOWN):
            desk.principals.learn(numbered(number), SOMEBODY)
        desk.principals.forget(())
    for number in range(BURST):
        desk.find(b"x" + numbered(number), "192.0.2.1")
    desk.asks(numbered(LARGEST_KNOWN), "192.0.2.1")
    with pytest.raises(TooManyUnknownError):
        desk.find(numbered(LARGEST_KNOWN - 1), "192.0.2.1")


def test_a_damaged_credential_is_asked_for_as_such(desk: Desk) -> None:
    """Also when it is asked for again over a new link."""
    desk.principals.find(b"a", desk.now, is_damaged=True)
    desk.principals.feed_restored()
    assert desk.questions == desk.damaged == [b"a", b"a"]


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


def test_what_control_does_not_know_any_more_is_dropped(desk: Desk) -> None:
    """Its last answer counts, whether it was asked for or not."""
    desk.principals.learn(b"a", SOMEBODY)
    desk.principals.learn(b"a", None)
    assert desk.get(b"a") is None
    assert desk.find(b"a") is None


def test_a_feed_that_names_nothing_drops_fresh_answers_too(desk: Desk) -> None:
    """Nothing that was answered before is believed."""
    desk.principals.feed_true(desk.now - 10, 0.8)
    desk.asks(b"a")
    desk.principals.learn(b"a", SOMEBODY)
    assert desk.find(b"a") is SOMEBODY
    desk.principals.forget(())
    desk.asks(b"a")


def test_a_feed_that_names_nothing_drops_all(desk: Desk) -> None:
    """An empty list means everything."""
    desk.principals.learn(b"a", SOMEBODY)
    desk.principals.learn(b"x", None)
    desk.principals.forget(())
    assert repr(desk.principals) == "<Principals known=0 unknown=0 asked=0 feed=live>"


def test_what_is_known_stays_good_for_the_grace_only(desk: Desk) -> None:
    """While control restarts callers are served; after the grace nobody is believed to be admitted any more."""
    desk.principals.learn(b"a", SOMEBODY)
    desk.principals.feed_cut(3.0)
    desk.principals.learn(b"x", None)
    assert repr(desk.principals).endswith("feed=good until=103.0>")
    desk.now += 3.0
    assert desk.get(b"a") is SOMEBODY
    assert desk.find(b"x") is None
    desk.now += 0.1
    assert desk.get(b"a") is None
    assert desk.find(b"x") is None
    desk.asks(b"a")


def test_an_entry_is_believed_for_its_lease(desk: Desk) -> None:
    """Each word of control about the feed prolongs it; one that was held up says no more than when it was said."""
    desk.principals.learn(b"a", SOMEBODY)
    desk.principals.feed_true(desk.now, 0.8)
    desk.now += 0.8
    assert desk.get(b"a") is SOMEBODY
    desk.principals.feed_true(desk.now - 0.5, 0.8)
    desk.now += 0.3
    assert desk.get(b"a") is SOMEBODY
    desk.now += 0.01
    assert desk.get(b"a") is None
    desk.asks(b"a")


def test_a_lease_is_not_lengthened_by_the_grace(desk: Desk) -> None:
    """Where other nodes can revoke, control's death makes nothing true."""
    desk.principals.learn(b"a", SOMEBODY)
    desk.principals.feed_true(desk.now, 0.8)
    desk.principals.feed_cut(30.0)
    desk.now += 0.9
    assert desk.get(b"a") is None


def test_without_the_feed_an_answer_is_believed_for_a_moment(desk: Desk) -> None:
    """It counts from the question, before which control did not look; then it is asked for again."""
    desk.principals.feed_true(desk.now - 10, 0.8)
    desk.asks(b"a")
    desk.now += 0.5
    desk.principals.learn(b"a", SOMEBODY)
    assert desk.get(b"a") is None
    assert desk.find(b"a") is SOMEBODY
    desk.now += ANSWER_SECONDS - 0.5
    assert desk.find(b"a") is SOMEBODY
    desk.now += 0.01
    desk.asks(b"a")
    assert desk.questions == [b"a", b"a"]


def test_an_answer_that_nobody_waits_for_is_not_believed_without_the_feed(desk: Desk) -> None:
    """It is not known since when it is true."""
    desk.principals.feed_true(desk.now - 10, 0.8)
    desk.principals.learn(b"a", SOMEBODY)
    desk.asks(b"a")


def test_the_feed_drops_a_fresh_answer(desk: Desk) -> None:
    """A change is told even while the feed is not known to be whole."""
    desk.principals.feed_true(desk.now - 10, 0.8)
    desk.asks(b"a")
    desk.principals.learn(b"a", SOMEBODY)
    desk.principals.forget((b"a",))
    desk.asks(b"a")


def test_fresh_answers_become_entries_when_the_feed_is_true_again(desk: Desk) -> None:
    """Every change since they were answered was told; while it still lags behind they stay what they are."""
    desk.principals.feed_true(desk.now - 10, 0.8)
    desk.asks(b"a")
    desk.principals.learn(b"a", SOMEBODY)
    desk.principals.feed_true(desk.now - 5, 0.8)
    assert desk.get(b"a") is None
    assert desk.find(b"a") is SOMEBODY
    desk.principals.feed_true(desk.now, 0.8)
    assert desk.get(b"a") is SOMEBODY


def test_an_old_entry_is_not_found_by_who_waited(desk: Desk) -> None:
    """A request that began while the feed was true learns no more from it than its answer says."""
    desk.principals.learn(b"a", SOMEBODY)
    desk.principals.feed_true(desk.now, 0.8)
    began = desk.now
    desk.now += 2.0
    desk.asks(b"a")
    desk.now += 2.0
    desk.principals.learn(b"a", SOMEBODY)
    assert desk.principals.get(b"a", began) is None
    desk.asks(b"a")


def test_stale_answers_are_dropped_by_the_sweep(desk: Desk) -> None:
    """What cannot be believed any more does not stay in memory."""
    desk.principals.feed_true(desk.now - 10, 0.8)
    desk.asks(b"a")
    desk.principals.learn(b"a", SOMEBODY)
    desk.principals.sweep(desk.now + ANSWER_SECONDS)
    assert desk.find(b"a") is SOMEBODY
    desk.principals.sweep(desk.now + ANSWER_SECONDS + 0.1)
    desk.principals.feed_true(desk.now, 0.8)
    assert desk.get(b"a") is None


def test_what_may_have_moved_is_asked_for_again(desk: Desk) -> None:
    """Once for all who find it passed; nobody is charged for it."""
    desk.principals.learn(b"a", SOMEBODY)
    future = desk.principals.ask_again(b"a", desk.now)
    assert desk.principals.ask_again(b"a", desk.now) is future
    assert (desk.questions, desk.damaged) == ([b"a"], [])
    assert desk.get(b"a") is None
    for number in range(BURST):
        desk.asks(numbered(number))


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
        def resolve(self, digest: bytes, *, is_damaged: bool = False) -> None:
            """Never answer."""

    async def ask() -> bool:
        future = Principals(Silent(), clock=lambda: 0.0).find(b"a", 0.0)
        return isinstance(future, asyncio.Future) and future.get_loop() is asyncio.get_running_loop()

    assert asyncio.run(ask())
