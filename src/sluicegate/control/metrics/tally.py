"""Everything that is counted of events, with a bound on how many label sets each metric may have.

Rule 1. Events are counted in the order in which they are read, so two nodes that read the same count the same.
Rule 2. A model has a label of its own once a provider has answered for it: clients can ask for any name, but what
        nobody serves is counted as `other` and takes no room.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Final

from msgspec import Struct, field

from sluicegate.control.metrics.measured import NONE, Measured, limited, outcomes, would_be_limited
from sluicegate.control.metrics.tables import OTHER, Cell, Counts, Histogram, Key, Observed, Series
from sluicegate.domain.usage import Usage

MOST_MODELS: Final = 200
MOST_REQUEST_SETS: Final = 2_000
"""Of requests: by route, model, provider and status."""
MOST_SETS: Final = 300
"""Of every other metric. A histogram has some fifteen lines for each."""

DURATION_BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds: an embedding takes a tenth of one, a long answer of a thinking model minutes."""
FIRST_TOKEN_BOUNDS: Final = (0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 60.0)
"""Seconds."""
OVERHEAD_BOUNDS: Final = (
    *(0.00002, 0.00003, 0.00005, 0.000075, 0.0001, 0.00015, 0.00025, 0.0005),
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0),
)
"""Seconds: from 20 µs, which is about what a small request takes, to what a plugin or a wait for a limit may add."""

_MOST_ROWS: Final = 4_096
"""Kinds of requests whose places in the tables are remembered."""

_TOKEN_TYPES: Final = tuple(name.removesuffix("_tokens") for name in Usage.__struct_fields__)
_amounts: Callable[[Usage], tuple[int, ...]] = attrgetter(*Usage.__struct_fields__)
_SUCCESS: Final = ("success",)


class KeptHistogram(Struct, frozen=True):
    """What is kept of a histogram. Raises ValueError, ValidationError of a file, where its buckets are not as many."""

    bounds: tuple[float, ...]
    observed: list[Observed]

    def __post_init__(self) -> None:
        """Look before anything is counted: what is found later would be counted again with each attempt."""
        if any(len(one.counts) != len(self.bounds) + 1 for one in self.observed):
            raise ValueError("a histogram has another number of buckets than its bounds make")


class KeptTally(Struct, frozen=True):
    """What is kept of a tally, by the names of its attributes."""

    counters: dict[str, list[tuple[Key, int]]] = field(default_factory=dict)
    histograms: dict[str, KeptHistogram] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)


class _Row:
    """Where requests of one kind are counted, so that it is looked up once for all of them."""

    __slots__ = ("cost", "duration", "first_token", "model", "provider", "requests", "tokens")

    def __init__(self, model: str, provider: str, requests: Cell, duration: Series) -> None:
        """`model` and `provider` are labels; what not all of them have is looked up when the first one has it."""
        self.model = model
        self.provider = provider
        self.requests = requests
        self.duration = duration
        self.first_token: Series | None = None
        self.cost: Cell | None = None
        self.tokens: list[Cell | None] = [None] * len(_TOKEN_TYPES)


