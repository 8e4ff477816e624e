"""Projects by way of the management API."""

import asyncio
from typing import Any

import pytest

from sluicegate.domain.tokens import digest
from tests.control.api import Api

SECRET = "sk-provider-of-a-project-0123456789"


def test_project_lives_as_system_d_asks_for_it(api: Api) -> None:
    """A project is made, listed, shown, changed and deleted, with the fields of that system."""
    body = {"name": "search", "description": "for the shop", "metadata": {"owner": "ada"}}
    answer = api.ask("POST", "/manage/projects", body=body)
    project = answer.json
    assert (answer.status, answer.headers["etag"]) == (201, '"1"')
    assert answer.headers["location"] == f"/manage/projects/{project['project_id']}"
    assert project.items() >= (body | {"created_at": "2026-11-21T12:00:00Z", "organization_id": "org_default"}).items()
    path = f"/manage/projects/{project['project_id']}"
    assert project in api.ask("GET", "/manage/projects").json
    assert api.ask("GET", path).json == project
    assert api.make("PATCH", path, {"description": ""}) == project | {"description": ""}
    assert api.ask("DELETE", path).status == 204
    assert api.ask("GET", path).status == 404


def test_model_of_a_project_is_told_to_all_its_tokens(api: Api) -> None:
    """To set it, change it or take it away makes workers look the project's tokens up anew; anything else does not."""
    project = api.make("POST", "/admin/projects", {"name": "search", "model": "small"})
    assert project["model"] == "small"
    secret = api.make("POST", "/admin/tokens", {"project_id": project["project_id"]})["token"]
    path = f"/admin/projects/{project['project_id']}"
    for model, expected in (("small", []), ("large", [digest(secret.encode())]), (None, [digest(secret.encode())])):
        api.announced.clear()
        assert api.make("PATCH", path, {"model": model})["model"] == model
        assert [one for digests in api.announced for one in digests or ()] == expected
    assert api.ask("PATCH", path, body={"model": ""}).status == 422


def test_kept_bodies_of_a_project_are_told_to_all_its_tokens(api: Api) -> None:
    """None are wanted until somebody says so; what is no share, or too much, is refused."""
    project = api.make("POST", "/admin/projects", {"name": "search"})
    assert (project["body_share"], project["body_bytes"]) == (0.0, 16_384)
    secret = api.make("POST", "/admin/tokens", {"project_id": project["project_id"]})["token"]
    path = f"/admin/projects/{project['project_id']}"
    for change in ({"body_share": 0.25}, {"body_bytes": 100}, {"body_share": 0}):
        api.announced.clear()
        assert api.make("PATCH", path, change).items() >= change.items()
        assert [one for digests in api.announced for one in digests or ()] == [digest(secret.encode())]
    for wrong in ({"body_share": 1.1}, {"body_share": -0.1}, {"body_share": None}, {"body_bytes": 0}):
        assert api.ask("PATCH", path, body=wrong).status == 422
    assert api.ask("PATCH", path, body={"body_bytes": 1_048_577}).status == 422


def test_older_form_names_the_project_in_the_body(api: Api) -> None:
    """PATCH and DELETE of the collection take `project_id` in the body."""
    identifier = api.make("POST", "/manage/projects", {"name": "search"})["project_id"]
    changed = api.make("PATCH", "/manage/projects", {"project_id": identifier, "name": "find"})
    assert (changed["project_id"], changed["name"]) == (identifier, "find")
    assert api.ask("DELETE", "/manage/projects", body={"project_id": identifier}).status == 204
    assert api.ask("DELETE", "/manage/projects", body={"project_id": identifier}).status == 404


def test_provider_keys_are_written_and_never_shown(api: Api) -> None:
    """A provider's key is kept encrypted; no answer and no line of the audit log has it."""
    body = {"name": "search", "provider_keys": {"openai": SECRET}}
    answer = api.ask("POST", "/manage/projects", body=body)
    assert (answer.status, SECRET in answer.body.decode()) == (201, False)
    path = f"/manage/projects/{answer.json['project_id']}"
    changed = api.ask("PATCH", path, body={"provider_keys": {"anthropic": SECRET}})
    assert (changed.status, SECRET in changed.body.decode()) == (200, False)

    async def stored() -> tuple[list[str], str]:
        async with api.database.reading() as session:
            credentials = await session.credentials.for_project(answer.json["project_id"])
            return sorted(one.provider for one in credentials), repr([credentials, await session.audit.list(limit=10)])

    providers, everything = api.run(stored())
    assert (providers, SECRET in everything) == (["anthropic", "openai"], False)


