"""`sluicegate manage project`: what is asked for each command."""

from tests.cli.manage.gateway import ScriptedApi

SEARCH = {"project_id": "prj_1", "organization_id": "org_1", "name": "search", "status": "active"}


def test_create(api: ScriptedApi) -> None:
    """Every option becomes a field."""
    api.will_answer(SEARCH, status=201)
    options = ("--organization", "org_1", "--description", "finds", "--metadata", "{}", "--model", "smart")
    assert api.manage("project", "create", "search", *options, "-q").stdout == "prj_1\n"
    assert api.asked[0].line == "POST /admin/projects"
    assert api.asked[0].body == {
        "name": "search",
        "organization_id": "org_1",
        "description": "finds",
        "metadata": {},
        "model": "smart",
    }


def test_list_and_show(api: ScriptedApi) -> None:
    """A list is asked for with its filters, an object by its id."""
    api.will_answer({"data": [SEARCH], "next_cursor": None})
    api.will_answer(SEARCH)
    assert "prj_1" in api.manage("project", "list", "--organization", "org_1", "--status", "active").stdout
    assert api.manage("project", "show", "prj_1").exit_code == 0
    assert [one.line for one in api.asked] == ["GET /admin/projects", "GET /admin/projects/prj_1"]
    assert api.asked[0].query == {"organization_id": "org_1", "status": "active"}


def test_update(api: ScriptedApi) -> None:
    """Only what is named changes."""
    api.will_answer(SEARCH)
    api.will_answer(SEARCH)
    api.will_answer(SEARCH)
    assert api.manage("project", "update", "prj_1", "--name", "find", "--unset", "description").exit_code == 0
    assert api.manage("project", "update", "prj_1", "--model", "smart").exit_code == 0
    assert api.manage("project", "update", "prj_1", "--unset", "model").exit_code == 0
    assert [one.body for one in api.asked[1:]] == [{"model": "smart"}, {"model": None}]
    assert (api.asked[0].line, api.asked[0].body) == (
        "PATCH /admin/projects/prj_1",
        {"name": "find", "description": ""},
    )


def test_revoke_and_delete(api: ScriptedApi) -> None:
    """Revoking means its tokens, deleting means all of it."""
    api.will_answer({"revoked": 0})
    api.will_answer(status=204)
    assert api.manage("project", "revoke", "prj_1", "--yes").exit_code == 0
    assert api.manage("project", "delete", "prj_1", "--if-match", "*").exit_code == 0
    assert (api.asked[0].line, api.asked[0].body) == ("POST /admin/tokens/revoke", {"project_id": "prj_1"})
    assert (api.asked[1].line, api.asked[1].headers["if-match"]) == ("DELETE /admin/projects/prj_1", "*")


def test_kept_bodies_are_set(api: ScriptedApi) -> None:
    """With a project, and later; a share of nothing is a value like others."""
    for _ in range(2):
        api.will_answer({"project_id": "prj_1", "name": "search"})
    assert api.manage("project", "create", "search", "--body-share", "0.1", "--body-bytes", "9").exit_code == 0
    assert api.manage("project", "update", "prj_1", "--body-share", "0").exit_code == 0
    assert [one.body for one in api.asked] == [
        {"name": "search", "body_share": 0.1, "body_bytes": 9},
        {"body_share": 0.0},
    ]
