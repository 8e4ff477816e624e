"""What models cost everyone without a price of their own, in one table: the file's prices, then the bundled ones."""

from datetime import datetime

from sluicegate.config.schema import Settings
from sluicegate.control.prices.catalogue import Catalogue
from sluicegate.control.prices.declared import DeclaredPrices
from sluicegate.control.prices.upstream import Upstream, reported, upstream_at
from sluicegate.domain.pricing import Price
from sluicegate.domain.snapshot import Snapshot


class PriceTable:
    """The prices of one configuration at one moment."""

    def __init__(self, settings: Settings, snapshot: Snapshot, catalogue: Catalogue, now: datetime) -> None:
        """`settings` and `snapshot` are of the same configuration."""
        self._declared = DeclaredPrices(settings.prices)
        self._upstreams = {provider.name: upstream_at(provider) for provider in reversed(snapshot.providers)}
        self._catalogue = catalogue
        self._now = now

    def __repr__(self) -> str:
        """Tell what it is made of."""
        return f"<PriceTable {self._declared!r} {self._catalogue!r}>"

    def price(self, provider: str, model: str) -> Price | None:
        """What a provider's model costs; None where it is not known."""
        upstream = self._upstreams.get(provider) or Upstream(provider)
        price = self._declared.price(provider, model) or self._catalogue.price(upstream, model, self._now)
        return None if price is None else reported(price, upstream)
