"""`sluicegate manage admin-key`: what is asked for each command."""

from tests.cli.manage.gateway import ScriptedApi

MASKED = {"key_id": "adm_1", "admin_key": "sk-adm-…wxyz", "name": "ci", "role": "viewer", "org_id": None}


def test_create(api: ScriptedApi) -> None:
    """Every option becomes a field; a role may be written as the command line writes words."""
    api.will_answer(MASKED | {"admin_key": "sk-adm-the-secret"}, status=201)
    options = ("--role", "organization-admin", "--organization", "org_1", "--expires-at", "2030-12-31T23:59:59Z")
    done = api.manage("admin-key", "create", "ci", *options)
    assert "sk-adm-the-secret" in done.stdout
    assert "once" in done.stderr
    assert api.asked[0].line == "POST /admin/admin-keys"
    assert api.asked[0].body == {
        "name": "ci",
        "role": "organization_admin",
        "org_id": "org_1",
        "expires_at": "2030-12-31T23:59:59Z",
    }


def test_list_and_show(api: ScriptedApi) -> None:
    """A list is asked for with its filters, an object by its id."""
    api.will_answer({"data": [MASKED], "next_cursor": None})
    api.will_answer(MASKED)
    assert api.manage("admin-key", "list", "--organization", "org_1", "--search", "c", "-q").stdout == "adm_1\n"
    assert api.manage("admin-key", "show", "adm_1").exit_code == 0
    assert [one.line for one in api.asked] == ["GET /admin/admin-keys", "GET /admin/admin-keys/adm_1"]
    assert api.asked[0].query == {"org_id": "org_1", "search": "c"}


def test_update(api: ScriptedApi) -> None:
    """Only what is named changes."""
    api.will_answer(MASKED)
    options = ("--name", "cd", "--status", "suspended", "--unset", "expires-at")
    assert api.manage("admin-key", "update", "adm_1", *options).exit_code == 0
    assert api.asked[0].line == "PATCH /admin/admin-keys/adm_1"
    assert api.asked[0].body == {"name": "cd", "status": "suspended", "expires_at": None}


def test_revoke_and_delete(api: ScriptedApi) -> None:
    """Both take it away."""
    for verb, told in (("revoke", "revoked"), ("delete", "deleted")):
        api.will_answer(status=204)
        assert api.manage("admin-key", verb, "adm_1").stdout == f"admin key adm_1: {told}\n"
        assert api.asked[-1].line == "DELETE /admin/admin-keys/adm_1"
