"""When a provider may be asked again, by its own words."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from sluicegate.wire.retry_after import drained_for, retry_after

WALL = 1_700_000_000.0
"""Tue, 14 Nov 2023 22:13:20 GMT."""


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"Retry-After: 7", 7.0),
        (b"retry-after:0", 0.0),
        (b"RETRY-AFTER: 1.5 ", 1.5),
        (b"retry-after-ms: 250", 0.25),
        (b"Retry-After-Ms: 12.5", 0.0125),
        (b"retry-after: Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        (b"retry-after: Tuesday, 14-Nov-23 22:13:50 GMT", 30.0),
        (b"retry-after: Tue, 14 Nov 2023 22:13:50 -0000", 30.0),
        (b"retry-after: Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
    ],
)
def test_it_is_understood(line: bytes, seconds: float) -> None:
    """Seconds, milliseconds and HTTP dates, in any case of letters; a moment that is over is now."""
    assert retry_after([b"server: x", line, b"date: y"], WALL) == seconds


@pytest.mark.parametrize(
    "value",
    [b"", b"soon", b"-1", b"nan", b"inf", b"1e9", b"9" * 400, b"\xff", b"Tue, 99 Nov 2023 22:13:50 GMT", b"1, 2"],
)
def test_what_is_not_understood_says_nothing(value: bytes) -> None:
    """No pause is made up of nonsense."""
    assert retry_after([b"retry-after: " + value, b"retry-after-ms: " + value], WALL) is None


def test_other_fields_say_nothing() -> None:
    """Only the two names count, not what begins like them."""
    assert retry_after([], WALL) is None
    assert retry_after([b"retry-after-days: 3", b"x-retry-after: 3", b"retry-after"], WALL) is None


def test_milliseconds_go_first() -> None:
    """The more exact field counts, wherever it is; where it is nonsense, the other does."""
    assert retry_after([b"retry-after: 2", b"retry-after-ms: 1500"], WALL) == 1.5
    assert retry_after([b"retry-after-ms: 1500", b"retry-after: 2"], WALL) == 1.5
    assert retry_after([b"retry-after-ms: ?", b"retry-after: 2"], WALL) == 2.0


OPENAI = [
    b"x-ratelimit-limit-requests: 5000",
    b"x-ratelimit-limit-tokens: 160000",
    b"x-ratelimit-remaining-requests: 4999",
    b"x-ratelimit-remaining-tokens: 159976",
    b"x-ratelimit-reset-requests: 12ms",
    b"x-ratelimit-reset-tokens: 9s",
    b"content-length: 0",
]


def test_while_something_remains_nothing_is_drained() -> None:
    """Limits with something left, and other fields that are 0, say nothing."""
    assert drained_for(OPENAI, WALL) == 0.0
    assert drained_for([b"age: 0", b"x-remaining: 0", b"x-reset: 9"], WALL) == 0.0


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        (b"12ms", 0.012),
        (b"1m3s", 63.0),
        (b"6m0s", 360.0),
        (b"7.66s", 7.66),
        (b"1h0m1.5s", 3601.5),
        (b"2d", 172_800.0),
        ("80µs".encode(), 0.00008),
        (b"17", 17.0),
        (b"33011.38", 33011.38),
        (b"1700000060", 60.0),
        (b"1700000060000", 60.0),
        (b"1600000000", 0.0),
        (b"2023-11-14T22:13:50Z", 30.0),
        (b"2023-11-14T22:13:50", 30.0),
        (b"2023-11-14T23:13:50+01:00", 30.0),
        (b"soon", 0.0),
        (b"1m soon", 0.0),
        (b"\xff", 0.0),
        (b"0001-01-01T00:00:00+23:59", 0.0),
    ],
)
def test_a_reset_is_understood(reset: bytes, seconds: float) -> None:
    """Durations, seconds, Unix time and RFC 3339; nonsense says nothing."""
    lines = [b"x-ratelimit-reset-tokens: " + reset, b"x-ratelimit-remaining-tokens: 0"]
    assert drained_for(lines, WALL) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("remaining", "reset"),
    [
        (b"x-ratelimit-remaining-requests", b"x-ratelimit-reset-requests"),
        (b"X-RateLimit-Remaining", b"X-RateLimit-Reset"),
        (b"ratelimit-remaining", b"ratelimit-reset"),
        (b"x-ratelimit-remaining-requests-day", b"x-ratelimit-reset-requests-day"),
        (b"anthropic-ratelimit-input-tokens-remaining", b"anthropic-ratelimit-input-tokens-reset"),
        (b"Anthropic-Ratelimit-Requests-Remaining", b"anthropic-ratelimit-requests-reset"),
    ],
)
def test_names_of_many_providers(remaining: bytes, reset: bytes) -> None:
    """The reset is that of the limit of which nothing remains, not another one's."""
    lines = [b"x-ratelimit-reset-other: 99", remaining + b":0", reset + b": 20", b"anthropic-ratelimit-reset: 99"]
    assert drained_for(lines, WALL) == 20.0
    assert drained_for([remaining + b": 10", reset + b": 20"], WALL) == 0.0
    assert drained_for([remaining + b": 0"], WALL) == 0.0


def test_the_last_reset_counts() -> None:
    """Where several limits are used up, it is drained until all have reset."""
    lines = [
        b"anthropic-ratelimit-requests-remaining: 0",
        b"anthropic-ratelimit-requests-reset: 2023-11-14T22:13:25Z",
        b"anthropic-ratelimit-tokens-remaining: 0",
        b"anthropic-ratelimit-tokens-reset: 2023-11-14T22:14:20Z",
    ]
    assert drained_for(lines, WALL) == 60.0


@settings(max_examples=200)
@given(st.binary(max_size=40), st.sampled_from([0.0, WALL]))
def test_nothing_is_raised(value: bytes, wall: float) -> None:
    """Whatever a provider sends: a span of time or none."""
    seconds = retry_after([b"retry-after: " + value], wall)
    assert seconds is None or seconds >= 0.0
    assert drained_for([b"x-ratelimit-remaining: 0", b"x-ratelimit-reset: " + value], wall) >= 0.0
