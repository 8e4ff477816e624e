"""Our costs against those that providers reported: where they differ, a price of ours is wrong or old."""

from collections.abc import Iterable

from msgspec import Struct

from sluicegate.domain.events import Exchange


class Drift(Struct, frozen=True):
    """One model of a provider at one of our prices. `ours` and `theirs` are nano-dollars, over the same exchanges."""

    provider: str
    model: str
    price_version: str
    exchanges: int
    ours: int
    theirs: int

    @property
    def difference(self) -> int:
        """Nano-dollars that the provider reported beyond ours; negative where it reported less."""
        return self.theirs - self.ours


def drift(events: Iterable[Exchange]) -> list[Drift]:
    """Compare all exchanges that have both costs; those that differ most come first."""
    sums: dict[tuple[str, str, str], tuple[int, int, int]] = {}
    for event in events:
        if event.cost is None or event.provider_cost is None:
            continue
        key = (event.provider, event.model or event.requested_model, event.price_version or "")
        exchanges, ours, theirs = sums.get(key, (0, 0, 0))
        sums[key] = (exchanges + 1, ours + event.cost, theirs + event.provider_cost)
    return sorted((Drift(*key, *found) for key, found in sums.items()), key=lambda one: -abs(one.difference))
