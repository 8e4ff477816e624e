"""Percentiles are values that were measured, and say no more than was measured."""

import pytest

from sluicegate.bench.latency import Added, added, distribution, percentile


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (1, 1), (50, 50), (99, 99), (99.9, 100), (100, 100)])
def test_percentile_is_nearest_rank(percent: float, value: int) -> None:
    """Of 1 to 100, the 50th percentile is 50."""
    assert percentile(range(1, 101), percent) == value


def test_binary_fractions_do_not_matter() -> None:
    """99.9 % of 1000 values are 999 of them."""
    assert percentile(range(1, 1001), 99.9) == 999


def test_distribution() -> None:
    """Seconds in any order become milliseconds."""
    found = distribution([number / 1000 for number in range(1000, 0, -1)])
    assert found is not None
    assert (found.count, found.mean, found.p50, found.p90, found.p95, found.p99, found.p999, found.maximum) == (
        1000,
        500.5,
        500,
        900,
        950,
        990,
        999,
        1000,
    )
    assert found.curve[0] == (0.0, 1.0)
    assert found.curve[-2:] == ((99.9, 999.0), (100.0, 1000.0))


def test_curve_ends_where_values_end() -> None:
    """Few values have no high percentiles, only a maximum."""
    found = distribution([0.001] * 10)
    assert found is not None
    assert [percent for percent, _ in found.curve] == [0, 10, 25, 50, 75, 90, 100]


def test_nothing_measured() -> None:
    """Nothing has no distribution."""
    assert distribution([]) is None


def test_added_latency() -> None:
    """What a gateway adds is the difference of the same percentiles, which noise may make negative."""
    through, direct = distribution([0.003] * 200), distribution([0.001] * 198 + [0.005] * 2)
    assert through is not None
    assert direct is not None
    assert added(through, direct) == Added(2.0, 2.0, 2.0)
    assert added(direct, through).p50 == -2.0
