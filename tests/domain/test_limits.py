"""What limits are called, and how their windows are written."""

import pytest

from sluicegate.domain.limits import (
    Calendar,
    Lifetime,
    Limit,
    Rolling,
    Window,
    WindowError,
    parts_of,
    window_of,
    window_text,
)

WINDOWS: tuple[tuple[str, Window], ...] = (
    ("90s", Rolling(90)),
    ("15m", Rolling(900)),
    ("5h", Rolling(18_000)),
    ("30d", Rolling(30 * 86_400)),
    ("366d", Rolling(366 * 86_400)),
    ("day", Calendar("day")),
    ("month@Europe/Berlin", Calendar("month", "Europe/Berlin")),
    ("lifetime", Lifetime()),
)


@pytest.mark.parametrize(("text", "window"), WINDOWS)
def test_a_window_is_written_as_it_is_read(text: str, window: Window) -> None:
    """What is read of a window's text is written as the same text."""
    assert window_of(text) == window
    assert window_text(window) == text


@pytest.mark.parametrize(("text", "shortest"), [("3600s", "1h"), ("24h", "1d"), ("120m", "2h"), ("month@UTC", "month")])
def test_a_window_has_one_name(text: str, shortest: str) -> None:
    """Texts that mean the same window become the same text: it is part of an account's name."""
    assert window_text(window_of(text)) == shortest


@pytest.mark.parametrize(
    "text",
    ["", "0s", "05h", "5", "h", "5 h", "-1s", "367d", "9999999999s", "day@", "week", "5h@UTC", "٣h", "lifetime@UTC"],
)
def test_what_is_no_window_is_refused(text: str) -> None:
    """The error says what a window may be."""
    with pytest.raises(WindowError, match="month@Europe/Berlin"):
        window_of(text)


def test_an_account_tells_its_parts() -> None:
    """A limit's account is made of its scope, metric and window, and nothing else."""
    limit = Limit("token", "tok_x", "tokens", Calendar("month", "Europe/Berlin"), 5, "soft")
    assert limit.account == "tok_x|tokens|month@Europe/Berlin"
    assert parts_of(limit.account) == ("tok_x", "tokens", Calendar("month", "Europe/Berlin"))


def test_what_is_no_account_is_refused() -> None:
    """A name without a window is none."""
    with pytest.raises(WindowError):
        parts_of("tok_x|tokens")
