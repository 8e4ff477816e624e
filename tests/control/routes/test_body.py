"""The forms of bodies."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from sluicegate.control.routes.body import (
    Body,
    Count,
    Identifier,
    Metadata,
    Moment,
    Name,
    Names,
    Seconds,
    Text,
    Words,
    milliseconds,
    moment,
)


class Form(Body):
    """One field of each kind."""

    text: Text = ""
    name: Name = "x"
    identifier: Identifier = "x"
    moment: Moment = datetime(2030, 1, 1, tzinfo=UTC)
    metadata: Metadata = {}
    count: Count = 1
    seconds: Seconds = 1
    words: Words = []
    names: Names = []


DEEP: Any = []
for _ in range(20):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("text", "größer ✓", "größer ✓"),
        ("name", "a b", "a b"),
        ("moment", "2030-01-01T02:00:00+02:00", datetime(2030, 1, 1, tzinfo=UTC)),
        ("moment", "2030-01-01t00:00:00z", datetime(2030, 1, 1, tzinfo=UTC)),
        ("moment", datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)),
        ("count", 5, 5),
        ("count", 5.0, 5),
        ("words", ["b", "a", "b"], ["b", "a"]),
        ("metadata", {"a": [1, 1.5, None, True, {"b": "c"}]}, {"a": [1, 1.5, None, True, {"b": "c"}]}),
    ],
)
def test_what_is_accepted(field: str, value: Any, expected: Any) -> None:
    """A value of the right kind is kept; times become UTC, whole numbers integers, and repetitions are dropped."""
    assert getattr(Form.model_validate({field: value}), field) == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("unknown", 1),
        ("text", 5),
        ("text", "a\nb"),
        ("text", "x" * 1025),
        ("name", ""),
        ("name", " a"),
        ("name", "a "),
        ("identifier", "a/b"),
        ("moment", 5),
        ("moment", "tomorrow"),
        ("moment", "2030-01-01"),
        ("moment", "2030-01-01T00:00:00"),
        ("moment", "2030-01-01 00:00:00Z"),
        ("moment", "0001-01-01T00:00:00+01:00"),
        ("count", True),
        ("count", "5"),
        ("count", 1.5),
        ("count", 0),
        ("count", 2**53),
        ("names", ["a b"]),
        ("words", ["a", 1]),
        ("metadata", {"a": "\0"}),
        ("metadata", {"\0": 1}),
        ("metadata", {"a": "\ud800"}),
        ("metadata", {"a": float("inf")}),
        ("metadata", {"a": 2**63}),
        ("metadata", {"a": DEEP}),
        ("metadata", {"a": "x" * 16_384}),
        ("metadata", []),
    ],
)
def test_what_is_refused(field: str, value: Any) -> None:
    """Unknown fields, other kinds, control characters and what no database keeps are refused."""
    with pytest.raises(ValidationError):
        Form.model_validate({field: value})


def test_times_are_milliseconds() -> None:
    """A time and its milliseconds are the same in both directions; no time is none."""
    time = datetime(2026, 11, 21, 12, 0, 0, 123_000, tzinfo=UTC)
    assert moment(milliseconds(time.astimezone(timezone(timedelta(hours=5))))) == time
    assert (moment(None), milliseconds(None)) == (None, None)
