"""What bounds a token."""

import asyncio
from collections.abc import Collection
from typing import Any, cast

from msgspec.structs import replace

from sluicegate.control.tenants import bounds
from sluicegate.domain.default_limits import Defaults, Terms
from sluicegate.domain.limits import Calendar, Lifetime, Limit, Rolling
from sluicegate.domain.tenants import LimitRecord, Token
from sluicegate.store.database import Session
from sluicegate.store.tokens import ResolvedToken
from tests.store.records import a_limit, a_token

BERLIN = Calendar("month", "Europe/Berlin")


def resolved(token: Token, **fields: Any) -> ResolvedToken:
    """A token of active owners."""
    return ResolvedToken(token, "active", "active", "active", **fields)


TOKEN = a_token(1, organization_id="org_1", project_id="prj_1", user_id="usr_1")


def test_fields_of_owners_are_limits() -> None:
    """Budgets of the organisation's calendar month, and requests for ever."""
    found = bounds.limits_of(
        resolved(
            replace(TOKEN, max_requests=10, requests_before=4),
            monthly_budget=9,
            monthly_limit=8,
            time_zone="Europe/Berlin",
        ),
        {},
        Defaults(),
    )
    assert found == (
        Limit("organization", "org_1", "usd", BERLIN, 9),
        Limit("user", "usr_1", "usd", BERLIN, 8),
        Limit("token", "tok_00001", "requests", Lifetime(), 6),
    )


class Stored:
    """A session that knows of limits alone."""

    def __init__(self, *records: LimitRecord) -> None:
        self.limits = self
        self.records = records

    async def of_scopes(self, scope_ids: Collection[str]) -> list[LimitRecord]:
        assert None not in scope_ids
        return [record for record in self.records if record.scope_id in scope_ids]


def test_what_was_set_is_found_by_whose_it_is() -> None:
    """Of all owners of all tokens that are asked for, the tokens' own too; none of others."""
    ids = ("org_1", "prj_1", "usr_1", TOKEN.id)
    set_for_all = [a_limit(number, scope_id=scope_id) for number, scope_id in enumerate((*ids, "prj_1", "prj_2"))]
    tokens = [resolved(TOKEN), resolved(a_token(2, organization_id="org_1", project_id=None, user_id=None))]
    found = asyncio.run(bounds.explicit_of(cast("Session", Stored(*set_for_all)), tokens))
    assert {scope_id: [record.id for record in records] for scope_id, records in found.items()} == {
        "org_1": ["lim_00000"],
        "prj_1": ["lim_00001", "lim_00004"],
        "usr_1": ["lim_00002"],
        TOKEN.id: ["lim_00003"],
    }


def test_what_was_set_stands_before_fields_and_defaults() -> None:
    """On the same metric and window; whoever has nothing set has the default."""
    explicit = {
        "org_1": [a_limit(1, scope="organization", scope_id="org_1", metric="usd", window="month", maximum=1)],
        "prj_1": [a_limit(2, scope_id="prj_1", maximum=2, enforcement="soft")],
        "tok_00001": [a_limit(3, scope="token", scope_id="tok_00001", window="2h", maximum=3)],
    }
    hourly = Terms("tokens", Rolling(3600), 100)
    defaults = Defaults(organizations=(hourly,), projects=(hourly,), users=(hourly,), tokens=(hourly,))
    found = bounds.limits_of(resolved(TOKEN, monthly_budget=9), explicit, defaults)
    assert [(limit.account, limit.maximum, limit.enforcement) for limit in found] == [
        ("org_1|usd|month", 1, "hard"),
        ("org_1|tokens|1h", 100, "hard"),
        ("prj_1|tokens|1h", 2, "soft"),
        ("usr_1|tokens|1h", 100, "hard"),
        ("tok_00001|tokens|2h", 3, "hard"),
        ("tok_00001|tokens|1h", 100, "hard"),
    ]


def test_a_rotated_token_is_counted_as_the_first_of_its_line() -> None:
    """Its limits are its own, its accounts are not."""
    token = replace(TOKEN, counted_as="tok_first", max_requests=5)
    explicit = {token.id: [a_limit(1, scope="token", scope_id=token.id)]}
    found = bounds.token_limits(token, explicit=explicit, defaults=Defaults(tokens=(Terms("usd", BERLIN, 1),)))
    assert [limit.account for limit in found] == [
        "tok_first|tokens|1h",
        "tok_first|requests|lifetime",
        "tok_first|usd|month@Europe/Berlin",
    ]


def test_a_token_without_project_and_user_has_none_of_theirs() -> None:
    """What is not there bounds nothing, and requests that were made before leave no less than nothing."""
    token = replace(TOKEN, project_id=None, user_id=None, max_requests=3, requests_before=4)
    defaults = Defaults(projects=(Terms("usd", BERLIN, 1),), users=(Terms("usd", BERLIN, 1),))
    assert bounds.limits_of(resolved(token), {}, defaults) == (Limit("token", "tok_00001", "requests", Lifetime(), 0),)


def test_the_budget_of_a_month_is_found() -> None:
    """Whichever limit it is; None where there is none."""
    limits = bounds.user_limits("usr_1", 5, "UTC", explicit={}, defaults=Defaults(users=(Terms("tokens", BERLIN, 1),)))
    assert bounds.monthly_budget_of(limits) == Limit("user", "usr_1", "usd", Calendar("month"), 5)
    assert bounds.monthly_budget_of(()) is None
