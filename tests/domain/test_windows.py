"""Which usage counts when: slots, edges, calendars and their oddities."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.domain import windows
from sluicegate.domain.limits import Calendar, Lifetime, Rolling, Window, WindowError

HOURS_5 = Rolling(18_000)


def at(text: str, zone: str = "UTC") -> int:
    """Unix milliseconds of a local time (the first one, where there are two)."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def local(moment: int | None, zone: str) -> str:
    """A moment as the clocks of a zone show it."""
    assert moment is not None
    return datetime.fromtimestamp(moment / 1000, ZoneInfo(zone)).isoformat()


@pytest.mark.parametrize(
    ("seconds", "length"), [(1, 1), (59, 1), (60, 1), (61, 2), (90, 2), (3_600, 60), (18_000, 300), (86_400, 1_440)]
)
def test_a_rolling_window_has_sixty_slots_of_whole_seconds(seconds: int, length: int) -> None:
    """A slot is a sixtieth of the window, rounded up to a second."""
    window = Rolling(seconds)
    assert windows.began_at(window, 7) == 7 * length * 1000
    assert windows.slot_of(window, 7 * length * 1000) == 7
    assert windows.slot_of(window, 8 * length * 1000 - 1) == 7


def test_the_oldest_slot_of_a_rolling_window_counts_whole() -> None:
    """A slot counts to the millisecond at which the last of it leaves the window."""
    start = 18_000_000 * 3
    slots = {windows.slot_of(HOURS_5, start): 10, windows.slot_of(HOURS_5, start + 300_000): 5}
    leaves = start + 300_000 + 18_000_000
    assert windows.used(HOURS_5, slots, leaves - 1) == 15
    assert windows.used(HOURS_5, slots, leaves) == 5
    assert windows.leaves_at(HOURS_5, start) == windows.leaves_at(HOURS_5, start + 299_999) == leaves
    assert windows.ends_at(HOURS_5, slots, leaves - 1) == leaves
    assert windows.ends_at(HOURS_5, slots, leaves) == leaves + 300_000
    assert windows.ends_at(HOURS_5, {}, leaves) is None


@given(seconds=st.integers(1, 366 * 86_400), used_at=st.integers(0, 2**42), later=st.integers(0, 2**36))
def test_rolling_usage_counts_for_its_window_and_at_most_a_slot_more(seconds: int, used_at: int, later: int) -> None:
    """Nothing leaves early; nothing stays longer than a slot beyond the window; all functions agree on when."""
    window = Rolling(seconds)
    slots = {windows.slot_of(window, used_at): 1}
    counts = windows.used(window, slots, used_at + later) == 1
    length = windows.began_at(window, 1)
    leaves = windows.leaves_at(window, used_at)
    assert leaves is not None
    assert used_at + seconds * 1000 < leaves <= used_at + seconds * 1000 + length
    assert counts == (used_at + later < leaves)
    assert (used_at >= windows.counts_from(window, used_at + later)) == counts


def test_frees_at_is_when_enough_slots_have_left() -> None:
    """The earliest moment at which so many units have left; never, where there are not so many."""
    window = Rolling(60)
    slots = {100: 5, 101: 1, 103: 10}
    leaves = windows.leaving(window, slots, 110_000)
    assert [windows.frees_at(leaves, units) for units in (1, 5, 6, 7, 16)] == [
        161_000,
        161_000,
        162_000,
        164_000,
        164_000,
    ]
    assert windows.frees_at(leaves, 17) is None
    assert windows.used(window, slots, 163_999) - windows.used(window, slots, 164_000) == 10


def test_a_lifetime_is_one_slot_that_never_leaves() -> None:
    """Everything counts, always."""
    window = Lifetime()
    assert (windows.slot_of(window, 5), windows.began_at(window, 0), windows.counts_from(window, 2**50)) == (0, 0, 0)
    assert windows.used(window, {0: 9}, 2**50) == 9
    assert windows.leaves_at(window, 5) is None
    assert windows.leaving(window, {0: 9}, 5) == []
    assert windows.ends_at(window, {0: 9}, 5) is None


