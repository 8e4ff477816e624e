"""How targets are chosen: shares within what chance allows, turns that are even, and the least of what is asked for."""

from collections import Counter
from itertools import pairwise
from math import sqrt
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.domain.picking import Option, pick
from sluicegate.domain.snapshot import Strategy

DRAWS = 10_000
BAND = 3.2905
"""Standard deviations on either side that hold 99.9 % of a normal distribution."""

STRATEGIES: tuple[Strategy, ...] = ("weighted", "round_robin", "least_busy", "lowest_latency", "cheapest")


def option(weight: float = 1.0, *, busy: int = 0, latency: float = 0.0, rate: int | None = None) -> Option:
    """An option of which nothing else is known."""
    return Option(weight, busy, latency, rate)


def drawn(strategy: Strategy, options: list[Option], seed: int = 7) -> Counter[int]:
    """How often each was chosen."""
    random = Random(seed)
    return Counter(pick(strategy, options, random.random(), turn) for turn in range(DRAWS))


def check_band(counts: Counter[int], weights: list[float]) -> None:
    """Each count lies within the binomial 99.9 % band of its share."""
    for index, weight in enumerate(weights):
        share = weight / sum(weights)
        assert abs(counts[index] - DRAWS * share) <= BAND * sqrt(DRAWS * share * (1 - share)), (index, counts)


@pytest.mark.parametrize("weights", [[20, 80], [1, 1], [1, 2, 3, 4], [0, 1, 1], [0.5, 0.25, 0.0], [1, 999]])
def test_weights_are_kept(weights: list[float]) -> None:
    """Over 10,000 draws of a seeded generator each has its share, within the binomial 99.9 % band."""
    check_band(drawn("weighted", [option(weight) for weight in weights]), weights)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_equals_share_evenly(strategy: Strategy) -> None:
    """Where nothing speaks for one of them, all have the same share; also where none has any weight."""
    check_band(drawn(strategy, [option()] * 4), [1] * 4)
    check_band(drawn(strategy, [option(0.0)] * 4), [1] * 4)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_only_one_is_chosen(strategy: Strategy) -> None:
    """One option is chosen whatever is known of it."""
    assert pick(strategy, [option(0.0, busy=99)], 0.999, 12) == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_weight_is_never_chosen(strategy: Strategy) -> None:
    """One that has no weight is left out while others have some, however good it looks."""
    worse = option(busy=9, latency=9.0, rate=9)
    best = option(0.0, latency=0.1, rate=0)
    assert set(drawn(strategy, [best, worse, best, worse])) == {1, 3}


def test_rounding_chooses_one_that_has_weight() -> None:
    """The greatest point below 1 chooses the last one with weight, not one that has none."""
    options = [option(0.1), option(0.2), option(0.7), option(0.0)]
    assert pick("weighted", options, 1 - 2**-53, 0) == 2
    assert pick("weighted", options, 0.0, 0) == 0


def test_turns_go_round() -> None:
    """Equal ones are served in turn."""
    assert [pick("round_robin", [option()] * 3, 0.9, turn) for turn in range(9)] == [0, 1, 2] * 3


def test_turns_are_smooth() -> None:
    """The heavy one is not served all its times in a row."""
    options = [option(5), option(1), option(1)]
    assert [pick("round_robin", options, 0.0, turn) for turn in range(14)] == [0, 0, 0, 1, 2, 0, 0] * 2


@settings(max_examples=100)
@given(weights=st.lists(st.integers(0, 9), min_size=2, max_size=6).filter(any), start=st.integers(0, 10**9))
def test_turns_keep_the_weights(weights: list[int], start: int) -> None:
    """In any round of as many turns as there is weight, each is served exactly as often as it weighs."""
    options = [option(weight) for weight in weights]
    counts = Counter(pick("round_robin", options, 0.0, turn) for turn in range(start, start + sum(weights)))
    assert [counts[index] for index in range(len(weights))] == weights


