"""`sluicegate manage organization`: what is asked for each command."""

import json

from tests.cli.manage.gateway import ScriptedApi

ACME = {"org_id": "org_1", "name": "Acme", "status": "active", "monthly_budget_usd": 12.5}


def test_create(api: ScriptedApi) -> None:
    """Every option becomes a field; amounts travel as the text they were written in."""
    api.will_answer(ACME, status=201, etag='"1"')
    done = api.manage(
        *("organization", "create", "Acme", "--status", "active", "--monthly-budget-usd", "12.500000001"),
        *(
            "--failure-mode",
            "open",
            "--fallback-daily-limit",
            "0",
            "--time-zone",
            "Europe/Berlin",
            "--metadata",
            '{"team": "a"}',
            "--json",
        ),
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == ACME | {"version": "1"}
    assert api.asked[0].line == "POST /admin/organizations"
    assert api.asked[0].body == {
        "name": "Acme",
        "status": "active",
        "monthly_budget_usd": "12.500000001",
        "failure_mode": "open",
        "fallback_daily_limit": "0",
        "time_zone": "Europe/Berlin",
        "metadata": {"team": "a"},
    }


def test_list_and_show(api: ScriptedApi) -> None:
    """A list is asked for with its filter, an object by its id."""
    api.will_answer({"data": [ACME], "next_cursor": None})
    api.will_answer(ACME, etag='"3"')
    assert api.manage("organization", "list", "--search", "ac%me", "--quiet").stdout == "org_1\n"
    assert "12.5" in api.manage("organization", "show", "org_1").stdout
    assert [one.line for one in api.asked] == ["GET /admin/organizations", "GET /admin/organizations/org_1"]
    assert api.asked[0].query == {"search": "ac%me"}


def test_update(api: ScriptedApi) -> None:
    """Only what is named changes, and what is unset is sent as nothing."""
    api.will_answer(ACME, etag='"4"')
    done = api.manage(
        *("organization", "update", "org_1", "--status", "suspended", "--if-match", "3"),
        *("--unset", "monthly-budget-usd", "--unset", "metadata"),
    )
    assert done.exit_code == 0, done.output
    assert api.asked[0].line == "PATCH /admin/organizations/org_1"
    assert api.asked[0].body == {"status": "suspended", "monthly_budget_usd": None, "metadata": {}}
    assert api.asked[0].headers["if-match"] == '"3"'


def test_usage(api: ScriptedApi) -> None:
    """What it has used is shown field by field."""
    api.will_answer({"org_id": "org_1", "request_count": 7})
    assert "7" in api.manage("organization", "usage", "org_1").stdout
    assert api.asked[0].line == "GET /admin/organizations/org_1/usage"


def test_revoke_and_delete(api: ScriptedApi) -> None:
    """Revoking means its tokens, deleting means all of it."""
    api.will_answer({"revoked": 3})
    api.will_answer(status=204)
    assert json.loads(api.manage("organization", "revoke", "org_1", "--json").stdout) == {"revoked": 3}
    assert api.manage("organization", "delete", "org_1").stdout == "organization org_1: deleted\n"
    assert (api.asked[0].line, api.asked[0].body) == ("POST /admin/tokens/revoke", {"organization_id": "org_1"})
    assert api.asked[1].line == "DELETE /admin/organizations/org_1"
