"""A breaker leaves a deployment alone, tries it again, and comes back; in simulated time, against a model."""

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sluicegate.domain.breaker import Breaker
from sluicegate.domain.snapshot import Circuit

TERMS = Circuit(consecutive=3, rate=0.5, least=8, window=10.0, ejection=5.0, longest_ejection=20.0)
NOW = 1_000.0
ONE, OTHER = "one request", "another"


def state(breaker: Breaker) -> str:
    """The state, of which a type checker does not know that calls change it."""
    return breaker.state


def ejected(now: float = NOW, terms: Circuit = TERMS) -> Breaker:
    """A breaker that was ejected at this moment."""
    breaker = Breaker(terms)
    assert [breaker.failed(now, ONE, may_eject=True) for _ in range(3)] == [False, False, True]
    return breaker


def closed_again(breaker: Breaker, now: float) -> Breaker:
    """The breaker after a probe that succeeded at this moment."""
    breaker.admit(now, ONE)
    breaker.succeeded(now)
    assert state(breaker) == "closed"
    return breaker


def test_failures_in_a_row_eject() -> None:
    """After so many in a row it is left alone for the ejection; the moment after that, it is usable."""
    breaker = ejected()
    assert state(breaker) == "open"
    assert breaker.usable_at() == breaker.reopens_at == NOW + 5.0
    assert not breaker.is_usable(NOW + 4.999)
    assert breaker.is_usable(NOW + 5.0)


def test_a_success_ends_a_row() -> None:
    """Failures with a good answer between them are no row; only the first success after one must be told."""
    breaker = Breaker(TERMS)
    troubled = []
    for _ in range(10):
        troubled.append(breaker.is_troubled)
        breaker.answers += 9
        assert not breaker.failed(NOW, ONE, may_eject=True)
        assert not breaker.failed(NOW, ONE, may_eject=True)
        troubled.append(breaker.is_troubled)
        breaker.answers += 1
        breaker.succeeded(NOW)
    assert troubled == [False, True] * 10
    assert breaker.is_usable(NOW)


@pytest.mark.parametrize(("answers", "failures", "ejects"), [(4, 4, True), (5, 4, False), (3, 4, False), (0, 2, False)])
def test_the_share_of_failures_ejects(answers: int, failures: int, ejects: bool) -> None:
    """Of enough requests within the window, the share that failed; too few of them say nothing."""
    breaker = Breaker(TERMS)
    breaker.failed(NOW, ONE, may_eject=True)
    breaker.answers += answers
    for _ in range(failures - 1):
        breaker.succeeded(NOW)
        outcome = breaker.failed(NOW + 9.0, ONE, may_eject=True)
    assert outcome is ejects


def test_what_was_before_the_window_does_not_count() -> None:
    """Answers of an hour of calm do not outweigh the failures of now."""
    breaker = Breaker(TERMS)
    breaker.answers = 1_000_000
    breaker.failed(NOW, ONE, may_eject=True)
    breaker.answers += 4
    outcomes = []
    for _ in range(3):
        breaker.succeeded(NOW + 1)
        outcomes.append(breaker.failed(NOW + 1, ONE, may_eject=True))
    assert outcomes == [False, False, True]


def test_the_last_one_stays() -> None:
    """Without another candidate no failure ejects, until there is one again; unless the terms say that it opens."""
    breaker = Breaker(TERMS)
    assert not any(breaker.failed(NOW, ONE, may_eject=False) for _ in range(100))
    assert breaker.is_usable(NOW)
    assert breaker.failed(NOW, ONE, may_eject=True)
    lonely = Breaker(Circuit(consecutive=2, opens_last=True))
    assert [lonely.failed(NOW, ONE, may_eject=False) for _ in range(2)] == [False, True]


