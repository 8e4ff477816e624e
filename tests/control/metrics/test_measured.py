"""The words that events are counted under."""

from typing import Any

import pytest

from sluicegate.control.metrics.measured import limit_name, limited, outcomes, would_be_limited
from sluicegate.domain.events import Exchange, FailedAttempt
from tests.control.metrics.events import exchange, measured


def test_an_event_is_read_as_it_was_written() -> None:
    """Every field that is read is one that an exchange has, with the same value."""
    written, read = (
        exchange(error="budget_exceeded", limit="tok_1|usd|day"),
        measured(error="budget_exceeded", limit="tok_1|usd|day"),
    )
    assert set(read.__struct_fields__) <= set(Exchange.__struct_fields__)
    assert all(getattr(read, name) == getattr(written, name) for name in read.__struct_fields__)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["success"]),
        ({"upstream_status": 304}, ["success"]),
        ({"upstream_status": 404, "error_source": "upstream"}, ["refused"]),
        ({"upstream_status": 429, "error_source": "upstream"}, ["rate_limited"]),
        ({"upstream_status": 503, "error_source": "upstream"}, ["failed"]),
        ({"upstream_status": None, "error_source": "upstream", "error": "upstream_unreachable"}, ["unreachable"]),
        ({"upstream_status": None, "error_source": "gateway", "error": "upstream_timeout"}, ["timeout"]),
        ({"upstream_status": None, "error_source": "gateway", "error": "upstream_busy"}, ["busy"]),
        ({"upstream_status": None, "error_source": "gateway", "error": "worker_lost"}, ["lost"]),
        ({"upstream_status": None, "error": None}, ["failed"]),
        ({"upstream_status": None, "client_disconnected": True}, ["abandoned"]),
        ({"error_source": "upstream", "error": "upstream_error"}, ["broken"]),
        ({"error_source": "upstream", "error": "overloaded_error"}, ["failed"]),
        ({"attempts": 0, "upstream_status": None, "error": "limit_exceeded"}, []),
    ],
)
def test_outcome_of_an_attempt(fields: dict[str, Any], expected: list[str]) -> None:
    """It is one of a few words, whatever a provider or a client may say."""
    assert outcomes(measured(**fields)) == expected


def test_attempts_that_the_client_saw_nothing_of_count_too() -> None:
    """Each that failed, and then the one that was answered; none where there was no other."""
    failed = (FailedAttempt("openai", "gpt", 429), FailedAttempt("openai", "gpt", 0, "upstream_timeout"))
    assert outcomes(measured(attempts=3, failed_attempts=failed)) == ["rate_limited", "timeout", "success"]
    assert outcomes(measured(attempts=2, failed_attempts=failed)) == ["rate_limited", "timeout"]


def test_attempts_whose_answer_nobody_waited_for_count_too() -> None:
    """One that was slower than another asked beside it has neither failed nor succeeded."""
    failed = (FailedAttempt("openai", "gpt", 503),)
    assert outcomes(measured(attempts=2)) == ["unanswered", "success"]
    assert outcomes(measured(attempts=3, failed_attempts=failed)) == ["failed", "unanswered", "success"]


@pytest.mark.parametrize("code", ["limit_exceeded", "rate_limit_exceeded", "budget_exceeded", "limit_reached"])
def test_what_a_limit_refuses_or_ends(code: str) -> None:
    """It is counted under the limit, without whose it is."""
    event = measured(error=code, limit="tok_019aa4|tokens|5h")
    assert (limited(event), would_be_limited(event)) == ("token:tokens:5h", None)


def test_a_token_that_is_used_up_is_limited() -> None:
    """`max_requests` is a limit as well, though it has no account."""
    assert limited(measured(error="max_requests_reached")) == "token:requests:lifetime"


def test_a_limit_in_shadow_mode_is_told_apart() -> None:
    """The request went through, so nothing was limited."""
    event = measured(limit="org_1|usd|month@Europe/Berlin")
    assert (limited(event), would_be_limited(event)) == (None, "organization:usd:month@Europe/Berlin")
    assert (limited(measured()), would_be_limited(measured())) == (None, None)


@pytest.mark.parametrize(
    ("account", "name"),
    [
        ("prj_x|requests|90s", "project:requests:90s"),
        ("usr_x|concurrency|lifetime", "user:concurrency:lifetime"),
        ("org_x|usd|fallback", "organization:usd:fallback"),
        ("zzz_x|usd|day", "other:usd:day"),
        ("", "other"),
    ],
)
def test_names_of_limits(account: str, name: str) -> None:
    """Scope, metric and window, and no id."""
    assert limit_name(account) == name
