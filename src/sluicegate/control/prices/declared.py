"""Prices of the configuration file."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from hashlib import sha256

from sluicegate.config.schema import PriceSettings, RateSettings
from sluicegate.domain.money import nano_dollars
from sluicegate.domain.pricing import Price, Rates, Service, Tier


class DeclaredPrices:
    """The list of the file; the first that fits a model is its price."""

    def __init__(self, settings: Sequence[PriceSettings]) -> None:
        """Compile them."""
        self._prices = tuple((one.model, _price(one)) for one in settings)

    def __repr__(self) -> str:
        """Tell how many."""
        return f"<DeclaredPrices {len(self._prices)}>"

    def price(self, provider: str, model: str) -> Price | None:
        """What the file says of it, None if nothing. A pattern is one of `model`, or one of `provider/model`."""
        for pattern, price in self._prices:
            if fnmatchcase(f"{provider}/{model}", pattern) or fnmatchcase(model, pattern):
                return price
        return None


def _price(settings: PriceSettings) -> Price:
    digest = sha256(settings.model_dump_json().encode()).hexdigest()
    return Price(
        version=f"file {digest[:8]}",
        rates=_rates(settings),
        tiers=tuple(Tier(tier.above, _rates(tier)) for tier in sorted(settings.tiers, key=lambda tier: tier.above)),
        longest_output=settings.longest_output or 0,
        context=settings.context or 0,
        services=tuple(Service(one.name, _rates(one)) for one in settings.services),
    )


def _rates(settings: RateSettings) -> Rates:
    return Rates(
        input=nano_dollars(settings.input),
        output=nano_dollars(settings.output),
        cache_read=_optional(settings.cache_read),
        cache_write=_optional(settings.cache_write),
        input_audio=_optional(settings.input_audio),
        output_audio=_optional(settings.output_audio),
        request=nano_dollars(settings.request),
        cache_write_1h=_optional(settings.cache_write_1h),
    )


def _optional(amount: str | float | None) -> int | None:
    return None if amount is None else nano_dollars(amount)