def test_one_probe_at_a_time() -> None:
    """When its time has come one request tries it; the next may only once that one is over."""
    breaker = ejected()
    assert breaker.is_usable(NOW + 6)
    assert state(breaker) == "open"
    breaker.admit(NOW + 6, ONE)
    assert state(breaker) == "half_open"
    assert not breaker.is_usable(NOW + 6)
    breaker.abandoned(NOW + 7, ONE)
    assert breaker.is_usable(NOW + 7)
    breaker.admit(NOW + 7, ONE)
    assert not breaker.is_usable(NOW + 7)


def test_a_probe_that_hangs_makes_room() -> None:
    """A probe longer than the ejection before it does not keep others from trying; again one at a time."""
    breaker = ejected()
    breaker.admit(NOW + 5, ONE)
    assert not breaker.is_usable(NOW + 9.9)
    assert breaker.is_usable(NOW + 10)
    breaker.admit(NOW + 10, ONE)
    assert not breaker.is_usable(NOW + 14.9)
    breaker.succeeded(NOW + 14.9)
    assert state(breaker) == "closed"
    assert breaker.is_usable(NOW + 14.9)


def test_only_the_probe_itself_ends_the_probe() -> None:
    """However requests of before the ejection end: cancelled, limited or failed, no second one tries it meanwhile."""
    breaker = ejected()
    breaker.admit(NOW + 5, ONE)
    breaker.abandoned(NOW + 6, OTHER)
    assert not breaker.failed(NOW + 6, OTHER, may_eject=True)
    breaker.limited(NOW + 6, OTHER, NOW + 7)
    assert state(breaker) == "half_open"
    assert breaker.reopens_at == NOW + 10
    assert not breaker.is_usable(NOW + 9)
    assert breaker.failed(NOW + 9, ONE, may_eject=True)
    assert breaker.reopens_at == NOW + 19


def test_a_good_answer_of_anybody_closes_it() -> None:
    """It works again, whoever found out; and the probe, when it ends, has nothing to say any more."""
    breaker = ejected()
    breaker.admit(NOW + 5, ONE)
    breaker.succeeded(NOW + 6)
    breaker.abandoned(NOW + 6, ONE)
    assert state(breaker) == "closed"


def test_a_probe_that_others_followed_still_counts() -> None:
    """One that hung and fails then ejects it; one that hung and is cancelled does not end that which followed."""
    breaker = ejected()
    breaker.admit(NOW + 5, ONE)
    breaker.admit(NOW + 10, OTHER)
    breaker.abandoned(NOW + 11, ONE)
    assert not breaker.is_usable(NOW + 11)
    breaker.admit(NOW + 15, ONE)
    assert breaker.failed(NOW + 16, OTHER, may_eject=True)
    assert breaker.reopens_at == NOW + 26


def test_a_probe_of_an_earlier_ejection_is_none_of_the_next() -> None:
    """One that hung while another failed says nothing of what is tried since."""
    breaker = ejected()
    breaker.admit(NOW + 5, ONE)
    breaker.admit(NOW + 10, OTHER)
    assert breaker.failed(NOW + 11, OTHER, may_eject=True)
    reopens_at = breaker.reopens_at
    breaker.admit(reopens_at, "a third")
    assert not breaker.failed(reopens_at + 1, ONE, may_eject=True)
    assert state(breaker) == "half_open"


def test_failures_in_a_row_are_counted() -> None:
    """Until a good answer, or an ejection."""
    breaker = Breaker(TERMS)
    counts = []
    for failing in (True, True, False, True):
        if failing:
            breaker.failed(NOW, ONE, may_eject=True)
        else:
            breaker.succeeded(NOW)
        counts.append(breaker.in_a_row)
    assert counts == [1, 2, 0, 1]


def test_ejections_grow() -> None:
    """Each further one is twice as long, up to the longest."""
    breaker = ejected()
    lengths = []
    for _ in range(2_000):
        now = breaker.reopens_at
        breaker.admit(now, ONE)
        assert breaker.failed(now, ONE, may_eject=True)
        lengths.append(breaker.reopens_at - now)
    assert lengths[:3] == [10.0, 20.0, 20.0]
    assert set(lengths[3:]) == {20.0}


