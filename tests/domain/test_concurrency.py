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
    limit.overloaded(100, NOW, 0.0)
    assert limit.limit == 75
    assert limit.is_active
    for _ in range(50):
        limit.overloaded(75, NOW + 0.999, 0.0)
    assert limit.limit == 75
    limit.overloaded(75, NOW + 1.0, 0.0)
    assert limit.limit == 56


def test_what_is_refused_behind_a_cut_is_one_too_many() -> None:
    """Who refuses at once would else refuse everybody who waits, one by one, until the next cut."""
    limit = AdaptiveLimit(Concurrency(), 1_000)
    limit.overloaded(100, NOW, NOW - 1)
    for _ in range(10):
        limit.overloaded(90, NOW + 0.1, NOW)
    assert limit.limit == 75
    limit.overloaded(75, NOW + 0.2, NOW + 0.1)
    limit.overloaded(74, NOW + 0.3, NOW + 0.1)
    assert limit.limit == 73
    for _ in range(73):
        limit.answered(73)
    assert limit.limit == 74
    for _ in range(1_000):
        limit.overloaded(limit.limit, NOW + 0.5, NOW + 0.4)
    assert limit.limit == Concurrency().least


def test_a_cut_never_raises() -> None:
    """More requests than the limit (it was cut under them) do not raise it."""
    limit = AdaptiveLimit(Concurrency(), 1_000)
    limit.overloaded(100, NOW, 0.0)
    limit.overloaded(500, NOW + 5, 0.0)
    assert limit.limit == 56


@pytest.mark.parametrize(("most", "least"), [(100, 4), (2, 2)])
def test_never_below_the_least(most: int, least: int) -> None:
    """However often it is overloaded, the least is left; the most where that is less."""
    limit = AdaptiveLimit(Concurrency(least=4), most)
    for second in range(100):
        limit.overloaded(limit.limit, NOW + second, 0.0)
    assert limit.limit == least
    assert limit.is_active is (least < most)


def test_so_few_are_not_what_overloads_it() -> None:
    """Who refuses one that has no more than the least does so whoever asks: a burst behind that is not held up."""
    limit = AdaptiveLimit(Concurrency(least=4), 100)
    for second in range(10):
        limit.overloaded(4, NOW + second, 0.0)
    assert (limit.limit, limit.is_active) == (100, False)
    limit.overloaded(5, NOW + 10, 0.0)
    assert (limit.limit, limit.is_active) == (4, True)


def test_a_round_of_answers_makes_room_for_one() -> None:
    """One more with each full round, up to the most."""
    limit = AdaptiveLimit(Concurrency(least=4), 10)
    limit.overloaded(10, NOW, 0.0)
    assert limit.limit == 7
    for before, expected in ((7, 8), (8, 9), (9, 10)):
        for _ in range(limit.limit - 1):
            limit.answered(limit.limit)
        assert limit.limit == before
        limit.answered(limit.limit)
        assert limit.limit == expected
    assert not limit.is_active


def test_steps_grow_and_begin_anew_where_it_was_refused() -> None:
    """What it had is soon found again, is passed by one, and whatever more it bears is found as quickly."""
    limit = AdaptiveLimit(Concurrency(least=4), 1_000)
    limit.overloaded(40, NOW, 0.0)
    limits = []
    for _ in range(10):
        for _ in range(limit.limit):
            limit.answered(limit.limit)
        limits.append(limit.limit)
    assert limits == [31, 33, 36, 39, 40, 42, 45, 49, 54, 60]


def test_what_nobody_waited_for_is_forgotten() -> None:
    """After a minute in which the limit was in nobody's way; not before, and not while it is."""
    limit = AdaptiveLimit(Concurrency(), 1_000)
    limit.sweep(0, NOW)
    limit.overloaded(100, NOW, 0.0)
    limit.sweep(75, NOW + 50)
    limit.sweep(74, NOW + 109)
    assert (limit.limit, limit.is_active) == (75, True)
    limit.sweep(74, NOW + 110)
    assert (limit.limit, limit.is_active) == (1_000, False)


def test_a_refusal_ends_a_round() -> None:
    """While some are still refused it does not grow, however many answers are good."""
    limit = AdaptiveLimit(Concurrency(), 100)
    limit.overloaded(100, NOW, 0.0)
    for _ in range(20):
        for _ in range(74):
            limit.answered(75)
        limit.overloaded(75, NOW + 0.5, 0.0)
    assert limit.limit == 75


def test_idle_answers_prove_nothing() -> None:
    """While it is hardly used it does not grow."""
    limit = AdaptiveLimit(Concurrency(), 100)
    limit.overloaded(100, NOW, 0.0)
    for _ in range(10_000):
        limit.answered(37)
    assert limit.limit == 75
    for _ in range(75):
        limit.answered(38)
    assert limit.limit == 76


def test_it_may_be_off() -> None:
    """Where it is not adaptive no overload changes it."""
    limit = AdaptiveLimit(Concurrency(adaptive=False), 50)
    limit.overloaded(50, NOW, 0.0)
    assert limit.limit == 50
    assert not limit.is_active


@pytest.mark.parametrize("capacity", [10, 100])
def test_it_finds_what_a_deployment_bears(capacity: int) -> None:
    """Against a model that refuses what is beyond its capacity: it stays near that, mostly below."""
    limit = AdaptiveLimit(Concurrency(least=4), 1_000)
    limits = []
    for tick in range(2_000):
        now = NOW + tick / 10
        busy = limit.limit
        for _ in range(min(busy, capacity)):
            if limit.is_active:
                limit.answered(busy)
        if busy > capacity:
            limit.overloaded(busy, now, 0.0)
        limits.append(limit.limit)
    settled = limits[500:]
    assert 0.7 * capacity <= sum(settled) / len(settled) <= 1.1 * capacity
    # What was refused is passed by one.
    assert max(settled) <= capacity + 3
