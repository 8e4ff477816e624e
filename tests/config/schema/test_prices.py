"""Prices are written in dollars."""

import pytest
from pydantic import ValidationError

from sluicegate.config.schema.prices import PriceSettings


def test_a_price_needs_input_and_output() -> None:
    """What else it may say is not set by default."""
    price = PriceSettings(model="gpt-*", input="0.15", output=1)
    assert (price.cache_read, price.request, price.tiers) == (None, "0", ())
    with pytest.raises(ValidationError, match="output"):
        PriceSettings.model_validate({"model": "gpt-*", "input": "0.15"})


def test_a_tier_has_a_bound() -> None:
    """From how many tokens on it counts."""
    price = {"model": "m", "input": 1, "output": 1, "tiers": [{"above": 0, "input": 1, "output": 1}]}
    with pytest.raises(ValidationError, match="above"):
        PriceSettings.model_validate(price)
