"""Which of several targets is chosen: pure functions of what is known of them and of a point drawn by the caller.

Rule. An option of no weight is chosen only where none has any; then all are alike.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from sluicegate.domain.snapshot import Strategy


class Option(NamedTuple):
    """What is known of a target that may be chosen now.

    `busy` is how many requests it has under way, `latency` seconds (0.0: not known), `rate` its price (None: it has
    none that is known).
    """

    weight: float
    busy: int
    latency: float
    rate: int | None


def pick(strategy: Strategy, options: Sequence[Option], point: float, turn: int) -> int:
    """The index of the option that is chosen, of at least one.

    `point` is drawn from [0, 1) and decides between equals; `turn` counts choices and decides for `round_robin`.
    """
    if len(options) == 1:
        return 0
    if strategy == "weighted":
        return _weighted(options, point)
    if not any(option.weight > 0 for option in options):
        options = [option._replace(weight=1.0) for option in options]
    if strategy == "round_robin":
        return _round_robin(options, turn)
    if strategy == "cheapest":
        return _cheapest(options, point)
    return _least(_COSTS[strategy](options), point)


def _weighted(options: Sequence[Option], point: float) -> int:
    left = 0.0
    for option in options:
        left += option.weight
    if left <= 0:
        return int(point * len(options))
    left *= point
    chosen = 0
    for index, option in enumerate(options):
        if option.weight > 0:
            chosen = index
            left -= option.weight
            if left < 0:
                break
    # Where rounding leaves a trifle, it is the last one that has weight.
    return chosen


def _round_robin(options: Sequence[Option], turn: int) -> int:
    """In turns: smooth, by weight, and known without looking at the turns before.

    The k-th time (from 0) of an option is due at (k + 1/2) / its share of the weights, counted in turns, and they are
    served as they are due. Up to some moment each has been served within half a time of its share, all together within
    half the number of options; so we start that much before this turn, and take the few steps that remain.
    """
    total = sum(option.weight for option in options)
    start = turn - len(options) / 2
    served = [max(0, int(start * option.weight / total + 0.5)) for option in options]
    for _ in range(turn - sum(served) + 1):
        chosen = min(
            (index for index, option in enumerate(options) if option.weight > 0),
            key=lambda index: (served[index] + 0.5) / options[index].weight,
        )
        served[chosen] += 1
    return chosen


def _cheapest(options: Sequence[Option], point: float) -> int:
    rates = [_NEVER if option.rate is None or option.weight <= 0 else option.rate for option in options]
    least = min(rates)
    # Those that cost more have no weight in the choice. Where no price is known, all have theirs.
    pairs = zip(options, rates, strict=True)
    return _weighted([option if rate == least else option._replace(weight=0.0) for option, rate in pairs], point)


def _business(options: Sequence[Option]) -> list[float]:
    """How busy each would be with one more request, for its weight."""
    return [(option.busy + 1) / option.weight if option.weight > 0 else _NEVER for option in options]


def _slowness(options: Sequence[Option]) -> list[float]:
    """Latency times the requests each would have, as balancers by peak EWMA do (Finagle).

    One that is not known yet is tried first, by one request: until that has ended it is taken to be as slow as the
    slowest. All others would else go there at the same time.
    """
    slowest = max(option.latency for option in options) or 1.0
    return [
        (option.latency or (slowest if option.busy else 0.0)) * (option.busy + 1) if option.weight > 0 else _NEVER
        for option in options
    ]


def _least(costs: Sequence[float], point: float) -> int:
    """The index of the least cost; `point` decides between equals."""
    least = min(costs)
    equal = costs.count(least)
    index = costs.index(least)
    for _ in range(int(point * equal)):
        index = costs.index(least, index + 1)
    return index


_NEVER: Final = float("inf")

_COSTS: Final[dict[Strategy, Callable[[Sequence[Option]], list[float]]]] = {
    "least_busy": _business,
    "lowest_latency": _slowness,
}
