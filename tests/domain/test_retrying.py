"""The budget of retries: storms cannot form, small traffic keeps its retries; and pauses between attempts."""

from heapq import heappop, heappush
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.domain.retrying import RetryBudget, pause
from sluicegate.domain.snapshot import Retries

NOW = 5_000.0


class Simulation:
    """Requests at a steady pace, of which those within the storm fail; failed ones come again after a pause."""

    def __init__(self, budget: RetryBudget, pace: int, seed: int) -> None:
        """`pace` is requests per second."""
        self.budget = budget
        self.pace = pace
        self.random = Random(seed)
        self.retries_at: list[float] = []

    def run(self, begin: float, calm: float, storm: float) -> int:
        """Let calm and storm pass; the number of requests of the storm. The clock's own beat rolls the budget."""
        storm_begins = begin + calm
        pending: list[tuple[float, int]] = []
        requests = 0
        for index in range(int((calm + storm) * self.pace)):
            now = begin + index / self.pace
            while pending and pending[0][0] <= now:
                at, failures = heappop(pending)
                self.fail(pending, at, failures + 1)
            if index % self.pace == 0:
                self.budget.roll(now)
            self.budget.requests += 1
            if now >= storm_begins:
                requests += 1
                self.fail(pending, now, 1)
        return requests

    def fail(self, pending: list[tuple[float, int]], now: float, failures: int) -> None:
        """An attempt failed; perhaps it is made once more."""
        if failures < 3 and self.budget.may_retry(now):
            self.retries_at.append(now)
            heappush(pending, (now + (pause(Retries(), failures, self.random.random(), None) or 0.0), failures))


@pytest.mark.parametrize("phase", [0.0, 0.37, 0.99])
@pytest.mark.parametrize(("calm", "storm"), [(0.0, 10.0), (3.4, 11.3), (12.0, 10.0), (12.0, 11.3), (3.4, 23.0)])
def test_a_storm_stays_within_the_share(phase: float, calm: float, storm: float) -> None:
    """At full load everything fails, after any calm and at any moment of the clock: attempts <= 1.2 * requests."""
    simulation = Simulation(RetryBudget(0.2), pace=2_000, seed=1)
    requests = simulation.run(NOW + phase, calm, storm)
    assert requests == pytest.approx(2_000 * storm, abs=1)
    assert requests + len(simulation.retries_at) <= 1.2 * requests
    # And it is not simply off: most of the share is used.
    assert len(simulation.retries_at) >= 0.16 * requests


def test_a_long_storm_is_even() -> None:
    """The share of ten seconds is free at once; when it is earned again, each second has its own, no second a burst."""
    simulation = Simulation(RetryBudget(0.2), pace=1_000, seed=2)
    simulation.run(NOW, 20.0, 40.0)
    counts = [sum(begin <= at < begin + 1 for at in simulation.retries_at) for begin in range(5_020, 5_060)]
    assert 1_800 <= sum(counts[:9]) <= 2_000
    assert max(counts[9:]) <= 201
    assert sum(counts[11:]) >= 0.17 * 29_000


def test_a_single_request_gets_its_retries() -> None:
    """Where the share of one request is less than one, the reserve holds: its retries are not refused."""
    budget = RetryBudget(0.2)
    budget.requests += 1
    assert budget.may_retry(NOW)
    assert budget.may_retry(NOW + 0.5)
    budget.roll(NOW + 1)
    assert budget.may_retry(NOW + 300)


def test_small_traffic_is_retried_as_long_as_it_fails() -> None:
    """A request a second, each of which fails twice, has all its retries for minutes."""
    budget = RetryBudget(0.2)
    for second in range(300):
        budget.requests += 1
        assert budget.may_retry(NOW + second)
        assert budget.may_retry(NOW + second + 0.5)


def test_the_reserve_is_not_added_to_the_share() -> None:
    """In ten seconds it is the share or the reserve, whichever is more; and what is spent is spent."""
    few, many = RetryBudget(0.2), RetryBudget(0.2)
    few.requests, many.requests = 140, 160
    assert sum(few.may_retry(NOW) for _ in range(100)) == 30
    assert sum(many.may_retry(NOW) for _ in range(100)) == 32
    assert repr(many) == "<RetryBudget share=0.2 requests=160 retries=32>"
    many.roll(NOW + 10)
    many.requests += 1
    assert not many.may_retry(NOW + 10)
    many.roll(NOW + 11)
    many.requests += 1
    assert sum(many.may_retry(NOW + 11) for _ in range(100)) == 30
    many.requests += 1_000
    many.roll(NOW + 12)
    assert sum(many.may_retry(NOW + 12) for _ in range(1_000)) > 100