@pytest.mark.parametrize(("calm", "length"), [(19.9, 10.0), (20.0, 5.0)])
def test_calm_makes_growth_forgotten(calm: float, length: float) -> None:
    """An ejection soon after it closed is longer than the last; after a calm time it is as short as the first."""
    breaker = closed_again(ejected(), NOW + 5)
    now = NOW + 5 + calm
    assert [breaker.failed(now, ONE, may_eject=True) for _ in range(3)] == [False, False, True]
    assert breaker.reopens_at == pytest.approx(now + length)


def test_late_ends_do_not_count_while_open() -> None:
    """Requests that were sent before the ejection neither close nor prolong it."""
    breaker = ejected()
    breaker.succeeded(NOW + 1)
    assert not breaker.failed(NOW + 1, ONE, may_eject=True)
    breaker.abandoned(NOW + 1, ONE)
    assert breaker.reopens_at == NOW + 5
    assert state(breaker) == "open"
    assert breaker.is_troubled


def test_a_request_for_want_of_others_is_a_probe() -> None:
    """Where nothing else is left one is sent before the time: its success closes, its failure lets the next one try."""
    breaker = ejected()
    breaker.admit(NOW + 1, ONE)
    assert not breaker.failed(NOW + 2, ONE, may_eject=False)
    assert breaker.is_usable(NOW + 2)
    assert state(breaker) == "open"
    breaker.admit(NOW + 2, ONE)
    breaker.succeeded(NOW + 3)
    assert state(breaker) == "closed"
    assert not breaker.is_troubled
    breaker.admit(NOW + 3, ONE)
    assert breaker.is_usable(NOW + 3)


def test_limits_are_no_failures() -> None:
    """However often it is limited, it only rests, for the longest time that was told; then it is as before."""
    breaker = Breaker(TERMS)
    for seconds in (30.0, 10.0, 20.0):
        breaker.limited(NOW, ONE, NOW + seconds)
    assert state(breaker) == "closed"
    assert not breaker.is_troubled
    assert not breaker.is_usable(NOW + 29.9)
    assert breaker.is_usable(NOW + 30.0)
    assert breaker.usable_at() == NOW + 30.0


def test_a_limited_probe_is_undecided() -> None:
    """It rests for as long as it was told; then the next request tries it."""
    breaker = ejected()
    breaker.admit(NOW + 5, ONE)
    breaker.limited(NOW + 5, ONE, NOW + 8)
    assert state(breaker) == "open"
    assert not breaker.is_usable(NOW + 7.9)
    assert breaker.is_usable(NOW + 8)


def test_it_tells_its_state() -> None:
    """All that it decides by can be read."""
    assert repr(ejected()) == ("<Breaker open answers=0 failures=0 in_a_row=0 reopens_at=1005.0 rests_until=0.0>")


REQUESTS = st.sampled_from([ONE, OTHER])


