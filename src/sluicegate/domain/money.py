"""Money as whole nano-dollars, and the decimal US dollars that people read and write; exact in both directions.

Rule. An amount is accepted only if the number we show for it, a double in JSON (IEEE 754 binary64), has its very
      digits. That is any number of nano-dollars up to eight million dollars, and cents up to the maximum.
"""

import math
import re
from decimal import Decimal

NANO = 1_000_000_000
"""Nano-dollars in a dollar."""

MAXIMUM_DOLLARS = 1_000_000_000
"""The largest amount that is accepted: far above any budget, and sums of nano-dollars fit a 64-bit integer."""

_AMOUNT = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,9}))?", re.ASCII)


class AmountError(ValueError):
    """Not an amount of money that is kept exactly. The message says what one is."""


def nano_dollars(amount: str | float) -> int:
    """The nano-dollars of an amount of dollars: of the digits of a string, of the digits a number is written with.

    A number may be off by what a client's arithmetic left in its last bits: 0.30000000000000004. Raises AmountError.
    """
    matched = _AMOUNT.fullmatch(amount if isinstance(amount, str) else _written(amount))
    if matched is None:
        raise AmountError(
            "must be an amount of dollars in plain digits, not negative, with at most nine decimal places"
        )
    nano = int(matched[1]) * NANO + int((matched[2] or "").ljust(9, "0"))
    if nano > MAXIMUM_DOLLARS * NANO:
        raise AmountError(f"must be at most {MAXIMUM_DOLLARS}")
    if Decimal(repr(dollars(nano))) * NANO != nano:
        raise AmountError("must not have more digits than a number in JSON keeps")
    return nano


def dollars(nano: int) -> float:
    """The dollars of so many nano-dollars; `repr`, and so JSON, writes the very digits that `nano_dollars` accepted."""
    return nano / NANO


def _written(amount: float) -> str:
    # Out of bounds first: an integer may have thousands of digits; this refuses what is not a number, too.
    if isinstance(amount, bool) or not 0 <= amount <= MAXIMUM_DOLLARS:
        return ""
    digits = f"{abs(Decimal(repr(amount))):.9f}"
    return digits if math.isclose(float(digits), amount, rel_tol=1e-15) else ""
