"""What targets cost, written into the snapshot for those models whose target is the cheapest one."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from msgspec.structs import replace

from sluicegate.config.compile import Compiled
from sluicegate.control.prices.catalogue import Catalogue
from sluicegate.control.prices.table import PriceTable
from sluicegate.domain.pricing import Price
from sluicegate.domain.snapshot import ModelAlias, Snapshot, Target

_OUTPUT_SHARE = 4
"""One token in so many is output: about what conversations have."""

PAUSE = 20.0
"""Seconds between two looks at whether rates are still right: prices change at full hours, or days."""

Table = Callable[[str, str], Price | None]
"""What a provider's model costs: `PriceTable.price`."""


def rated(compiled: Compiled, catalogue: Callable[[], Catalogue], now: datetime) -> Compiled:
    """A configuration with the rates of that moment; `catalogue` is called only where they are asked for."""
    if not needs_rates(compiled.snapshot):
        return compiled
    table = PriceTable(compiled.settings, compiled.snapshot, catalogue(), now)
    return dataclasses.replace(compiled, snapshot=with_rates(compiled.snapshot, table.price))


class RateWatch:
    """Notices when rates are others than those in force, by time alone.

    Whoever is asked for a price notices, too, but only of what is asked for: a target that is dear today is used by
    nobody, and may be the cheapest one tomorrow.
    """

    def __init__(
        self,
        current: Callable[[], Compiled],
        catalogue: Callable[[], Catalogue],
        *,
        now: Callable[[], datetime],
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        """`current` is the configuration in force, `changed` brings one with the rates of the moment into force."""
        self._current = current
        self._catalogue = catalogue
        self._now = now
        self._changed = changed

    def __repr__(self) -> str:
        """Tell of which version."""
        return f"<RateWatch of version {self._current().snapshot.version}>"

    async def run(self, *, pause: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(PAUSE)) -> None:
        """Look for ever. What was refused is not asked for again, until it is something else."""
        asked_for = None
        while True:
            await pause()
            current = self._current()
            if not needs_rates(current.snapshot):
                continue
            # In a thread: searching the table takes a millisecond for each target.
            fresh = await asyncio.to_thread(rated, current, self._catalogue, self._now())
            models = fresh.snapshot.models
            if models not in (current.snapshot.models, asked_for) and self._current() is current:
                asked_for = models
                await self._changed()


def needs_rates(snapshot: Snapshot) -> bool:
    """Whether any model asks for what its targets cost."""
    return any(alias.strategy == "cheapest" for alias in snapshot.models)


def with_rates(snapshot: Snapshot, table: Table) -> Snapshot:
    """The snapshot with `Target.rate` wherever a model's strategy is `cheapest`; nothing else differs."""
    models = tuple(_rated(alias, table) if alias.strategy == "cheapest" else alias for alias in snapshot.models)
    return replace(snapshot, models=models)


def rate(price: Price | None) -> int | None:
    """Nano-dollars for a million tokens, a quarter of them output, rounded up; None where the price is not known."""
    if price is None:
        return None
    rates = price.rates
    return -(-((_OUTPUT_SHARE - 1) * rates.input + rates.output) // _OUTPUT_SHARE)


def _rated(alias: ModelAlias, table: Table) -> ModelAlias:
    def of_all(targets: Iterable[Target]) -> tuple[Target, ...]:
        return tuple(replace(target, rate=_rate_of(target, table)) for target in targets)

    return replace(alias, targets=of_all(alias.targets), fallbacks=tuple(map(of_all, alias.fallbacks)))


def _rate_of(target: Target, table: Table) -> int | None:
    """A model that a name decides has no price before somebody names it."""
    return None if "*" in target.model else rate(table(target.provider, target.model))
