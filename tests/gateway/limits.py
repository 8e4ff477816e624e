"""Limits of a token for tests of the data plane."""

from typing import Literal

from sluicegate.domain.limits import Calendar, Lifetime, Limit, Rolling
from sluicegate.domain.principal import Principal

REQUESTS = Limit("token", "tok_1", "requests", Rolling(3600), 10)
TOKENS = Limit("token", "tok_1", "tokens", Rolling(18_000), 1000)
USD = Limit("organization", "org_a", "usd", Calendar("month"), 1_000_000)
PLACES = Limit("token", "tok_1", "concurrency", Lifetime(), 2)


def whose(
    *limits: Limit, token: str = "tok_1", failure_mode: Literal["closed", "open"] = "closed", allowance: int = 0
) -> Principal:
    """A principal with these limits."""
    return Principal(
        token, limits=limits, organization_id="org_a", failure_mode=failure_mode, fallback_daily_limit=allowance
    )
