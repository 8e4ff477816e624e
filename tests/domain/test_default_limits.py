"""Limits that hold for everybody who has no other."""

import pytest

from sluicegate.domain.default_limits import Defaults, Terms, first_of_each, is_monthly_budget, with_defaults
from sluicegate.domain.limits import Calendar, Lifetime, Limit, Metric, Rolling, Window

HOURLY = Terms("requests", Rolling(3600), 1000)
DEFAULTS = Defaults(
    organizations=(Terms("usd", Calendar("month"), 7),),
    projects=(Terms("tokens", Rolling(60), 5, "soft"),),
    users=(HOURLY,),
    tokens=(HOURLY, Terms("concurrency", Lifetime(), 2)),
)


def test_defaults_hold_for_every_one_of_a_kind() -> None:
    """Each scope has those of its kind, as its own."""
    limits = with_defaults((), DEFAULTS, {"organization": "org_1", "project": "prj_1", "token": "tok_1"})
    assert [(limit.account, limit.maximum, limit.enforcement) for limit in limits] == [
        ("org_1|usd|month", 7, "hard"),
        ("prj_1|tokens|1m", 5, "soft"),
        ("tok_1|requests|1h", 1000, "hard"),
        ("tok_1|concurrency|lifetime", 2, "hard"),
    ]
    assert DEFAULTS.of("user", "usr_1") == (Limit("user", "usr_1", "requests", Rolling(3600), 1000),)


def test_a_limit_of_ones_own_stands_before_a_default() -> None:
    """Where metric and window are the same, also if it is larger; in another window both hold."""
    own = Limit("token", "tok_1", "requests", Rolling(3600), 5000)
    other = Limit("token", "tok_1", "requests", Rolling(60), 10)
    limits = with_defaults((own, other), Defaults(tokens=(HOURLY,)), {"token": "tok_1"})
    assert limits == (own, other)
    assert with_defaults((other,), Defaults(tokens=(HOURLY,)), {"token": "tok_1"}) == (
        other,
        HOURLY.of("token", "tok_1"),
    )


def test_the_first_on_an_account_counts() -> None:
    """Whatever comes later on the same account is left out."""
    first, second = HOURLY.of("user", "usr_1"), Limit("user", "usr_1", "requests", Rolling(3600), 1)
    assert first_of_each((first,), (second,)) == (first,)
    assert first_of_each((), (second,), (first,)) == (second,)


@pytest.mark.parametrize(
    ("metric", "window", "expected"),
    [
        ("usd", Calendar("month", "Europe/Berlin"), True),
        ("usd", Calendar("day"), False),
        ("usd", Rolling(60), False),
        ("tokens", Calendar("month"), False),
    ],
)
def test_a_monthly_budget_is_told_from_other_limits(metric: Metric, window: Window, expected: bool) -> None:
    """Money, in a month of the calendar."""
    assert is_monthly_budget(Limit("user", "usr_1", metric, window, 1)) is expected
