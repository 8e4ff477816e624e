"""Organisations by way of the management API, as system E's clients know them."""

import pytest

from sluicegate.domain.tokens import digest
from tests.control.api import Api

NEW = {"name": "Analytical", "monthly_budget_usd": "100.25", "failure_mode": "open", "fallback_daily_limit": 5}


def test_organization_has_the_fields_clients_know(api: Api) -> None:
    """A new organisation is answered with all its fields, where it is, and its version."""
    answer = api.ask("POST", "/admin/organizations", body=NEW)
    org_id = answer.json["org_id"]
    assert (answer.status, answer.headers["location"], answer.headers["etag"]) == (
        201,
        f"/admin/organizations/{org_id}",
        '"1"',
    )
    assert org_id.startswith("org_")
    times = {"created_at": "2026-11-21T12:00:00Z", "updated_at": "2026-11-21T12:00:00Z"}
    assert answer.json == {
        **NEW,
        "org_id": org_id,
        "monthly_budget_usd": 100.25,
        "status": "active",
        "time_zone": "UTC",
        "metadata": {},
        **times,
    }
    assert api.ask("GET", f"/admin/organizations/{org_id}").json == answer.json


def test_patch_changes_what_it_names(api: Api) -> None:
    """What is not named stays; null takes a bound away; a change for an old version is refused."""
    made = api.make("POST", "/admin/organizations", NEW)
    path = f"/admin/organizations/{made['org_id']}"
    answer = api.ask("PATCH", path, body={"monthly_budget_usd": None}, headers={"if-match": '"1"'})
    assert (answer.status, answer.headers["etag"]) == (200, '"2"')
    assert answer.json == {**made, "monthly_budget_usd": None}
    assert api.ask("PATCH", path, body={"name": "x"}, headers={"if-match": '"1"'}).status == 412
    assert api.ask("DELETE", path, headers={"if-match": '"1"'}).status == 412
    assert api.ask("GET", path, headers={"if-none-match": '"2"'}).status == 304


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x", "org_id": "org_mine"}, "org_id"),
        ({"name": "x", "monthly_budget_usd": -1}, "monthly_budget_usd"),
        ({"name": "x", "monthly_budget_usd": "0.0000000001"}, "monthly_budget_usd"),
        ({"name": "x", "failure_mode": "ajar"}, "failure_mode"),
        ({"name": "x", "fallback_daily_limit": -1}, "fallback_daily_limit"),
        ({"name": "x", "version": 7}, "version"),
        ({"name": "x", "time_zone": "Europe/Atlantis"}, "time_zone"),
        ({"name": "x", "time_zone": "../etc/passwd"}, "time_zone"),
    ],
)
def test_what_is_no_organization_is_refused(body: dict[str, object], path: str, api: Api) -> None:
    """Each fault is told with its field; unknown fields are faults."""
    answer = api.ask("POST", "/admin/organizations", body=body)
    assert (answer.status, [error["path"] for error in answer.json["errors"]]) == (422, [f"body.{path}"])


def test_lists_are_paged_and_bounded(api: Api) -> None:
    """A list comes in pages; whoever is bounded to one organisation lists that one."""
    world = api.world()
    first = api.ask("GET", "/admin/organizations?limit=2").json
    rest = api.ask("GET", f"/admin/organizations?limit=2&after={first['next_cursor']}").json
    assert [one["org_id"] for one in first["data"] + rest["data"]] == ["org_default", "org_foreign", "org_own"]
    assert rest["next_cursor"] is None
    own = api.ask("GET", "/admin/organizations", key=world.keys["viewer"]).json
    assert [one["org_id"] for one in own["data"]] == ["org_own"]
    assert api.ask("GET", "/admin/organizations?search=OREIG").json["data"][0]["org_id"] == "org_foreign"


def test_deletion(api: Api) -> None:
    """A deleted organisation is gone; the default one stays."""
    api.world()
    assert api.ask("DELETE", "/admin/organizations/org_own").status == 204
    assert api.ask("GET", "/admin/organizations/org_own").status == 404
    assert api.ask("DELETE", "/admin/organizations/org_default").status == 409


def test_usage_says_what_is_known(api: Api) -> None:
    """Requests are counted; spending where a budget bounds it, else it is null, not zero."""
    made = api.make("POST", "/admin/organizations", NEW)
    api.ledger.used[f"{made['org_id']}|usd|month"] = 250_000_000
    assert api.ask("GET", f"/admin/organizations/{made['org_id']}/usage").json == {
        "org_id": made["org_id"],
        "usage_usd": 0.25,
        "limit_usd": 100.25,
        "remaining_usd": 100.0,
        "request_count": 0,
        "api_key_count": 0,
        "last_used_at": None,
        "by_day": [],
        "by_model": [],
    }
    unbounded = api.ask("GET", "/admin/organizations/org_default/usage").json
    assert (unbounded["usage_usd"], unbounded["limit_usd"], unbounded["remaining_usd"]) == (None, None, None)
    api.ledger.is_away = True
    assert api.ask("GET", f"/admin/organizations/{made['org_id']}/usage").status == 503


@pytest.mark.parametrize(
    "fields",
    [
        {"monthly_budget_usd": 1},
        {"failure_mode": "open"},
        {"fallback_daily_limit": 2.5},
        {"time_zone": "Asia/Kolkata"},
        {"status": "suspended"},
    ],
)
def test_workers_are_told_of_new_bounds(fields: dict[str, object], api: Api) -> None:
    """Whatever bounds its tokens has them looked up anew; a new name does not."""
    secret = api.world().own["secret"]
    api.make("PATCH", "/admin/organizations/org_own", {"name": "ours"})
    assert api.announced == []
    changed = api.make("PATCH", "/admin/organizations/org_own", fields)
    assert fields.items() <= changed.items()
    assert api.announced == [[digest(secret.encode())]]


def test_own_admin_sets_no_bounds(api: Api) -> None:
    """An organisation's admin may rename it, but neither raise its budget nor lift its suspension."""
    key = api.world().keys["organization_admin"]
    assert api.ask("PATCH", "/admin/organizations/org_own", key=key, body={"name": "ours"}).status == 200
    for body in (
        {"monthly_budget_usd": 10},
        {"status": "active"},
        {"name": "x", "failure_mode": "open"},
        {"time_zone": "Asia/Kolkata"},
    ):
        assert api.ask("PATCH", "/admin/organizations/org_own", key=key, body=body).status == 403
    assert api.ask("PATCH", "/admin/organizations/org_foreign", key=key, body={"name": "x"}).status == 404
    assert api.ask("GET", "/admin/organizations/org_foreign/usage", key=key).status == 404