class Tally:
    """The counters. Labels are listed where each is made."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self.requests = Counts(4, MOST_REQUEST_SETS)
        """By route, model, provider, status."""
        self.tokens = Counts(3, MOST_SETS * len(_TOKEN_TYPES))
        """By type, model, provider."""
        self.cost = Counts(2, MOST_SETS)
        """Nano-dollars, by model, provider."""
        self.attempts = Counts(1, MOST_SETS)
        """By outcome."""
        self.limited = Counts(1, MOST_SETS)
        """By limit."""
        self.shadow_limited = Counts(1, MOST_SETS)
        """By limit."""
        self.degraded = Counts(0, 2)
        self.disconnected = Counts(0, 2)
        self.duration = Histogram(2, MOST_SETS, DURATION_BOUNDS)
        """Seconds, by route, provider."""
        self.first_token = Histogram(2, MOST_SETS, FIRST_TOKEN_BOUNDS)
        """Seconds, by model, provider; of streams."""
        self.overhead = Histogram(0, 2, OVERHEAD_BOUNDS)
        """Seconds."""
        self._models: set[str] = set()
        self._rows: dict[tuple[str, str, str, int], _Row] = {}

    def __repr__(self) -> str:
        """Tell how many requests, and how many models have labels of their own."""
        return f"<Tally requests={sum(count for _, count in self.requests.items())} models={len(self._models)}>"

    def add(self, events: Iterable[Measured]) -> None:
        """Count these events."""
        for event in events:
            self._add(event)

    def kept(self) -> KeptTally:
        """Everything that was counted, to be restored later."""
        return KeptTally(
            {name: counts.items() for name, counts in self._counters().items()},
            {name: KeptHistogram(one.bounds, one.observed()) for name, one in self._histograms().items()},
            sorted(self._models),
        )

    def restore(self, kept: KeptTally) -> None:
        """Go on from what was kept, maybe by another version: what it did not have, or cut otherwise, begins anew."""
        for name, counts in self._counters().items():
            counts.restore(kept.counters.get(name, ()))
        for name, histogram in self._histograms().items():
            old = kept.histograms.get(name)
            if old is not None and old.bounds == histogram.bounds:
                histogram.restore(old.observed)
        self._models.update(kept.models[: MOST_MODELS - len(self._models)])

    def _counters(self) -> dict[str, Counts]:
        return {name: value for name, value in vars(self).items() if isinstance(value, Counts)}

    def _histograms(self) -> dict[str, Histogram]:
        return {name: value for name, value in vars(self).items() if isinstance(value, Histogram)}

    def _add(self, event: Measured) -> None:
        row = self._rows.get((event.route, event.model, event.provider, event.status_code)) or self._row(event)
        row.requests.value += 1
        row.duration.add(event.duration_ms / 1_000)
        if event.overhead_us is not None:
            self.overhead.add((), event.overhead_us / 1_000_000)
        if event.is_stream and event.first_byte_ms is not None:
            if row.first_token is None:
                row.first_token = self.first_token.series((row.model, row.provider))
            row.first_token.add(event.first_byte_ms / 1_000)
        if event.usage is not None:
            self._add_usage(event.usage, row)
        if event.cost is not None:
            if row.cost is None:
                row.cost = self.cost.cell((row.model, row.provider))
            row.cost.value += event.cost
        if event.upstream_status == 200 and event.attempts == 1 and event.error_source is None:
            # Nearly all of them: no list need be made.
            self.attempts.add(_SUCCESS)
        else:
            for outcome in outcomes(event):
                self.attempts.add((outcome,))
        if event.error is not None or event.limit is not None:
            self._add_limits(event)
        if event.is_degraded:
            self.degraded.add(())
        if event.client_disconnected:
            self.disconnected.add(())

    def _row(self, event: Measured) -> _Row:
        """Where a request of a kind not remembered is counted."""
        route, provider = event.route or NONE, event.provider or NONE
        model = self._label(event)
        row = _Row(
            model,
            provider,
            self.requests.cell((route, model, provider, str(event.status_code))),
            self.duration.series((route, provider)),
        )
        if model != OTHER:
            # A model without a label of its own may get one, and of such names there is no end.
            if len(self._rows) >= _MOST_ROWS:
                self._rows.clear()
            self._rows[event.route, event.model, event.provider, event.status_code] = row
        return row

    def _add_usage(self, usage: Usage, row: _Row) -> None:
        tokens = row.tokens
        for index, amount in enumerate(_amounts(usage)):
            if amount:
                cell = tokens[index]
                if cell is None:
                    tokens[index] = cell = self.tokens.cell((_TOKEN_TYPES[index], row.model, row.provider))
                cell.value += amount

    def _add_limits(self, event: Measured) -> None:
        limit = limited(event)
        if limit is not None:
            self.limited.add((limit,))
        shadow = would_be_limited(event)
        if shadow is not None:
            self.shadow_limited.add((shadow,))

    def _label(self, event: Measured) -> str:
        """What its model is counted under."""
        if not event.model:
            return NONE
        if event.model not in self._models:
            is_served = event.status_code < 300 and event.upstream_status is not None and event.upstream_status < 300
            if not is_served or len(self._models) >= MOST_MODELS:
                return OTHER
            self._models.add(event.model)
        return event.model
