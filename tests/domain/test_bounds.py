"""The most an exchange may take, and the cap that makes it true."""

import hypothesis.strategies as st
from hypothesis import given

from sluicegate.domain.bounds import LEAST_OUTPUT, MOST_HELD, USUAL_OUTPUT, Asked, Bound, Left, bound_of, usual_bound
from sluicegate.domain.pricing import Price, Rates, Tier, cost, highest_cost
from sluicegate.domain.usage import Usage

PRICE = Price("v", Rates(input=1_000_000, output=3_000_000, request=7), longest_output=100_000, context=200_000)
"""One nano-dollar a token read, three a token written."""
UNLIMITED = Price("v", PRICE.rates)
"""The same, of a model whose longest answer is not known."""


def test_a_clients_cap_is_the_bound() -> None:
    """Nothing is written into the request, and each choice counts."""
    assert bound_of(Asked(100, 50, 2), Left(10_000), PRICE) == Bound(200, 407, 100)


def test_what_is_set_aside_is_a_number_for_everyone() -> None:
    """Whatever a client asks for: it is more than any limit has, and fits into a message to others."""
    dear = Price("v", Rates(input=10**12, output=10**12))
    bound = bound_of(Asked(10**9, 2**31, 2**31), Left(), dear)
    assert (bound.tokens, bound.usd) == (MOST_HELD, MOST_HELD)


def test_without_a_cap_the_usual_answer_fits() -> None:
    """An eighth of what remains, but never less than the usual answer takes."""
    assert bound_of(Asked(100), Left(10**6), PRICE).cap is None
    assert bound_of(Asked(0), Left(400_000), PRICE).cap == 50_000
    assert bound_of(Asked(0), Left(50_000), PRICE).cap == USUAL_OUTPUT
    assert bound_of(Asked(0), Left(), None) == Bound(USUAL_OUTPUT, 0, USUAL_OUTPUT, USUAL_OUTPUT)


def test_what_remains_is_used_to_the_end() -> None:
    """Where less than the usual answer remains, that is the cap; where nothing does, the bound does not fit."""
    assert bound_of(Asked(100, choices=2), Left(1100), PRICE).cap == 500
    assert bound_of(Asked(100), Left(100), PRICE).tokens == 100 + LEAST_OUTPUT
    assert bound_of(Asked(100), Left(usd=407), PRICE) == Bound(200, 407, 100, 100)
    assert bound_of(Asked(100), Left(usd=407), UNLIMITED) == Bound(200, 407, 100, 100)


def test_what_costs_nothing_is_bounded_by_tokens_alone() -> None:
    """Output that is free, and a model without a price, where money is limited too."""
    free = Price("v", Rates(input=1_000_000))
    assert bound_of(Asked(100), Left(1100, 10**6), free) == Bound(1100, 100, 1000, 1000)
    assert bound_of(Asked(100), Left(1100, 5), None) == Bound(1100, 0, 1000, 1000)
    assert bound_of(Asked(100, 50), Left(usd=5), None) == Bound(150, 0, 50)
    assert bound_of(Asked(100, 50), Left(own_usd=5), None) == Bound(150, 0, 50)


def test_a_models_own_maximum_needs_no_cap() -> None:
    """Below it one is written, at it none."""
    small = Price("v", Rates(), longest_output=4096)
    assert bound_of(Asked(1), Left(10**9, 10**9), small) == Bound(4097, 0, 4096)


def test_no_more_is_read_than_fits_the_model() -> None:
    """A longer request is refused by the model."""
    assert bound_of(Asked(10**6, 5), Left(), PRICE).tokens == 200_005


def test_embeddings_write_nothing() -> None:
    """Only what they read is set aside."""
    assert bound_of(Asked(100, writes=False), Left(1000), PRICE) == Bound(100, 107, 0)
    assert bound_of(Asked(100, writes=False), Left(1000), None) == Bound(100, 0, 0)


def test_the_callers_own_limit_lowers_the_cap() -> None:
    """Its own cap too; but no lower than an answer is worth having."""
    assert bound_of(Asked(100, 50), Left(own_usd=167), PRICE) == Bound(120, 167, 20, 20)
    assert bound_of(Asked(100, 50), Left(own_usd=257), PRICE).cap is None
    assert bound_of(Asked(100), Left(own_usd=167), UNLIMITED) == Bound(120, 167, 20, 20)
    assert bound_of(Asked(100, 50), Left(own_usd=10), PRICE).cap == LEAST_OUTPUT


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**12),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(1, 4),
)
def test_a_bound_that_fits_is_never_over(read: int, tokens: int, usd: int, cheap: int, dear: int, choices: int) -> None:
    """Where the bound is written as a cap above the least, it is within what remains of both limits."""
    price = Price("v", Rates(cheap, dear), (Tier(10_000, Rates(2 * cheap, 2 * dear)),))
    bound = bound_of(Asked(read, choices=choices), Left(tokens, usd), price)
    assert bound.output == (bound.cap or 0) * choices
    if bound.cap is not None and bound.cap > LEAST_OUTPUT:
        assert bound.tokens <= tokens
        assert bound.usd <= usd
    assert cost(price, Usage(read, bound.output)) <= bound.usd == highest_cost(price, read, bound.output)


@given(st.integers(0, 10**5), st.integers(0, 10**6), st.integers(0, 10**12), st.integers(0, 20_000), st.integers(1, 4))
def test_where_much_is_left_the_bound_is_the_usual_one(
    read: int, tokens: int, usd: int, longest: int, choices: int
) -> None:
    """It is never above what is left, and what a reckoning from what is left finds, too."""
    price = Price("v", Rates(1_000_000, 2_000_000), longest_output=longest, context=50_000)
    bound = usual_bound(read, choices, tokens, usd, price)
    whole = bound_of(Asked(read, choices=choices), Left(tokens, usd), price)
    if bound is None:
        assert longest > USUAL_OUTPUT or whole.cap is not None or whole.tokens > tokens or whole.usd > usd
    else:
        assert bound == whole
        assert (bound.tokens <= tokens, bound.usd <= usd) == (True, True)
        assert bound.cap == (None if longest else USUAL_OUTPUT)


def test_the_usual_bound_may_use_all_that_is_left() -> None:
    """To the last token and nano-dollar; a unit less is too little."""
    output = 2 * USUAL_OUTPUT
    fits = Bound(100 + output, 100 + 3 * output + 7, output, USUAL_OUTPUT)
    assert usual_bound(100, 2, fits.tokens, fits.usd, UNLIMITED) == fits
    assert usual_bound(100, 2, fits.tokens - 1, fits.usd, UNLIMITED) is None
    assert usual_bound(100, 2, fits.tokens, fits.usd - 1, UNLIMITED) is None
    assert usual_bound(100, 2, None, None, None) == Bound(100 + output, 0, output, USUAL_OUTPUT)


def test_what_is_read_again_is_not_bounded_by_what_a_model_holds() -> None:
    """Of each thing read at once it is: a million tokens are read in several steps."""
    price = Price("v", Rates(1_000_000, 1_000_000), longest_output=100, context=2_000)
    assert bound_of(Asked(1_000_000), Left(), price).tokens == 2_100
    assert bound_of(Asked(1_000_000, is_repeated=True), Left(), price).tokens == 1_000_100
    assert bound_of(Asked(1_000_000, writes=False, is_repeated=True), Left(), price).tokens == 1_000_000