class Breakers(RuleBasedStateMachine):
    """A deployment, its probe and a clock, against a model that keeps every verdict."""

    @initialize(opens_last=st.booleans())
    def begin(self, opens_last: bool) -> None:
        """Closed, at some time."""
        self.terms = Circuit(
            consecutive=4,
            rate=0.5,
            least=6,
            window=10.0,
            ejection=4.0,
            longest_ejection=16.0,
            opens_last=opens_last,
        )
        self.breaker = Breaker(self.terms)
        self.now = 500.0
        self.verdicts: list[tuple[float, bool]] = []
        self.window_began = 0.0
        self.times = 0
        self.closed_at = 0.0
        self.open_until: float | None = None
        self.probe_until: float | None = None
        self.probes: list[str] = []
        self.rests_until = 0.0

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 4.0, 9.5, 10.0, 16.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        """Nothing else happens."""
        self.now += seconds

    @rule(who=REQUESTS)
    def choose(self, who: str) -> None:
        """A request is sent, if that is allowed or (in half of all cases) not."""
        was_tried = self.probe_until is not None and self.now < self.probe_until
        self.breaker.admit(self.now, who)
        if self.open_until is not None and not was_tried:
            self.probe_until = self.now + self.length
            self.probes.append(who)

    @rule(count=st.integers(1, 6))
    def answers(self, count: int) -> None:
        """Good answers, counted as the gateway counts them."""
        for _ in range(count):
            self.breaker.answers += 1
            if self.breaker.is_troubled:
                self.breaker.succeeded(self.now)
        if self.probe_until is not None:
            self.open_until = self.probe_until = None
            self.probes.clear()
            self.closed_at = self.window_began = self.now
            self.verdicts = [(self.now, True)] * (count - 1)
        elif self.open_until is None:
            self.verdicts += [(self.now, True)] * count

    @rule(may_eject=st.booleans(), count=st.integers(1, 5), who=REQUESTS)
    def failures(self, may_eject: bool, count: int, who: str) -> None:
        """Failures of the deployment."""
        for _ in range(count):
            assert self.breaker.failed(self.now, who, may_eject=may_eject) is self.model_failed(
                who, may_eject=may_eject or self.terms.opens_last
            )

    def model_failed(self, who: str, *, may_eject: bool) -> bool:
        """What the model does with one failure."""
        if self.open_until is not None:
            if self.probe_until is None or who not in self.probes:
                return False
            self.undecided(who)
        else:
            if self.now - self.window_began >= self.terms.window:
                self.window_began = self.now
            self.verdicts.append((self.now, False))
            row = next((n for n, (_, good) in enumerate(reversed(self.verdicts)) if good), len(self.verdicts))
            window = [good for at, good in self.verdicts[self.window_starts_at() :]]
            if row < self.terms.consecutive and (
                len(window) < self.terms.least or window.count(False) / len(window) < self.terms.rate
            ):
                return False
            if may_eject and self.now - self.closed_at >= self.terms.longest_ejection:
                self.times = 0
        if may_eject:
            self.times += 1
            self.open_until, self.probe_until = self.now + self.length, None
            self.probes.clear()
            self.verdicts = []
        return may_eject

    def window_starts_at(self) -> int:
        """The index of the first verdict of this window: it began with a failure, or when the breaker closed."""
        if self.window_began == self.closed_at:
            return 0
        return next(index for index, (at, good) in enumerate(self.verdicts) if at == self.window_began and not good)

    @property
    def length(self) -> float:
        """Seconds of the last ejection."""
        return min(self.terms.ejection * 2.0 ** (self.times - 1), self.terms.longest_ejection)

    @rule(seconds=st.sampled_from([1.0, 5.0]), who=REQUESTS)
    def limited(self, seconds: float, who: str) -> None:
        """It answered 429."""
        self.breaker.limited(self.now, who, self.now + seconds)
        self.rests_until = max(self.rests_until, self.now + seconds)
        self.undecided(who)

    @rule(who=REQUESTS)
    def abandoned(self, who: str) -> None:
        """A client went away."""
        self.breaker.abandoned(self.now, who)
        self.undecided(who)

    def undecided(self, who: str) -> None:
        """Where it was the probe, the next request is."""
        if self.probe_until is not None and self.probes[-1] == who:
            self.probe_until, self.open_until = None, self.now
        self.probes = [one for one in self.probes if one != who]

    @invariant()
    def agrees(self) -> None:
        """State and usability are the model's."""
        kind = "closed" if self.open_until is None else "open" if self.probe_until is None else "half_open"
        assert self.breaker.state == kind
        until = max(self.probe_until or self.open_until or 0.0, self.rests_until)
        assert self.breaker.is_usable(self.now) is (self.now >= until)
        assert self.breaker.usable_at() == until


Breakers.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestBreakers = Breakers.TestCase
