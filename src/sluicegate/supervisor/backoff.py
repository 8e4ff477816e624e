"""How long to wait before a process that died is started again."""

STABLE_SECONDS = 60.0
"""A process that lived this long did start well: its next death counts as the first."""

_FIRST = 0.25
_LONGEST = 30.0
"""Seconds. Long enough to leave the machine alone, short enough that whoever mends the cause need not wait."""


def restart_delay(deaths: int) -> float:
    """Seconds to wait after so many deaths in a row: none after the first, then doubling up to a bound."""
    if deaths <= 1:
        return 0.0
    # The exponent is bounded before it is used: a process may die for weeks.
    return min(_FIRST * 2.0 ** min(deaths - 2, 10), _LONGEST)


def deaths_in_a_row(before: int, lived: float) -> int:
    """How often a process has died in a row, given how often it had `before` it lived for `lived` seconds and died."""
    return 1 if lived >= STABLE_SECONDS else before + 1
