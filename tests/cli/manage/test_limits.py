"""`sluicegate manage limit`: what is asked for each command."""

import json

import pytest

from tests.cli.manage.gateway import ScriptedApi

LIMIT = {
    "limit_id": "lim_1",
    "scope": "user",
    "scope_id": "usr_1",
    "metric": "usd",
    "window": "month",
    "maximum": 12.5,
    "enforcement": "hard",
}
USAGE = {"metric": "usd", "used": 2.5, "remaining": 10.0}


@pytest.mark.parametrize(("written", "sent"), [("12.50", "12.50"), ("100000", 100_000), ("9" * 30, "9" * 30)])
def test_create(api: ScriptedApi, written: str, sent: object) -> None:
    """Every option becomes a field; whole numbers travel as such, amounts as the text they were written in."""
    api.will_answer(LIMIT, status=201, etag='"1"')
    done = api.manage(
        *("limit", "create", "--scope", "user", "--scope-id", "usr_1", "--metric", "usd", "--window", "month"),
        *("--maximum", written, "--enforcement", "soft", "--idempotency-key", "k", "--json"),
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == LIMIT | {"version": "1"}
    assert (api.asked[0].line, api.asked[0].headers["idempotency-key"]) == ("POST /manage/limits", "k")
    assert api.asked[0].body == {
        "scope": "user",
        "scope_id": "usr_1",
        "metric": "usd",
        "window": "month",
        "maximum": sent,
        "enforcement": "soft",
    }


def test_list_and_show(api: ScriptedApi) -> None:
    """A list is asked for with its filters, a limit by its id."""
    api.will_answer({"data": [LIMIT], "next_cursor": None})
    api.will_answer(LIMIT, etag='"3"')
    listed = api.manage(
        *("limit", "list", "--organization", "org_1", "--scope", "user", "--scope-id", "usr_1"),
        *("--metric", "usd", "--quiet"),
    )
    assert listed.stdout == "lim_1\n"
    assert "12.5" in api.manage("limit", "show", "lim_1").stdout
    assert [one.line for one in api.asked] == ["GET /manage/limits", "GET /manage/limits/lim_1"]
    assert api.asked[0].query == {"organization_id": "org_1", "scope": "user", "scope_id": "usr_1", "metric": "usd"}


def test_update_and_delete(api: ScriptedApi) -> None:
    """Only what is named changes, and only in the version that is named."""
    api.will_answer(LIMIT, etag='"4"')
    api.will_answer(status=204)
    assert api.manage("limit", "update", "lim_1", "--maximum", "5", "--if-match", "3").exit_code == 0
    assert (api.asked[0].line, api.asked[0].body) == ("PATCH /manage/limits/lim_1", {"maximum": 5})
    assert api.asked[0].headers["if-match"] == '"3"'
    assert api.manage("limit", "delete", "lim_1").exit_code == 0
    assert api.asked[1].line == "DELETE /manage/limits/lim_1"
    assert api.manage("limit", "update", "lim_1").exit_code == 2


def test_usage_and_reset(api: ScriptedApi) -> None:
    """What is used is shown field by field, and as JSON."""
    api.will_answer(USAGE)
    api.will_answer({**USAGE, "used": 0})
    assert "2.5" in api.manage("limit", "usage", "lim_1").stdout
    done = api.manage("limit", "reset", "lim_1", "--yes", "--json")
    assert json.loads(done.stdout)["used"] == 0
    assert [one.line for one in api.asked] == ["GET /manage/limits/lim_1/usage", "POST /manage/limits/lim_1/reset"]
