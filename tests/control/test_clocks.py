"""The time in its units."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sluicegate.control.clocks import Clocks

MOMENT = datetime(2026, 11, 21, 12, 0, 0, 250_900, tzinfo=UTC)


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-5))])
def test_one_moment_in_each_unit(zone: timezone) -> None:
    """Whatever the zone, it is the same moment; a millisecond that is not over does not count."""
    clocks = Clocks(lambda: 7.5, lambda: MOMENT.astimezone(zone))
    assert clocks.unix() == 1_795_262_400.2509
    assert clocks.unix_milliseconds() == 1_795_262_400_250
    assert clocks.monotonic() == 7.5
