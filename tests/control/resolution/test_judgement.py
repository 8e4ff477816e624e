"""Stored tokens judged into principals."""

from typing import Any

import msgspec
import pytest

from sluicegate.control.resolution.judgement import principal_of
from sluicegate.domain.limits import Lifetime, Limit
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import Token
from sluicegate.store.tokens import ResolvedToken

NOW = 1_700_000_000_000

TOKEN = Token(
    id="tok_1",
    digest=b"d" * 32,
    prefix="sk-sg-",
    last_four="abcd",
    organization_id="org_1",
    project_id="prj_1",
    name="nightly",
    created_at=NOW - 1_000_000,
    updated_at=NOW,
)


def judged(*, owners: tuple[Any, Any, Any] = ("active", "active", None), **changes: Any) -> Principal:
    """The principal of a token that differs in this."""
    token = msgspec.structs.replace(TOKEN, **changes)
    return principal_of(ResolvedToken(token, *owners), (), NOW)


def test_a_plain_token_may_do_everything() -> None:
    """It is who it is, without any bound."""
    assert judged() == Principal("tok_1", name="nightly", project_id="prj_1", organization_id="org_1", prefix="sk-sg-")


def test_what_it_is_bound_to_reaches_the_worker() -> None:
    """Header names in lower case, as the data plane compares them."""
    principal = judged(
        user_id="usr_1",
        model="small",
        models=("a", "b"),
        paths=("chat/**",),
        request_headers=("X-Trace",),
        tags=("t",),
    )
    assert (principal.user_id, principal.model, principal.models) == ("usr_1", "small", ("a", "b"))
    assert (principal.paths, principal.request_headers, principal.tags) == (("chat/**",), ("x-trace",), ("t",))


def test_the_projects_own_keys_travel_with_it() -> None:
    """They take the place of the configured ones."""
    resolved = ResolvedToken(TOKEN, "active", "active", None)
    assert principal_of(resolved, (("openai", "key"),), NOW).credentials == (("openai", "key"),)


@pytest.mark.parametrize(
    ("own", "projects", "expected"),
    [(None, None, None), (None, "large", "large"), ("small", "large", "small"), ("small", None, "small")],
)
def test_a_tokens_own_model_goes_before_its_projects(own: str | None, projects: str | None, expected: str) -> None:
    """What answers every request is the token's to say, then the project's."""
    token = msgspec.structs.replace(TOKEN, model=own)
    resolved = ResolvedToken(token, "active", "active", None, project_model=projects)
    assert (principal_of(resolved, (), NOW).model, resolved.model) == (expected, expected)


def test_kept_bodies_are_the_projects_to_say() -> None:
    """Of a token without a project none are kept."""
    resolved = ResolvedToken(TOKEN, "active", "active", None, body_share=0.5, body_bytes=100)
    assert (principal_of(resolved, (), NOW).body_share, principal_of(resolved, (), NOW).body_bytes) == (0.5, 100)
    assert principal_of(ResolvedToken(TOKEN, "active", None, "active"), (), NOW).body_share == 0.0


def test_a_users_token_has_no_project() -> None:
    """It is not counted for a project that it does not belong to."""
    assert judged(project_id=None, owners=("active", None, "active")).project_id == ""


@pytest.mark.parametrize(
    ("status", "owners"),
    [
        ("suspended", ("active", "active", None)),
        ("revoked", ("active", "active", None)),
        ("active", ("suspended", "active", None)),
        ("active", ("active", "suspended", None)),
        ("active", ("active", None, "suspended")),
    ],
)
def test_whoever_is_suspended_makes_it_inactive(status: str, owners: tuple[Any, Any, Any]) -> None:
    """The token itself, its organisation, its project or its user."""
    principal = judged(status=status, owners=owners, max_requests=1, requests_before=1)
    assert not principal.is_active
    assert not principal.is_spent, "the reason that a new token would not cure comes first"


@pytest.mark.parametrize(("before", "is_spent"), [(0, False), (9, False), (10, True), (11, True)])
def test_a_token_is_spent_where_none_of_its_requests_is_left_to_count(before: int, is_spent: bool) -> None:
    """It is inactive then, and says why. Of requests that the ledger counts, the ledger says whether any is left."""
    principal = judged(max_requests=10, requests_before=before, request_count=10)
    assert (principal.is_active, principal.is_spent) == (not is_spent, is_spent)


def test_limits_and_what_holds_without_the_ledger_reach_the_worker() -> None:
    """Every limit, and what the organisation wants while they cannot be checked."""
    limit = Limit("token", "tok_1", "requests", Lifetime(), 10)
    resolved = ResolvedToken(TOKEN, "active", "active", None, failure_mode="open", fallback_daily_limit=5)
    principal = principal_of(resolved, (), NOW, (limit,))
    assert (principal.limits, principal.failure_mode, principal.fallback_daily_limit) == ((limit,), "open", 5)


@pytest.mark.parametrize(
    ("changes", "expires_in", "withers"),
    [
        ({"expires_at": NOW + 5_000}, 5.0, False),
        ({"expires_at": NOW - 5_000}, -5.0, False),
        ({"retires_at": NOW + 5_000}, 5.0, False),
        ({"expires_at": NOW + 9_000, "retires_at": NOW + 5_000}, 5.0, False),
        ({"expires_at": NOW + 5_000, "retires_at": NOW + 9_000}, 5.0, False),
        ({"idle_seconds": 60, "last_used_at": NOW - 20_000}, 40.0, True),
        ({"idle_seconds": 1_060}, 60.0, True),
        ({"idle_seconds": 60, "last_used_at": NOW - 20_000, "expires_at": NOW + 5_000}, 5.0, False),
        ({"idle_seconds": 60, "last_used_at": NOW - 20_000, "expires_at": NOW + 50_000}, 40.0, True),
        ({"idle_seconds": 60, "last_used_at": NOW - 60_000}, 0.0, False),
        ({"idle_seconds": 60}, -940.0, False),
    ],
)
def test_the_first_end_counts(changes: dict[str, Any], expires_in: float, withers: bool) -> None:
    """Expiry, retirement after a rotation, or withering, which a use puts off unless it has happened already."""
    principal = judged(**changes)
    assert principal.expires_at is not None
    assert principal.expires_at - NOW / 1000 == pytest.approx(expires_in)
    assert principal.withers is withers
