"""Dollars and nano-dollars."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.domain.money import MAXIMUM_DOLLARS, NANO, AmountError, dollars, nano_dollars

AMOUNTS = st.integers(0, 8_000_000 * NANO)
"""Any nano-dollar counts up to eight million dollars."""


@given(AMOUNTS)
def test_each_nano_dollar_survives(nano: int) -> None:
    """An amount that is shown, written as JSON, read and sent back is the same amount."""
    assert nano_dollars(json.loads(json.dumps(dollars(nano)))) == nano


@given(AMOUNTS)
def test_digits_are_exact(nano: int) -> None:
    """The digits of a string are its amount, and are the digits that are shown."""
    written = f"{Decimal(nano) / NANO:.9f}"
    assert nano_dollars(written) == nano
    assert Decimal(repr(dollars(nano))) == Decimal(written)


@given(st.integers(0, MAXIMUM_DOLLARS * 100))
def test_cents_are_exact_up_to_the_maximum(cents: int) -> None:
    """Each number of cents can be had, as a number and as a string."""
    written = f"{cents // 100}.{cents % 100:02}"
    assert nano_dollars(written) == nano_dollars(float(written)) == cents * 10_000_000


@given(st.text(max_size=30) | st.floats() | st.integers())
def test_nothing_else_is_an_amount(amount: str | float) -> None:
    """Whatever is accepted is within its bounds, and is shown as it was sent, up to a client's last bit."""
    try:
        nano = nano_dollars(amount)
    except AmountError:
        return
    assert 0 <= nano <= MAXIMUM_DOLLARS * NANO
    assert dollars(nano) == pytest.approx(float(amount), rel=1e-15)


@pytest.mark.parametrize(
    ("amount", "nano"),
    [
        ("12.5", 12_500_000_000),
        ("00012", 12_000_000_000),
        (0, 0),
        (-0.0, 0),
        (1e-9, 1),
        (0.1 + 0.2, 300_000_000),
        ("1234567.123456789", 1_234_567_123_456_789),
        (1_000_000_000, 10**18),
    ],
)
def test_amounts(amount: str | float, nano: int) -> None:
    """Strings and numbers are read by their digits; arithmetic of a client may have left its trace in the last bits."""
    assert nano_dollars(amount) == nano


@pytest.mark.parametrize(
    "amount",
    [
        *("", "-1", "+1", "1e5", ".5", "1.", "1,5", "१", " 1", "0.0000000001", "1000000000.1", "99999999999"),
        *(-1, 0.0000000001, 1.00000000001, 1e300, 10**400, float("nan"), float("inf"), True),
    ],
)
def test_no_amounts(amount: str | float) -> None:
    """What is negative, too large, too fine or not in plain digits is refused, and the message says what is not."""
    with pytest.raises(AmountError, match=r"^must "):
        nano_dollars(amount)


def test_digits_that_json_would_lose_are_refused() -> None:
    """An amount that no double holds is refused, rather than shown as another one."""
    with pytest.raises(AmountError, match="more digits than a number in JSON keeps"):
        nano_dollars("123456789.123456789")
