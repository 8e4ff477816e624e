"""What is a limit, and in which unit."""

import pytest
from pydantic import ValidationError

from sluicegate.config.schema.limits import LimitSettings


@pytest.mark.parametrize(
    ("fields", "amount"),
    [
        ({"metric": "usd", "maximum": 12.5}, 12_500_000_000),
        ({"metric": "usd", "maximum": 3}, 3_000_000_000),
        ({"metric": "usd", "maximum": "0.000000001"}, 1),
        ({"metric": "tokens", "maximum": 0}, 0),
        ({"metric": "requests", "maximum": "100"}, 100),
        ({"metric": "concurrency", "maximum": 4, "window": "lifetime"}, 4),
    ],
)
def test_a_maximum_has_the_unit_of_its_metric(fields: dict[str, object], amount: int) -> None:
    """Dollars of usd, which are kept as nano-dollars, and whole numbers of the rest."""
    assert LimitSettings.model_validate({"window": "day", **fields}).amount() == amount


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"maximum": 1.5}, "no whole number"),
        ({"maximum": -1}, "no whole number"),
        ({"maximum": 2**53}, "no whole number"),
        ({"maximum": "²"}, "no whole number"),
        ({"maximum": True}, "must be a number"),
        ({"metric": "usd", "maximum": -1}, "amount of dollars"),
        ({"metric": "concurrency"}, "its window is lifetime"),
        ({"window": "month@Europe/Atlantis"}, "zone"),
        ({"window": "5"}, "must be a number of seconds"),
    ],
)
def test_what_is_no_limit_is_refused(fields: dict[str, object], message: str) -> None:
    """In words that say what is wrong."""
    with pytest.raises(ValidationError, match=message):
        LimitSettings.model_validate({"metric": "tokens", "window": "day", "maximum": 1, **fields})
