"""Counters and histograms by their labels, each with a bounded number of label sets: the rest is counted as `other`."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

OTHER: Final = "other"
"""Every label of what found no room."""

Key = tuple[str, ...]
"""The labels' values, in the order of the labels' names."""


class Cell:
    """The count of one label set, which stays the same one for as long as the counter lives."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self.value = 0

    def __repr__(self) -> str:
        """Tell the count."""
        return f"<Cell {self.value}>"


class Counts:
    """A counter; its values are whole."""

    __slots__ = ("_cells", "_most", "_rest")

    def __init__(self, labels: int, most: int) -> None:
        """`labels` is how many there are; at most `most` sets of them are told apart, the one for the rest included."""
        self._cells: dict[Key, Cell] = {}
        self._most = most
        self._rest = (OTHER,) * labels

    def __repr__(self) -> str:
        """Tell how much room is taken."""
        return f"<Counts sets={len(self._cells)} of {self._most}>"

    def cell(self, key: Key) -> Cell:
        """Where this label set is counted, made where it is new; the rest's where there is no room."""
        cell = self._cells.get(key)
        if cell is None:
            if len(self._cells) >= self._most - 1:
                key = self._rest
            cell = self._cells.setdefault(key, Cell())
        return cell

    def add(self, key: Key, amount: int = 1) -> None:
        """Count so much more; nothing is no label set either."""
        self.cell(key).value += amount

    def items(self) -> list[tuple[Key, int]]:
        """All label sets, in the order in which they came."""
        return [(key, cell.value) for key, cell in list(self._cells.items())]

    def restore(self, items: Iterable[tuple[Key, int]]) -> None:
        """Go on from what `items` returned once; what has other labels, or no room any more, is the rest's."""
        for key, value in items:
            self.add(key if len(key) == len(self._rest) else self._rest, value)


class Observed(Struct, frozen=True):
    """How often a value was in each bucket, the one beyond the last bound included, and the sum of all values."""

    key: Key
    counts: list[int]
    total: float


class Series:
    """How often values of one label set were in each bucket, and their sum; it stays the same one, as a `Cell` does."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Nothing is counted yet."""
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def __repr__(self) -> str:
        """Tell how many values there were."""
        return f"<Series {sum(self.counts)}>"

    def add(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


class Histogram:
    """A histogram: how often a value was at most each bound."""

    __slots__ = ("_most", "_rest", "_series", "bounds")

    def __init__(self, labels: int, most: int, bounds: Sequence[float]) -> None:
        """`bounds` rise; the last bucket, without a bound, is not among them. `most` is as in `Counts`."""
        self.bounds = tuple(bounds)
        self._series: dict[Key, Series] = {}
        self._most = most
        self._rest = (OTHER,) * labels

    def __repr__(self) -> str:
        """Tell how much room is taken."""
        return f"<Histogram sets={len(self._series)} of {self._most} buckets={len(self.bounds) + 1}>"

    def series(self, key: Key) -> Series:
        """Where this label set is counted, made where it is new; the rest's where there is no room."""
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= self._most - 1:
                key = self._rest
            series = self._series.setdefault(key, Series(self.bounds))
        return series

    def add(self, key: Key, value: float) -> None:
        """One more value."""
        self.series(key).add(value)

    def observed(self) -> list[Observed]:
        """All label sets, in the order in which they came."""
        return [Observed(key, list(series.counts), series.total) for key, series in list(self._series.items())]

    def restore(self, observed: Iterable[Observed]) -> None:
        """Go on from what `observed` returned once, with the same bounds."""
        for each in observed:
            series = self.series(each.key if len(each.key) == len(self._rest) else self._rest)
            series.counts = [one + other for one, other in zip(series.counts, each.counts, strict=True)]
            series.total += each.total