def test_a_spent_reserve_is_spent_in_the_seconds_after() -> None:
    """What was granted lately counts, though a new second has begun; it is told so, too."""
    budget = RetryBudget(0.2)
    budget.requests += 140
    assert sum(budget.may_retry(NOW) for _ in range(100)) == 30
    budget.roll(NOW + 1)
    budget.requests += 1
    assert not budget.may_retry(NOW + 1)
    assert repr(budget) == "<RetryBudget share=0.2 requests=141 retries=30>"


@pytest.mark.parametrize("lately", [0, 1])
def test_much_traffic_in_debt_has_no_reserve(lately: int) -> None:
    """After a storm that used up its share: the reserve is for those who had few requests in the last seconds."""
    budget = RetryBudget(0.2)
    budget.requests += 1_000
    assert sum(budget.may_retry(NOW) for _ in range(1_000)) == 200
    for second in range(1, 12 + lately):
        budget.roll(NOW + second)
    budget.requests += 200
    budget.roll(NOW + 11 + 2 * lately)
    budget.requests += 1
    assert not budget.may_retry(NOW + 11 + 2 * lately)


def test_a_debt_is_forgotten() -> None:
    """After a storm that used up its share, a trickle of traffic has its retries within seconds."""
    simulation = Simulation(RetryBudget(0.2), pace=1_000, seed=3)
    simulation.run(NOW, 10.0, 10.0)
    for second in range(12, 100):
        simulation.budget.roll(NOW + 20 + second)
        simulation.budget.requests += 20
        granted = simulation.budget.may_retry(NOW + 20 + second)
    assert granted


def test_no_share_is_no_retry() -> None:
    """A share of nothing turns it off, the reserve too."""
    budget = RetryBudget(0.0)
    budget.requests += 100
    assert not budget.may_retry(NOW)


@pytest.mark.parametrize("silence", [60, 10_000])
def test_an_old_storm_of_requests_earns_nothing(silence: int) -> None:
    """Where nobody rolled for long, requests count as if they had come evenly."""
    budget = RetryBudget(0.5)
    budget.roll(NOW)
    budget.requests = 60_000
    allowed = sum(budget.may_retry(NOW + silence) for _ in range(40_000))
    assert allowed == max(0.5 * 9 * (60_000 // silence), 30)
    assert allowed < 0.1 * 60_000


@settings(max_examples=60)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([0.1, 0.5, 0.9, 1.0]), st.integers(150, 600), st.integers(0, 400)),
        min_size=10,
        max_size=80,
    )
)
def test_never_more_than_the_share_of_any_interval(steps: list[tuple[float, int, int]]) -> None:
    """However load and failures vary, in any ten to sixty seconds of full load retries are within the share."""
    budget = RetryBudget(0.2)
    now = NOW
    seen: list[tuple[float, int, int]] = []
    for seconds, asked, tried in steps:
        now += seconds
        budget.roll(now)
        budget.requests += asked
        seen.append((now, asked, sum(budget.may_retry(now) for _ in range(tried))))
        balance = 0.0
        for at, requests, retries in reversed(seen):
            balance += 0.2 * requests - retries
            assert balance > -1e-6 or not 10 <= now - at <= 49


def test_pauses_double_and_vary_by_half() -> None:
    """The middle doubles up to the longest wait; the point moves it by half, down or up."""
    retries = Retries(backoff=0.25, longest_wait=5.0)
    assert [pause(retries, failures, 0.5, None) for failures in (1, 2, 3, 4, 5, 6, 99_999)] == [
        0.25,
        0.5,
        1.0,
        2.0,
        4.0,
        5.0,
        5.0,
    ]
    assert pause(retries, 1, 0.0, None) == 0.125
    assert pause(retries, 1, 0.999, None) == pytest.approx(0.375, abs=0.001)
    assert pause(Retries(backoff=8.0, longest_wait=1.0), 3, 0.5, None) == 8.0


def test_what_the_provider_asks_for_is_kept_to() -> None:
    """Never earlier than it said, and spread upwards; where that is too long, not at all."""
    retries = Retries(backoff=0.5, longest_wait=5.0)
    assert pause(retries, 1, 0.0, 2.0) == 2.0
    assert pause(retries, 1, 0.9, 2.0) == pytest.approx(2.45)
    assert pause(retries, 4, 0.5, 0.0) == 4.0
    assert pause(retries, 1, 0.0, 5.0) == 5.0
    assert pause(retries, 1, 0.0, 5.001) is None
