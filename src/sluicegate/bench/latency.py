"""Many durations as a few numbers: percentiles, the spread over all of them, and what a gateway adds."""

from collections.abc import Sequence

import msgspec

CURVE = (0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0)
"""Percentiles of the curve: more of them towards the end, which is where gateways differ."""


class Distribution(msgspec.Struct, frozen=True):
    """Milliseconds. `curve` has a pair (percentile, milliseconds) for each of `CURVE` that `count` values can tell."""

    count: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    p999: float
    maximum: float
    curve: tuple[tuple[float, float], ...]


class Added(msgspec.Struct, frozen=True):
    """Milliseconds a gateway adds: differences of the same percentile with and without it."""

    p50: float
    p90: float
    p99: float


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all values do not exceed (nearest rank). `ordered` must not be empty."""
    # Rounded first: 99.9 % of 1000 are 999 and not, as binary fractions have it, a little more.
    rank = -(-round(percent * len(ordered), 6) // 100)
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]


def distribution(seconds: Sequence[float]) -> Distribution | None:
    """Summarise; None if there is nothing to summarise."""
    if not seconds:
        return None
    ordered = sorted(seconds)

    def at(percent: float) -> float:
        return round(percentile(ordered, percent) * 1000, 4)

    # A percentile that no value separates from the maximum would only repeat it.
    told = [percent for percent in CURVE if percent == 100 or round(len(ordered) * (100 - percent), 6) >= 100]
    return Distribution(
        count=len(ordered),
        mean=round(sum(ordered) / len(ordered) * 1000, 4),
        p50=at(50),
        p90=at(90),
        p95=at(95),
        p99=at(99),
        p999=at(99.9),
        maximum=at(100),
        curve=tuple((percent, at(percent)) for percent in told),
    )


def added(through: Distribution, direct: Distribution) -> Added:
    """What the way `through` a gateway adds to the `direct` one."""
    return Added(
        round(through.p50 - direct.p50, 4), round(through.p90 - direct.p90, 4), round(through.p99 - direct.p99, 4)
    )
