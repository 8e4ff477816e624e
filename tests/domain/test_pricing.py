"""Costs are exact, and never above what was set aside for them."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.domain.pricing import (
    Price,
    Rates,
    Service,
    Tier,
    as_served,
    at_most,
    cost,
    highest_cost,
    with_hourly_cache,
)
from sluicegate.domain.usage import Usage

COUNTS = st.integers(0, 3_000_000)
AMOUNTS = st.integers(0, 10**12)
RATES = st.builds(
    Rates,
    input=AMOUNTS,
    output=AMOUNTS,
    cache_read=st.none() | AMOUNTS,
    cache_write=st.none() | AMOUNTS,
    input_audio=st.none() | AMOUNTS,
    output_audio=st.none() | AMOUNTS,
    request=AMOUNTS,
    cache_write_1h=st.none() | AMOUNTS,
)
TIERS = st.lists(st.builds(Tier, st.integers(1, 2_000_000), RATES), max_size=3, unique_by=lambda tier: tier.above)
PRICES = st.builds(
    lambda rates, tiers: Price("v", rates, tuple(sorted(tiers, key=lambda tier: tier.above))), RATES, TIERS
)
USAGES = st.builds(
    Usage,
    input_tokens=COUNTS,
    output_tokens=COUNTS,
    cache_read_tokens=COUNTS,
    cache_write_tokens=COUNTS,
    reasoning_tokens=COUNTS,
    input_audio_tokens=COUNTS,
    output_audio_tokens=COUNTS,
    cache_write_1h_tokens=COUNTS,
)

RATED = Rates(
    input=3_000_000,
    output=15_000_000,
    cache_read=300_000,
    cache_write=3_750_000,
    input_audio=40_000_000,
    output_audio=80_000_000,
    request=7,
    cache_write_1h=6_000_000,
)


@given(PRICES, USAGES, COUNTS, COUNTS)
def test_no_cost_exceeds_the_highest(price: Price, usage: Usage, more_input: int, more_output: int) -> None:
    """Whatever an exchange within the bounds consists of, it costs no more than the bounds do."""
    bound = highest_cost(price, usage.input_tokens + more_input, usage.output_tokens + more_output)
    assert 0 <= cost(price, usage) <= bound


def test_the_highest_cost_is_that_of_the_dearest_kinds() -> None:
    """No more than that, so that no request is refused for money it cannot cost: rounded up, in the dearest tier."""
    cheap = Price("v", Rates(input=1, output=2, request=7))
    assert [highest_cost(cheap, *tokens) for tokens in ((0, 0), (500_000, 250_000), (500_001, 250_000))] == [7, 8, 9]
    assert highest_cost(Price("v", RATED), 1_000, 100) == 1_000 * 40 + 100 * 80 + 7
    tiers = (Tier(200, RATED), Tier(400, Rates(input=500_001)))
    assert highest_cost(Price("v", Rates(), tiers), 1_000, 100) == 1_000 * 40 + 100 * 80 + 7
    assert highest_cost(Price("v", Rates(), tiers[1:]), 3, 100) == 2


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(), 7),
        (Usage(1_000, 100), 3_000 + 1_500 + 7),
        (Usage(1_000, 100, cache_read_tokens=400), 600 * 3 + 120 + 1_500 + 7),
        (Usage(1_000, 100, cache_write_tokens=400), 600 * 3 + 1_500 + 1_500 + 7),
        (Usage(1_000, 100, cache_write_tokens=400, cache_write_1h_tokens=300), 600 * 3 + 375 + 1_800 + 1_500 + 7),
        (Usage(1_000, 100, cache_write_tokens=400, cache_write_1h_tokens=900), 600 * 3 + 2_400 + 1_500 + 7),
        (Usage(1_000, 100, input_audio_tokens=10), 990 * 3 + 400 + 1_500 + 7),
        (Usage(1_000, 100, output_audio_tokens=10), 3_000 + 90 * 15 + 800 + 7),
        (Usage(1_000, 100, reasoning_tokens=90), 3_000 + 1_500 + 7),
        (Usage(1_000, 100, cache_read_tokens=9_000), 300 + 1_500 + 7),
    ],
)
def test_kinds_are_priced_apart(usage: Usage, expected: int) -> None:
    """Each kind is a part of input or output, at its own rate; what exceeds the whole is not counted."""
    assert cost(Price("v", RATED), usage) == expected


def test_kinds_without_a_rate_cost_what_plain_ones_do() -> None:
    """A missing rate is never zero."""
    usage = Usage(1_000, 100, 100, 100, 0, 100, 100)
    assert cost(Price("v", Rates(input=3_000_000, output=15_000_000)), usage) == 3_000 + 1_500
    written = Rates(input=30_000_000, cache_write=37_500_000)
    assert cost(Price("v", written), Usage(1_000, cache_write_tokens=1_000, cache_write_1h_tokens=1_000)) == 37_500


@given(AMOUNTS, AMOUNTS, AMOUNTS, COUNTS, COUNTS)
def test_rounding_happens_once_and_upwards(a: int, b: int, c: int, tokens: int, more: int) -> None:
    """The cost is the exact sum, rounded up to the next whole nano-dollar."""
    exact = Fraction(tokens * a + more * b, 1_000_000) + c
    assert cost(Price("v", Rates(input=a, output=b, request=c)), Usage(tokens, more)) == ceil(exact)


@given(RATES, USAGES, USAGES)
def test_costs_add_up(rates: Rates, one: Usage, other: Usage) -> None:
    """Two exchanges cost what their plain tokens together do, to within one nano-dollar and the second request."""
    price = Price("v", rates)
    first, second = (Usage(usage.input_tokens, usage.output_tokens) for usage in (one, other))
    both = Usage(first.input_tokens + second.input_tokens, first.output_tokens + second.output_tokens)
    apart = cost(price, first) + cost(price, second) - rates.request
    assert 0 <= apart - cost(price, both) <= 1


@pytest.mark.parametrize(("tokens", "expected"), [(200, 200), (201, 402), (400, 800), (401, 1_203)])
def test_a_tier_holds_for_the_whole_exchange(tokens: int, expected: int) -> None:
    """Above a threshold all tokens are at the rates of its tier, at the threshold none is."""
    plain, double, treble = (Rates(input=rate * 1_000_000) for rate in (1, 2, 3))
    assert cost(Price("v", plain, (Tier(200, double), Tier(400, treble))), Usage(tokens)) == expected


def test_an_hour_in_the_cache_costs_twice_the_input_unless_a_rate_says_otherwise() -> None:
    """In every tier; without any rate it costs what other writing does."""
    plain = Rates(input=3_000_000, output=15_000_000, cache_write=3_750_000)
    usage = Usage(1_000, 0, cache_write_tokens=1_000, cache_write_1h_tokens=1_000)
    assert cost(Price("v", plain), usage) == 3_750
    tiered = Price("v", plain, (Tier(500, Rates(input=5_000_000, output=0)), Tier(900, RATED)))
    priced = with_hourly_cache(tiered)
    assert [rates.cache_write_1h for rates in (priced.rates, *(tier.rates for tier in priced.tiers))] == [
        6_000_000,
        10_000_000,
        6_000_000,
    ]
    assert cost(with_hourly_cache(Price("v", plain)), usage) == 6_000


def each(input_rate: int, output_rate: int) -> Rates:
    """Nano-dollars for each token."""
    return Rates(input_rate * 10**6, output_rate * 10**6)


SERVED = Price(
    "v",
    each(10, 20),
    (Tier(100, each(30, 40)),),
    longest_output=7,
    services=(Service("flex", each(5, 10)), Service("priority", each(50, 60), (Tier(100, each(70, 80)),))),
)


@pytest.mark.parametrize(
    ("service", "small", "large"),
    [(None, 3_000, 7_030), ("flex", 1_500, 1_505), ("priority", 11_000, 15_070), ("scale", 3_000, 7_030)],
)
def test_a_service_has_its_own_rates(service: str | None, small: int, large: int) -> None:
    """With its own for large inputs; one that the price has nothing of costs what the usual one costs."""
    price = as_served(SERVED, service)
    assert (cost(price, Usage(100, 100)), cost(price, Usage(101, 100))) == (small, large)
    assert price.longest_output == 7


@given(PRICES, RATES, RATES, USAGES, st.sampled_from([None, "flex", "priority"]))
def test_no_service_costs_more_than_the_most_of_all_asked_for(
    price: Price, flex: Rates, priority: Rates, usage: Usage, served: str | None
) -> None:
    """Whichever of them the answer is served by, the usual one included: a provider may fall back to that."""
    whole = Price(
        "v", price.rates, price.tiers, services=(Service("flex", flex), Service("priority", priority, price.tiers))
    )
    bound = at_most(whole, ("flex", "priority", "unknown"))
    assert cost(as_served(whole, served), usage) <= highest_cost(bound, usage.input_tokens, usage.output_tokens)
    assert at_most(whole, ()) is whole


def test_hourly_caches_cost_twice_the_input_of_each_service() -> None:
    """As they do of the usual one."""
    price = with_hourly_cache(SERVED)
    assert [one.rates.cache_write_1h for one in price.services] == [10 * 10**6, 100 * 10**6]
    assert [tier.rates.cache_write_1h for one in price.services for tier in one.tiers] == [140 * 10**6]