def test_suspended_project_refuses_its_tokens(api: Api) -> None:
    """While a project is suspended its tokens are refused, and workers are told at both ends."""
    world = api.world()
    for status, expected in (("suspended", 403), ("active", 200)):
        api.announced.clear()
        api.make("PATCH", "/admin/projects/prj_own", {"status": status})
        assert api.ask("GET", "/v1/key", key=world.own["secret"]).status == expected
        assert api.announced == [[digest(world.own["secret"].encode())]]


def test_deleted_project_takes_its_tokens_along(api: Api) -> None:
    """The tokens of a deleted project are unknown, and workers are told."""
    world = api.world()
    api.announced.clear()
    assert api.ask("DELETE", "/admin/projects/prj_own").status == 204
    assert api.ask("GET", "/v1/key", key=world.own["secret"]).status == 401
    assert api.announced == [[digest(world.own["secret"].encode())]]


def test_default_project_stays(api: Api) -> None:
    """The default project can be changed, but not deleted."""
    assert api.ask("PATCH", "/admin/projects/prj_default", body={"name": "ours"}).json["name"] == "ours"
    answer = api.ask("DELETE", "/admin/projects/prj_default")
    assert (answer.status, "can be suspended" in answer.json["detail"]) == (409, True)


def test_bounded_manager_makes_projects_in_their_own_organization(api: Api) -> None:
    """Without an organisation it is their own; another one does not exist for them."""
    world = api.world()
    key = world.keys["organization_admin"]
    assert api.make("POST", "/admin/projects", {"name": "x"}, key=key)["organization_id"] == "org_own"
    body = {"name": "x", "organization_id": "org_foreign"}
    assert api.ask("POST", "/admin/projects", body=body, key=key).status == 404
    assert api.ask("POST", "/admin/projects", body=body | {"organization_id": "org_none"}).status == 404
    names = {project["project_id"] for project in api.ask("GET", "/manage/projects", key=key).json}
    assert "prj_own" in names
    assert not {"prj_foreign", "prj_default"} & names


def test_projects_are_searched_and_filtered(api: Api) -> None:
    """A list can be of one organisation, of a status, or of a part of a name or description."""
    api.world()
    api.make("POST", "/admin/projects", {"name": "100%", "description": "All Of It"})
    for query, expected in (
        ("search=%25", ["100%"]),
        ("search=all%20of", ["100%"]),
        ("organization_id=org_own", ["own"]),
        ("organization_id=org_own&status=suspended", []),
    ):
        assert [project["name"] for project in api.ask("GET", f"/admin/projects?{query}").json["data"]] == expected


def test_known_version_is_not_sent_again(api: Api) -> None:
    """A GET with the version's tag gets 304 without a body, until the project changes."""
    etag = api.ask("GET", "/admin/projects/prj_default").headers["etag"]
    answer = api.ask("GET", "/admin/projects/prj_default", headers={"if-none-match": etag})
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
    api.make("PATCH", "/admin/projects/prj_default", {"name": "ours"})
    assert api.ask("GET", "/admin/projects/prj_default", headers={"if-none-match": etag}).status == 200


def test_concurrent_edits_of_a_project_lose_nothing(api: Api) -> None:
    """Of edits at the same time, those of different fields are all there; with If-Match, exactly one is."""
    path = "/admin/projects/prj_default"
    changes: list[dict[str, Any]] = [{"name": "n"}, {"description": "d"}, {"metadata": {"a": 1}}]

    async def edit_all(headers: dict[str, str]) -> list[int]:
        return [
            answer.status
            for answer in await asyncio.gather(
                *(api.asked("PATCH", path, body=change, headers=headers) for change in changes)
            )
        ]

    assert api.run(edit_all({})) == [200, 200, 200]
    project = api.ask("GET", path)
    for change in changes:
        assert project.json.items() >= change.items()
    assert sorted(api.run(edit_all({"if-match": project.headers["etag"]}))) == [200, 412, 412]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": " x"},
        {"name": 5},
        {"name": "x", "nmae": "y"},
        {"name": "x", "provider_keys": {"Not A Name": "sk"}},
        {"name": "x", "provider_keys": {"openai": ""}},
        {"name": "x", "provider_keys": {"openai": "line\nbreak"}},
        {"name": "x", "metadata": []},
    ],
)
def test_what_has_not_the_form_is_refused(body: dict[str, Any], api: Api) -> None:
    """A missing, unknown or unusable field is a 422 that repeats no value."""
    answer = api.ask("POST", "/manage/projects", body=body)
    assert (answer.status, "line" in answer.body.decode()) == (422, False)