CALENDARS = (
    # An ordinary day, and its edges.
    ("day", "UTC", "2026-03-14T00:00:00", "2026-03-14T00:00:00+00:00", "2026-03-15T00:00:00+00:00"),
    ("day", "UTC", "2026-03-14T23:59:59", "2026-03-14T00:00:00+00:00", "2026-03-15T00:00:00+00:00"),
    # 23 and 25 hours.
    ("day", "Europe/Berlin", "2026-03-29T12:00:00", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"),
    ("day", "Europe/Berlin", "2026-10-25T12:00:00", "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"),
    # The leap day, the ends of months and of the year.
    ("day", "Asia/Kolkata", "2028-02-29T05:00:00", "2028-02-29T00:00:00+05:30", "2028-03-01T00:00:00+05:30"),
    ("month", "UTC", "2028-02-29T23:59:59", "2028-02-01T00:00:00+00:00", "2028-03-01T00:00:00+00:00"),
    ("month", "UTC", "2026-02-28T23:59:59", "2026-02-01T00:00:00+00:00", "2026-03-01T00:00:00+00:00"),
    ("month", "America/New_York", "2026-03-31T23:00:00", "2026-03-01T00:00:00-05:00", "2026-04-01T00:00:00-04:00"),
    ("month", "Pacific/Kiritimati", "2025-12-31T23:59:59", "2025-12-01T00:00:00+14:00", "2026-01-01T00:00:00+14:00"),
    # Midnight did not exist: the day began at one.
    ("day", "America/Sao_Paulo", "2017-10-15T12:00:00", "2017-10-15T01:00:00-02:00", "2017-10-16T00:00:00-02:00"),
    ("day", "America/Sao_Paulo", "2017-10-14T23:59:59", "2017-10-14T00:00:00-03:00", "2017-10-15T01:00:00-02:00"),
    # Midnight came twice: the day began at the first.
    ("day", "America/Havana", "2026-11-01T12:00:00", "2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00"),
    # A day that did not exist.
    ("day", "Pacific/Apia", "2011-12-29T12:00:00", "2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"),
    ("day", "Pacific/Apia", "2011-12-31T12:00:00", "2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00"),
)


@pytest.mark.parametrize(("unit", "zone", "moment", "begins", "ends"), CALENDARS)
def test_days_and_months_are_those_of_their_zone(unit: str, zone: str, moment: str, begins: str, ends: str) -> None:
    """A calendar window begins and ends with the local day or month, whatever the clocks did then."""
    window = Calendar("day" if unit == "day" else "month", zone)
    now = at(moment, zone)
    assert local(windows.counts_from(window, now), zone) == begins
    assert local(windows.ends_at(window, {}, now), zone) == ends
    assert windows.began_at(window, windows.slot_of(window, now)) == windows.counts_from(window, now)
    assert windows.leaves_at(window, now) == at(ends[:19], zone)


def test_a_midnight_that_is_passed_twice_begins_one_day() -> None:
    """Where the clock is put back from one minute past midnight, the day has begun all the same."""
    window, zone = Calendar("day", "America/St_Johns"), "America/St_Johns"
    first = at("2006-10-29T00:00:00", zone)
    for minutes in (0, 30, 90):
        now = first + minutes * 60_000
        assert windows.counts_from(window, now) == first
        assert local(windows.ends_at(window, {}, now), zone) == "2006-10-30T00:00:00-03:30"
    assert windows.counts_from(window, first - 1) == at("2006-10-28T00:00:00", zone)


@given(
    unit=st.sampled_from(("day", "month")),
    zone=st.sampled_from(
        ("UTC", "Europe/Berlin", "America/Sao_Paulo", "America/St_Johns", "Pacific/Apia", "Africa/Cairo", "Asia/Beirut")
    ),
    moment=st.integers(at("1971-01-01"), at("2100-01-01")),
)
def test_calendar_windows_follow_each_other_without_gap(unit: str, zone: str, moment: int) -> None:
    """Each moment is in one window, at whose end the next one begins."""
    window = Calendar("day" if unit == "day" else "month", zone)
    begins, ends = windows.counts_from(window, moment), windows.leaves_at(window, moment)
    assert ends is not None
    assert begins <= moment < ends
    assert windows.counts_from(window, begins) == begins
    assert windows.counts_from(window, ends - 1) == begins
    assert windows.counts_from(window, ends) == ends
    assert windows.used(window, {windows.slot_of(window, moment): 3}, ends - 1) == 3
    assert windows.used(window, {windows.slot_of(window, moment): 3}, ends) == 0


def test_utc_needs_no_table_of_zones() -> None:
    """Days of UTC are 86,400 seconds."""
    window = Calendar("day")
    now = int(datetime(2026, 5, 5, 13, tzinfo=UTC).timestamp() * 1000)
    assert windows.counts_from(window, now) == now - int(timedelta(hours=13).total_seconds() * 1000)


@pytest.mark.parametrize(
    "zone", ["Europe/Nowhere", "Europe", "../../etc/passwd", "/etc/localtime", "zone.tab", "a\0b", "é"]
)
def test_a_zone_that_there_is_not_is_refused(zone: str) -> None:
    """It is found when a limit is made, and names the zone."""
    with pytest.raises(WindowError, match="no such time zone"):
        windows.check(Calendar("day", zone))


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "Factory", "right/UTC", "posix/Europe/Berlin"])
def test_a_zone_of_this_machine_alone_is_refused(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another node of the same database may not have it, or means another time by it."""
    monkeypatch.setattr(windows, "ZoneInfo", lambda name: UTC)
    with pytest.raises(WindowError, match="no such time zone"):
        windows.check(Calendar("day", zone))


@pytest.mark.parametrize("window", [Rolling(60), Lifetime(), Calendar("day"), Calendar("month", "Asia/Tokyo")])
def test_other_windows_are_good(window: Window) -> None:
    """There is nothing to refuse in them."""
    windows.check(window)
