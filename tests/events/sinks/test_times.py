"""An event's moments."""

import pytest

from sluicegate.events.sinks.times import Times, iso, times_of

BEGAN = 1_795_255_200_123_000


def test_an_exchange_has_three() -> None:
    """Begin, end, and between them the first byte, to the microsecond."""
    event = {"timestamp": "2026-11-21T10:00:00.123Z", "duration_ms": 812.4, "first_byte_ms": 210.2}
    assert times_of(event) == Times(BEGAN, BEGAN + 812_400, BEGAN + 210_200)


def test_a_notice_has_one() -> None:
    """It ends when it begins; a time without a zone is UTC."""
    assert times_of({"timestamp": "2026-11-21T10:00:00.123"}) == Times(BEGAN, BEGAN)


def test_an_event_without_a_time_is_none() -> None:
    """That is said, and nothing made up."""
    with pytest.raises(ValueError, match="isoformat"):
        times_of({})


def test_moments_are_written_with_milliseconds() -> None:
    """In UTC."""
    assert iso(BEGAN) == "2026-11-21T10:00:00.123Z"
    assert iso(0) == "1970-01-01T00:00:00.000Z"
