"""An event's moments: when it began, when its first byte went out, when it ended. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sluicegate.events.sinks.base import Event

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Times:
    """In Unix microseconds; `first_byte` is None where there was none."""

    began: int
    ended: int
    first_byte: int | None = None


def times_of(event: Event) -> Times:
    """The moments of an event; what has no length ends when it begins. Raises ValueError where it has no time."""
    began = _microseconds(str(event.get("timestamp", "")))
    first = event.get("first_byte_ms")
    return Times(
        began,
        began + int(event.get("duration_ms", 0) * 1000),
        None if first is None else began + int(first * 1000),
    )


def iso(microseconds: int) -> str:
    """A moment as in `2026-11-21T10:00:00.123Z`."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _microseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND
