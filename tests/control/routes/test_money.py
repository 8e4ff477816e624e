"""Amounts of money in bodies."""

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from sluicegate.control.routes.money import Usd, shown_dollars


class Budget(BaseModel):
    """A body with an amount."""

    model_config = ConfigDict(strict=True)
    usd: Usd | None = None


@pytest.mark.parametrize(("text", "nano"), [("12.5", 12_500_000_000), ('"12.50"', 12_500_000_000), ("null", None)])
def test_amount_is_a_number_or_a_string(text: str, nano: int | None) -> None:
    """Both are read exactly; null is no amount."""
    assert Budget.model_validate_json(f'{{"usd": {text}}}').usd == nano


@pytest.mark.parametrize("text", ["true", "[1]", "{}", '"a lot"', "-1", "1e400"])
def test_anything_else_is_refused(text: str) -> None:
    """What is no amount is a fault of the body."""
    with pytest.raises(ValidationError, match=r"must be an amount of dollars|Input should be|finite|valid"):
        Budget.model_validate_json(f'{{"usd": {text}}}')


def test_amount_is_shown_as_a_number() -> None:
    """An amount is shown in dollars, none as null."""
    assert (shown_dollars(12_500_000_000), shown_dollars(0), shown_dollars(None)) == (12.5, 0.0, None)
