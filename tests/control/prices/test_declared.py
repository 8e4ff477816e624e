"""Prices of the configuration file."""

import pytest
from pydantic import ValidationError

from sluicegate.config.schema import PriceSettings
from sluicegate.control.prices.declared import DeclaredPrices
from sluicegate.domain.pricing import Price, Rates, Tier


def test_rates_are_exact() -> None:
    """Dollars become nano-dollars, digit by digit; tiers are put in order."""
    settings = PriceSettings.model_validate(
        {
            "model": "house/*",
            "input": "0.15",
            "output": 0.6,
            "cache_read": "0.075",
            "cache_write_1h": "0.3",
            "request": "0.000000001",
            "context": 128_000,
            "longest_output": 16_384,
            "tiers": [
                {"above": 400, "input": 3, "output": 3},
                {"above": 200, "input": 2, "output": 2},
            ],
        }
    )
    price = DeclaredPrices([settings]).price("house", "m")
    assert price == Price(
        version=price.version if price else "",
        rates=Rates(
            input=150_000_000, output=600_000_000, cache_read=75_000_000, request=1, cache_write_1h=300_000_000
        ),
        tiers=(
            Tier(200, Rates(input=2 * 10**9, output=2 * 10**9)),
            Tier(400, Rates(input=3 * 10**9, output=3 * 10**9)),
        ),
        longest_output=16_384,
        context=128_000,
    )
    assert price.version.startswith("file ")


@pytest.mark.parametrize(
    ("provider", "model", "dollars"),
    [("a", "gpt-x", 1), ("b", "gpt-x", 2), ("b", "vendor/gpt-x", 3), ("b", "other", 0)],
)
def test_the_first_that_fits_counts(provider: str, model: str, dollars: int) -> None:
    """A pattern is one of a model, or of a provider and a model."""
    rows = [("a/gpt-*", 1), ("gpt-*", 2), ("vendor/*", 3)]
    prices = DeclaredPrices([PriceSettings(model=name, input=rate, output=0) for name, rate in rows])
    price = prices.price(provider, model)
    assert (price.rates.input if price else 0) == dollars * 10**9
    assert repr(prices) == "<DeclaredPrices 3>"


@pytest.mark.parametrize("amount", [-1, "1e3", True, "0.0000000001", []])
def test_inexact_amounts_are_refused(amount: object) -> None:
    """What cannot be kept exactly is no price."""
    with pytest.raises(ValidationError):
        PriceSettings.model_validate({"model": "m", "input": amount, "output": 1})