@settings(max_examples=100)
@given(weights=st.lists(st.integers(1, 9), min_size=2, max_size=6))
def test_turns_are_never_far_from_the_share(weights: list[int]) -> None:
    """After any number of turns each is within one round of the options of its share."""
    options = [option(weight) for weight in weights]
    counts = [0] * len(weights)
    for turn in range(2 * sum(weights)):
        counts[pick("round_robin", options, 0.0, turn)] += 1
        for count, weight in zip(counts, weights, strict=True):
            assert abs(count - (turn + 1) * weight / sum(weights)) <= len(weights) / 2 + 0.5


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ([option(busy=3), option(busy=2), option(busy=4)], {1}),
        ([option(1, busy=3), option(10, busy=20), option(1, busy=2)], {1}),
        ([option(2, busy=3), option(1, busy=1), option(1, busy=9)], {0, 1}),
    ],
)
def test_the_least_busy_for_its_weight(options: list[Option], chosen: set[int]) -> None:
    """The one with the fewest requests for its weight, this one included; chance decides between equals."""
    counts = drawn("least_busy", options)
    check_band(counts, [index in chosen for index in range(len(options))])


def test_the_least_busy_stay_level() -> None:
    """Requests that come and go in any order: no one is ever more than one above its share."""
    random = Random(3)
    weights = (1, 2, 5)
    busy = [0, 0, 0]
    for _ in range(4_000):
        busy[
            pick("least_busy", [option(w, busy=b) for w, b in zip(weights, busy, strict=True)], random.random(), 0)
        ] += 1
    assert [abs(b - 4_000 * w / 8) <= 1 for b, w in zip(busy, weights, strict=True)] == [True] * 3


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ([option(latency=0.3), option(latency=0.2), option(latency=0.25)], 1),
        ([option(latency=0.3, busy=0), option(latency=0.2, busy=1)], 0),
        ([option(latency=0.3), option(latency=0.2), option()], 2),
        ([option(latency=0.4, busy=1), option(latency=0.2, busy=2), option(busy=1)], 1),
        ([option(busy=2), option(busy=1)], 1),
    ],
)
def test_the_lowest_latency(options: list[Option], chosen: int) -> None:
    """The one that is fastest for its requests; one not known goes first, but gets one request, not all of them."""
    assert drawn("lowest_latency", options) == {chosen: DRAWS}


def test_a_new_target_is_not_flooded() -> None:
    """Before its first answer, one that is not known gets no more at the same time than the slowest would."""
    options = [option(latency=0.5), option()]
    for _ in range(300):
        index = pick("lowest_latency", options, 0.5, 0)
        options[index] = options[index]._replace(busy=options[index].busy + 1)
    assert abs(options[0].busy - options[1].busy) <= 1


def test_the_cheapest() -> None:
    """The lowest price, by weight between equals; one without a price only where none has one."""
    check_band(drawn("cheapest", [option(rate=5), option(20, rate=3), option(80, rate=3), option()]), [0, 20, 80, 0])
    check_band(drawn("cheapest", [option(1), option(3)]), [1, 3])
    assert pick("cheapest", [option(), option(rate=0)], 0.0, 0) == 1


@settings(max_examples=200)
@given(
    strategy=st.sampled_from(STRATEGIES),
    options=st.lists(
        st.builds(
            Option,
            st.sampled_from([0.0, 0.5, 1.0, 3.0]),
            st.integers(0, 5),
            st.sampled_from([0.0, 0.1, 0.5]),
            st.none() | st.integers(0, 2),
        ),
        min_size=1,
        max_size=5,
    ),
    point=st.floats(0, 1, exclude_max=True),
    turn=st.integers(0, 2**40),
)
def test_any_choice_is_one_of_the_best(strategy: Strategy, options: list[Option], point: float, turn: int) -> None:
    """No other with weight is better by what the strategy asks for; the same question has the same answer."""
    index = pick(strategy, options, point, turn)
    assert index == pick(strategy, options, point, turn)
    chosen = options[index]
    others = [each for each in options if each.weight > 0]
    assert chosen.weight > 0 or not others
    for each in others:
        if strategy == "least_busy":
            assert (chosen.busy + 1) / chosen.weight <= (each.busy + 1) / each.weight
        if strategy == "cheapest":
            assert each.rate is None or (chosen.rate is not None and chosen.rate <= each.rate)
        if strategy == "lowest_latency" and chosen.latency and each.latency:
            assert chosen.latency * (chosen.busy + 1) <= each.latency * (each.busy + 1)


def test_points_in_order_choose_in_order() -> None:
    """Weighted choice goes along the options as the point rises, so that a seed tells the choice."""
    options = [option(1), option(2), option(1)]
    chosen = [pick("weighted", options, point / 100, 0) for point in range(100)]
    assert all(first <= second for first, second in pairwise(chosen))
    assert Counter(chosen) == {0: 25, 1: 50, 2: 25}
