"""A limit that is cut when a deployment is overloaded and grows again."""

import pytest

from sluicegate.domain.concurrency import AdaptiveLimit
from sluicegate.domain.snapshot import Concurrency

NOW = 1_000.0


def test_no_limit_but_the_most() -> None:
    """Before any overload it is the most there may be, and there is nothing to tell it."""
    limit = AdaptiveLimit(Concurrency(), 1_000)
    assert limit.limit == 1_000
    assert not limit.is_active
    assert repr(limit) == "<AdaptiveLimit 1000 of 1000>"


def test_what_it_had_is_cut_by_a_quarter() -> None:
    """Not the limit, which may be far above, but the requests it had; and at most once a second."""
    limit = AdaptiveLimit(Concurrency(), 1_000)
    limit.overloaded(100, NOW)
    assert limit.limit == 75
    assert limit.is_active
    for _ in range(50):
        limit.overloaded(75, NOW + 0.999)
    assert limit.limit == 75
    limit.overloaded(75, NOW + 1.0)
    assert limit.limit == 56


def test_a_cut_never_raises() -> None:
    """More requests than the limit (it was cut under them) do not raise it."""
    limit = AdaptiveLimit(Concurrency(), 1_000)
    limit.overloaded(100, NOW)
    limit.overloaded(500, NOW + 5)
    assert limit.limit == 56


@pytest.mark.parametrize(("most", "least"), [(100, 4), (2, 2)])
def test_never_below_the_least(most: int, least: int) -> None:
    """However often it is overloaded, the least is left; the most where that is less."""
    limit = AdaptiveLimit(Concurrency(least=4), most)
    for second in range(100):
        limit.overloaded(1, NOW + second)
    assert limit.limit == least
    assert limit.is_active is (least < most)


def test_a_round_of_answers_makes_room_for_one() -> None:
    """One more with each full round, up to the most."""
    limit = AdaptiveLimit(Concurrency(), 10)
    limit.overloaded(10, NOW)
    assert limit.limit == 7
    for expected in (8, 9, 10):
        for _ in range(limit.limit - 1):
            limit.answered(limit.limit)
        assert limit.limit == expected - 1
        limit.answered(limit.limit)
        assert limit.limit == expected
    assert not limit.is_active


def test_a_refusal_ends_a_round() -> None:
    """While some are still refused it does not grow, however many answers are good."""
    limit = AdaptiveLimit(Concurrency(), 100)
    limit.overloaded(100, NOW)
    for _ in range(20):
        for _ in range(74):
            limit.answered(75)
        limit.overloaded(75, NOW + 0.5)
    assert limit.limit == 75


def test_idle_answers_prove_nothing() -> None:
    """While it is hardly used it does not grow."""
    limit = AdaptiveLimit(Concurrency(), 100)
    limit.overloaded(100, NOW)
    for _ in range(10_000):
        limit.answered(37)
    assert limit.limit == 75
    for _ in range(75):
        limit.answered(38)
    assert limit.limit == 76


def test_it_may_be_off() -> None:
    """Where it is not adaptive no overload changes it."""
    limit = AdaptiveLimit(Concurrency(adaptive=False), 50)
    limit.overloaded(50, NOW)
    assert limit.limit == 50
    assert not limit.is_active


@pytest.mark.parametrize("capacity", [10, 100])
def test_it_finds_what_a_deployment_bears(capacity: int) -> None:
    """Against a model that refuses what is beyond its capacity: it stays near that, mostly below."""
    limit = AdaptiveLimit(Concurrency(), 1_000)
    limits = []
    for tick in range(2_000):
        now = NOW + tick / 10
        busy = limit.limit
        for _ in range(min(busy, capacity)):
            if limit.is_active:
                limit.answered(busy)
        if busy > capacity:
            limit.overloaded(busy, now)
        limits.append(limit.limit)
    settled = limits[500:]
    assert 0.7 * capacity <= sum(settled) / len(settled) <= 1.1 * capacity
    # Between two cuts at most ten rounds go by.
    assert max(settled) <= capacity + 11
