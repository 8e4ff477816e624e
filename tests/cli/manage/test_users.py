"""`sluicegate manage user`: what is asked for each command."""

from tests.cli.manage.gateway import ScriptedApi

ANN = {"user_id": "usr_1", "org_id": "org_1", "email": "ann@acme.example", "status": "active"}


def test_create(api: ScriptedApi) -> None:
    """Every option becomes a field."""
    api.will_answer(ANN, status=201)
    options = ("--organization", "org_1", "--name", "Ann", "--monthly-limit-usd", "5", "--status", "active")
    assert api.manage("user", "create", "ann@acme.example", *options, "-q").stdout == "usr_1\n"
    assert api.asked[0].line == "POST /admin/users"
    assert api.asked[0].body == {
        "email": "ann@acme.example",
        "org_id": "org_1",
        "name": "Ann",
        "monthly_limit_usd": "5",
        "status": "active",
    }


def test_list_and_show(api: ScriptedApi) -> None:
    """A list is asked for with its filters, an object by its id."""
    api.will_answer({"data": [ANN], "next_cursor": None})
    api.will_answer(ANN)
    filters = ("--organization", "org_1", "--status", "active", "--email", "ann@acme.example", "--search", "a")
    assert api.manage("user", "list", *filters).exit_code == 0
    assert "ann@acme.example" in api.manage("user", "show", "usr_1").stdout
    assert [one.line for one in api.asked] == ["GET /admin/users", "GET /admin/users/usr_1"]
    assert api.asked[0].query == {"org_id": "org_1", "status": "active", "email": "ann@acme.example", "search": "a"}


def test_update(api: ScriptedApi) -> None:
    """Only what is named changes."""
    api.will_answer(ANN)
    assert api.manage("user", "update", "usr_1", "--email", "b@c.example", "--unset", "name").exit_code == 0
    assert (api.asked[0].line, api.asked[0].body) == ("PATCH /admin/users/usr_1", {"email": "b@c.example", "name": ""})


def test_usage_and_reset(api: ScriptedApi) -> None:
    """What was used can be seen and counted anew."""
    for _ in range(2):
        api.will_answer({"user_id": "usr_1", "request_count": 0})
    assert api.manage("user", "usage", "usr_1").exit_code == 0
    assert api.manage("user", "reset-quota", "usr_1", "--json").exit_code == 0
    assert [one.line for one in api.asked] == ["GET /admin/users/usr_1/usage", "POST /admin/users/usr_1/reset-quota"]


def test_revoke_and_delete(api: ScriptedApi) -> None:
    """Revoking means their tokens, deleting means all of them."""
    api.will_answer({"revoked": 2})
    api.will_answer(status=204)
    assert "2" in api.manage("user", "revoke", "usr_1").stdout
    assert api.manage("user", "delete", "usr_1", "-q").stdout == "usr_1\n"
    assert (api.asked[0].line, api.asked[0].body) == ("POST /admin/tokens/revoke", {"user_id": "usr_1"})
    assert api.asked[1].line == "DELETE /admin/users/usr_1"
