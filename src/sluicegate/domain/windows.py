"""Windows and their slots: what counts at a moment, since when, and until when.

Usage is kept by slot. A rolling window has slots of a sixtieth of its length, at least a second, numbered from 1970; it
counts every slot any part of which lies in it, so the oldest one counts whole. A calendar window is one slot, numbered
by its start in Unix seconds; a lifetime is slot 0. All moments are Unix milliseconds.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from sluicegate.domain.limits import Calendar, Lifetime, Rolling, Window, WindowError

_SLOTS = 60
"""Of a rolling window: what is counted too long is a sixtieth of it, and an account stays small."""

# Files that some machines have beside those of the zones: this machine's own time, rules for names that are none, a
# clock that was never set, and all zones once more, there with leap seconds.
_NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})
_OTHER_CLOCKS = ("posix/", "right/")


def check(window: Window) -> None:
    """Raises WindowError where its time zone is not one that this machine knows, and every other one."""
    if isinstance(window, Calendar):
        _zone(window.time_zone)
        if window.time_zone in _NO_ZONES or window.time_zone.startswith(_OTHER_CLOCKS):
            raise _no_such(window.time_zone)


def slot_of(window: Window, at: int) -> int:
    """The number of the slot that this moment lies in."""
    match window:
        case Rolling():
            return at // _slot_length(window)
        case Calendar():
            return _bounds(window, at)[0] // 1000
        case Lifetime():
            return 0


def began_at(window: Window, slot: int) -> int:
    """When a slot began."""
    match window:
        case Rolling():
            return slot * _slot_length(window)
        case Calendar():
            return slot * 1000
        case Lifetime():
            return 0


def leaves_at(window: Window, at: int) -> int | None:
    """When something used at this moment ceases to count; None: never."""
    match window:
        case Rolling(seconds):
            length = _slot_length(window)
            return (at // length + 1) * length + seconds * 1000
        case Calendar():
            return _bounds(window, at)[1]
        case Lifetime():
            return None


def counts_from(window: Window, now: int) -> int:
    """The earliest moment that counts now: with its slot, the whole slot. Everything from then on counts."""
    match window:
        case Rolling(seconds):
            length = _slot_length(window)
            return (now - seconds * 1000) // length * length
        case Calendar():
            return _bounds(window, now)[0]
        case Lifetime():
            return 0


def counting(window: Window, slots: Mapping[int, int], now: int) -> dict[int, int]:
    """Those slots that count now."""
    since = counts_from(window, now)
    return {slot: units for slot, units in slots.items() if began_at(window, slot) >= since}


def used(window: Window, slots: Mapping[int, int], now: int) -> int:
    """The units in all slots that count now."""
    return sum(counting(window, slots, now).values())


def leaving(window: Window, slots: Mapping[int, int], now: int) -> list[tuple[int, int]]:
    """When the slots that count now cease to count, each with its units; the earliest first."""
    moments = (
        (leaves_at(window, began_at(window, slot)), units) for slot, units in counting(window, slots, now).items()
    )
    return sorted((moment, units) for moment, units in moments if moment is not None)


def ends_at(window: Window, slots: Mapping[int, int], now: int) -> int | None:
    """When a calendar window ends, or the oldest slot of a rolling one that counts leaves it; None: there is none."""
    if isinstance(window, Calendar):
        return _bounds(window, now)[1]
    return next((moment for moment, _ in leaving(window, slots, now)), None)


def frees_at(leaves: Iterable[tuple[int, int]], units: int) -> int | None:
    """When so many units have left, of moments and units as `leaving` tells them; None: that is never."""
    for moment, left in sorted(leaves):
        units -= left
        if units <= 0:
            return moment
    return None


def _slot_length(window: Rolling) -> int:
    """Milliseconds."""
    return max(1, -(-window.seconds // _SLOTS)) * 1000


def _bounds(window: Calendar, at: int) -> tuple[int, int]:
    """When the day or month of a moment begins, and when the next one does."""
    zone = _zone(window.time_zone)
    first = datetime.fromtimestamp(at // 1000, zone).date()
    if window.unit == "month":
        first = first.replace(day=1)
    begin, end = _start(first, zone), _start(_following(window, first), zone)
    if at < end:
        return begin, end
    # The clock was put back over midnight, and it is yesterday once more: the new day has begun all the same.
    return end, _start(_following(window, _following(window, first)), zone)


def _following(window: Calendar, first: date) -> date:
    """The next day, or the first of the next month."""
    if window.unit == "day":
        return first + timedelta(days=1)
    return (first + timedelta(days=31)).replace(day=1)


def _start(day: date, zone: tzinfo) -> int:
    """When a day begins. Of a midnight that there is twice it is the first one.

    A midnight that does not exist is told in the time that was in force before (PEP 495, `fold=0`): just when the clock
    was put forward.
    """
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000


def _zone(name: str) -> tzinfo:
    """Raises WindowError."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        # A name may also be that of a directory, or of a file that is none of them.
        raise _no_such(name) from error


def _no_such(zone: str) -> WindowError:
    return WindowError(f"no such time zone: {zone!r}; must be an IANA name like Europe/Berlin")
