"""Organisations by way of the management API, as system E's clients know them."""

import pytest

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
        ({"name": "x", "fallback_daily_limit": 1.5}, "fallback_daily_limit"),
        ({"name": "x", "version": 7}, "version"),
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
    """Requests are counted; spending is null, not zero, as long as nothing measures it."""
    made = api.make("POST", "/admin/organizations", NEW)
    assert api.ask("GET", f"/admin/organizations/{made['org_id']}/usage").json == {
        "org_id": made["org_id"],
        "usage_usd": None,
        "limit_usd": 100.25,
        "remaining_usd": None,
        "request_count": 0,
        "api_key_count": 0,
        "last_used_at": None,
    }


def test_own_admin_sets_no_bounds(api: Api) -> None:
    """An organisation's admin may rename it, but neither raise its budget nor lift its suspension."""
    key = api.world().keys["organization_admin"]
    assert api.ask("PATCH", "/admin/organizations/org_own", key=key, body={"name": "ours"}).status == 200
    for body in ({"monthly_budget_usd": 10}, {"status": "active"}, {"name": "x", "failure_mode": "open"}):
        assert api.ask("PATCH", "/admin/organizations/org_own", key=key, body=body).status == 403
    assert api.ask("PATCH", "/admin/organizations/org_foreign", key=key, body={"name": "x"}).status == 404
    assert api.ask("GET", "/admin/organizations/org_foreign/usage", key=key).status == 404
