"""What the request log keeps of an exchange, and what exchanges add up to."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sluicegate.domain.events import Exchange, FailedAttempt, Metadata
from sluicegate.domain.usage import Usage
from sluicegate.domain.usage_rows import (
    MOST_MICROSECONDS,
    MOST_MONEY,
    MOST_TOKENS,
    Details,
    Logged,
    LoggedUsage,
    began_at,
    entry_of,
)
from sluicegate.domain.usage_sums import alike, by_subject
from sluicegate.store.schema import rollups
from tests.store.events import BEGAN, an_event, written

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=400)
ANY_NUMBER = st.integers() | st.sampled_from([2**63, -(2**63), 2**64, 10**30])


def read(line: bytes) -> Logged:
    """As the consumer of the journal reads it."""
    return msgspec.json.decode(line, type=Logged)


def test_every_field_is_an_exchanges() -> None:
    """What is read of an event is there under that name, and may be left out where the event leaves it out."""
    for struct, whole in ((Logged, Exchange), (LoggedUsage, Usage)):
        given_defaults = {field.name: field.default for field in msgspec.structs.fields(whole)}
        for field in msgspec.structs.fields(struct):
            assert field.default == given_defaults[field.name], field.name
    assert {name for name in Details.__struct_fields__ if not name.endswith("_tokens")} <= set(Logged.__struct_fields__)


def test_an_exchange_is_kept() -> None:
    """Each thing an event says is in the row, or in its details under the event's own name."""
    exchange = Exchange(
        request_id="req_1",
        timestamp="2026-11-21T10:00:00.123Z",
        token="tok_1",
        project_id="prj_1",
        organization_id="org_1",
        endpoint="/v1/messages",
        method="POST",
        status_code=502,
        duration_ms=812.4,
        metadata=Metadata(),
        provider="openai",
        requested_model="smart",
        model="gpt-4.1",
        attempts=2,
        is_stream=True,
        is_cut=True,
        first_byte_ms=210.25,
        usage=Usage(input_tokens=9, output_tokens=8, cache_read_tokens=7, cache_write_tokens=6, reasoning_tokens=5),
        usage_source="reported",
        error_source="upstream",
        error="upstream_error",
        session_id="ses",
        tags=("a", "b", "a"),
        cost=12,
        provider_cost=13,
        failed_attempts=(FailedAttempt("one", "m", 500, "upstream_error"),),
    )
    row, tags = entry_of(read(msgspec.json.encode(exchange)))
    assert row._replace(details="")._asdict() == {
        "at": 1_795_255_200_123,
        "request_id": "req_1",
        "organization_id": "org_1",
        "project_id": "prj_1",
        "user_id": "",
        "token_id": "tok_1",
        "provider": "openai",
        "model": "gpt-4.1",
        "status_class": 5,
        "status_code": 502,
        "error": "upstream_error",
        "method": "POST",
        "endpoint": "/v1/messages",
        "duration_us": 812_400,
        "first_byte_us": 210_250,
        "input_tokens": 9,
        "output_tokens": 8,
        "cost": 12,
        "is_stream": True,
        "details": "",
    }
    assert tags == ("a", "b")
    assert msgspec.json.decode(row.details, type=Details) == Details(
        requested_model="smart",
        attempts=2,
        is_cut=True,
        cache_read_tokens=7,
        cache_write_tokens=6,
        reasoning_tokens=5,
        usage_source="reported",
        error_source="upstream",
        session_id="ses",
        tags=("a", "b", "a"),
        provider_cost=13,
        failed_attempts=(FailedAttempt("one", "m", 500, "upstream_error"),),
    )


@given(
    text=ANY_TEXT,
    number=ANY_NUMBER,
    duration=st.floats(),
    tags=st.lists(ANY_TEXT, max_size=70),
    failed=st.tuples(ANY_TEXT, ANY_NUMBER),
)
def test_whatever_an_event_says_fits(
    text: str, number: int, duration: float, tags: list[str], failed: tuple[str, int]
) -> None:
    """No text is longer than its column, none has a NUL or half a surrogate pair, and no number is beyond 64 bits."""
    event = Logged(
        *(text, text, text, text, text, text, text, number),
        duration_ms=duration,
        user_id=text,
        provider=text,
        model=text,
        first_byte_ms=duration,
        overhead_us=number,
        usage=LoggedUsage(number, number, number, number, number),
        error=text,
        session_id=text,
        tags=tuple(tags),
        cost=number,
        provider_cost=number,
        failed_attempts=(FailedAttempt(failed[0], failed[0], failed[1]),),
    )
    row, found = entry_of(event)
    for value in (*row, *found):
        _check(value, 256 if value != row.endpoint and value != row.details else None)
    for key, sums in by_subject(alike([event] * 3)).items():
        for name, column in rollups.c.items():
            _check(getattr(key, name, getattr(sums, name, None)), getattr(column.type, "length", None))


def _check(value: object, length: int | None) -> None:
    if isinstance(value, str):
        assert length is None or len(value) <= length
        assert "\0" not in value
        value.encode()
    else:
        assert value is None or (isinstance(value, int) and -(2**63) <= value < 2**60)


def test_what_is_beyond_all_bounds_counts_as_the_most() -> None:
    """A number that is too large is cut to what a sum can take, one below zero counts as none."""
    usage = LoggedUsage(input_tokens=2**70, output_tokens=-5)
    row = entry_of(an_event(usage=usage, cost=2**70, duration_ms=math.inf, first_byte_ms=-1.0, status_code=-3)).row
    assert (row.input_tokens, row.output_tokens, row.cost) == (MOST_TOKENS, 0, MOST_MONEY)
    assert (row.duration_us, row.first_byte_us, row.status_code) == (MOST_MICROSECONDS, 0, 0)


def test_details_that_cannot_be_written_are_left_out() -> None:
    """The rest of the row stands."""
    row = entry_of(an_event(session_id="\ud800")).row
    assert (row.details, row.input_tokens) == ("{}", 10)


def test_large_numbers_in_details_are_read_again() -> None:
    """Whatever a provider says it cost."""
    details = entry_of(an_event(provider_cost=10**30)).row.details
    assert msgspec.json.decode(details, type=Details).provider_cost == 10**30


@pytest.mark.parametrize(
    ("timestamp", "at"),
    [
        (written(BEGAN), BEGAN),
        ("2026-11-21T10:00:00.123Z", 1_795_255_200_123),
        ("yesterday", 0),
        ("", 0),
        ("1969-12-31T23:59:59.000Z", 0),
        ("9999-12-31T23:59:59.000Z", 2**45),
    ],
)
def test_times(timestamp: str, at: int) -> None:
    """A time is Unix milliseconds; what is none is 1970, and none is so late that it could not be counted with."""
    assert began_at(timestamp) == at


def test_an_event_of_a_later_version_is_read() -> None:
    """Fields that are not known are passed over."""
    line = msgspec.json.encode({**msgspec.to_builtins(an_event()), "kind": "exchange", "new": {"a": 1}})
    assert read(line) == replace(an_event())
