"""Counters and histograms with a bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.control.metrics.tables import OTHER, Counts, Histogram, Key, Observed

KEYS = st.tuples(st.sampled_from("abcdef"), st.sampled_from("xy"))


def test_counts_by_label() -> None:
    """Each label set has its own sum, in the order in which they came."""
    counts = Counts(2, 10)
    counts.add(("b", "x"))
    counts.add(("a", "x"), 5)
    counts.add(("b", "x"), 2)
    assert counts.items() == [(("b", "x"), 3), (("a", "x"), 5)]
    assert repr(counts) == "<Counts sets=2 of 10>"


@given(st.lists(st.tuples(KEYS, st.integers(0, 9))), st.integers(2, 8))
def test_counts_are_bounded_and_lose_nothing(added: list[tuple[Key, int]], most: int) -> None:
    """However many label sets there are, at most so many are kept, and the sum of all is the sum of what was added."""
    counts = Counts(2, most)
    for key, amount in added:
        counts.add(key, amount)
    items = dict(counts.items())
    assert len(items) <= most
    assert sum(items.values()) == sum(amount for _, amount in added)
    rest = items.pop((OTHER, OTHER), None)
    assert rest is None or len(items) == most - 1
    assert all(value == sum(amount for one, amount in added if one == key) for key, value in items.items())


@given(st.lists(KEYS), st.lists(KEYS), st.integers(2, 8))
def test_restored_counts_go_on(before: list[Key], after: list[Key], most: int) -> None:
    """It makes no difference whether there was a restart in between."""
    whole, first, second = Counts(2, most), Counts(2, most), Counts(2, most)
    for key in before:
        whole.add(key)
        first.add(key)
    second.restore(first.items())
    for key in after:
        whole.add(key)
        second.add(key)
    assert second.items() == whole.items()


def test_counts_of_another_version_are_the_rest() -> None:
    """What had other labels once is not lost, though it cannot be told apart."""
    counts = Counts(2, 10)
    counts.restore([(("a",), 3), (("a", "x"), 1)])
    assert counts.items() == [((OTHER, OTHER), 3), (("a", "x"), 1)]


@pytest.mark.parametrize(("value", "bucket"), [(0.0, 0), (1.0, 0), (1.1, 1), (2.0, 1), (2.1, 2)])
def test_a_bound_belongs_to_its_bucket(value: float, bucket: int) -> None:
    """A bucket counts what is at most its bound; the last one, the rest."""
    histogram = Histogram(0, 2, (1.0, 2.0))
    histogram.add((), value)
    [observed] = histogram.observed()
    assert [number for number, count in enumerate(observed.counts) if count] == [bucket]
    assert observed.total == value


def test_histograms_are_bounded() -> None:
    """Beyond the bound all label sets are one, whose buckets add up."""
    histogram = Histogram(1, 2, (1.0,))
    for key, value in (("a", 0.5), ("b", 0.5), ("c", 2.5), ("a", 1.5)):
        histogram.add((key,), value)
    assert histogram.observed() == [Observed(("a",), [1, 1], 2.0), Observed((OTHER,), [1, 1], 3.0)]
    assert repr(histogram) == "<Histogram sets=2 of 2 buckets=2>"


def test_restored_histograms_go_on() -> None:
    """Buckets and sums are added to what was there; what had other labels is the rest."""
    old = Histogram(1, 3, (1.0,))
    old.add(("a",), 0.5)
    new = Histogram(1, 3, (1.0,))
    new.restore([*old.observed(), Observed(("a", "x"), [0, 1], 4.0)])
    new.add(("a",), 2.0)
    assert new.observed() == [Observed(("a",), [1, 1], 2.5), Observed((OTHER,), [0, 1], 4.0)]
