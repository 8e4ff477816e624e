"""Counters and histograms by their labels, each with a bounded number of label sets: the rest is counted as `other`."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

OTHER: Final = "other"
"""Every label of what found no room."""

Key = tuple[str, ...]
"""The labels' values, in the order of the labels' names."""


class Counts:
    """A counter; its values are whole."""

    __slots__ = ("_most", "_rest", "_values")

    def __init__(self, labels: int, most: int) -> None:
        """`labels` is how many there are; at most `most` sets of them are told apart, the one for the rest included."""
        self._values: dict[Key, int] = {}
        self._most = most
        self._rest = (OTHER,) * labels

    def __repr__(self) -> str:
        """Tell how much room is taken."""
        return f"<Counts sets={len(self._values)} of {self._most}>"

    def add(self, key: Key, amount: int = 1) -> None:
        """Count so much more; nothing is no label set either."""
        values = self._values
        if key in values:
            values[key] += amount
        elif len(values) < self._most - 1:
            values[key] = amount
        else:
            values[self._rest] = values.get(self._rest, 0) + amount

    def items(self) -> list[tuple[Key, int]]:
        """All label sets, in the order in which they came."""
        return list(self._values.items())

    def restore(self, items: Iterable[tuple[Key, int]]) -> None:
        """Go on from what `items` returned once; what has other labels, or no room any more, is the rest's."""
        for key, value in items:
            self.add(key if len(key) == len(self._rest) else self._rest, value)


class Observed(Struct, frozen=True):
    """How often a value was in each bucket, the one beyond the last bound included, and the sum of all values."""

    key: Key
    counts: list[int]
    total: float


class _Series:
    __slots__ = ("counts", "total")

    def __init__(self, counts: list[int], total: float) -> None:
        self.counts = counts
        self.total = total


class Histogram:
    """A histogram: how often a value was at most each bound."""

    __slots__ = ("_most", "_rest", "_series", "bounds")

    def __init__(self, labels: int, most: int, bounds: Sequence[float]) -> None:
        """`bounds` rise; the last bucket, without a bound, is not among them. `most` is as in `Counts`."""
        self.bounds = tuple(bounds)
        self._series: dict[Key, _Series] = {}
        self._most = most
        self._rest = (OTHER,) * labels

    def __repr__(self) -> str:
        """Tell how much room is taken."""
        return f"<Histogram sets={len(self._series)} of {self._most} buckets={len(self.bounds) + 1}>"

    def add(self, key: Key, value: float) -> None:
        """One more value."""
        series = self._series.get(key) or self._opened(key)
        series.counts[bisect_left(self.bounds, value)] += 1
        series.total += value

    def observed(self) -> list[Observed]:
        """All label sets, in the order in which they came."""
        return [Observed(key, list(series.counts), series.total) for key, series in list(self._series.items())]

    def restore(self, observed: Iterable[Observed]) -> None:
        """Go on from what `observed` returned once, with the same bounds."""
        for each in observed:
            series = self._opened(each.key if len(each.key) == len(self._rest) else self._rest)
            series.counts = [one + other for one, other in zip(series.counts, each.counts, strict=True)]
            series.total += each.total

    def _opened(self, key: Key) -> _Series:
        """The series of a label set that has none so far, or that of the rest."""
        if key not in self._series and len(self._series) >= self._most - 1:
            key = self._rest
        return self._series.setdefault(key, _Series([0] * (len(self.bounds) + 1), 0.0))
