"""Projects' own keys for providers by way of the management API."""

import pytest

from tests.control.api import Api

ALL = "/admin/projects/prj_own/provider-credentials"
SECRET = "sk-proj-0123456789abcdef"


def test_key_is_written_and_never_shown(api: Api) -> None:
    """No answer, and no audit entry, holds more of a key than its last four characters."""
    api.world()
    answer = api.ask("POST", ALL, body={"provider": "openai", "api_key": SECRET})
    assert (answer.status, answer.headers["etag"]) == (201, '"1"')
    assert answer.json == {
        "credential_id": answer.json["credential_id"],
        "project_id": "prj_own",
        "provider": "openai",
        "last_four": "cdef",
        "created_at": "2026-11-21T12:00:00Z",
        "updated_at": "2026-11-21T12:00:00Z",
    }
    listed = api.ask("GET", ALL)
    assert listed.json == {"data": [answer.json], "next_cursor": None}
    assert SECRET.encode() not in answer.body + listed.body + api.ask("GET", "/admin/audit").body


def test_key_is_replaced_and_deleted(api: Api) -> None:
    """A project has one key for a provider; a change for an old version, or for one that never was, is refused."""
    api.world()
    for expected in ('"1"', "*"):
        answer = api.ask("PUT", f"{ALL}/openai", body={"api_key": SECRET}, headers={"if-match": expected})
        assert answer.status == 412
    assert api.ask("PUT", f"{ALL}/openai", body={"api_key": SECRET}).headers["etag"] == '"1"'
    answer = api.ask("POST", ALL, body={"provider": "openai", "api_key": SECRET})
    assert (answer.status, "PUT …/openai" in answer.json["detail"]) == (409, True)
    answer = api.ask("PUT", f"{ALL}/openai", body={"api_key": SECRET[:-4] + "wxyz"}, headers={"if-match": '"1"'})
    assert (answer.status, answer.json["last_four"], answer.headers["etag"]) == (200, "wxyz", '"2"')
    assert api.ask("PUT", f"{ALL}/openai", body={"api_key": SECRET}, headers={"if-match": '"1"'}).status == 412
    assert api.ask("DELETE", f"{ALL}/openai", headers={"if-match": '"1"'}).status == 412
    assert api.ask("DELETE", f"{ALL}/openai").status == 204
    assert api.ask("DELETE", f"{ALL}/openai").status == 404
    assert api.ask("GET", ALL).json["data"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (ALL, {"provider": "openai", "api_key": ""}),
        (ALL, {"provider": "openai", "api_key": "short"}),
        (ALL, {"provider": "openai", "api_key": "with a space in it"}),
        (ALL, {"provider": "Open AI", "api_key": SECRET}),
        (ALL, {"provider": "openai", "api_key": SECRET, "api_base": "https://evil.example"}),
        (f"{ALL}/Open%20AI", {"api_key": SECRET}),
    ],
)
def test_what_is_no_key_is_refused(path: str, body: dict[str, str], api: Api) -> None:
    """A broken key, a provider that cannot be one, and an unknown field are refused without repeating a key."""
    api.world()
    answer = api.ask("POST" if path == ALL else "PUT", path, body=body)
    assert answer.status == 422
    assert SECRET.encode() not in answer.body
    assert b"with a space" not in answer.body


def test_foreign_projects_do_not_exist(api: Api) -> None:
    """An organisation's admin neither sees nor sets the keys of another organisation's project."""
    key = api.world().keys["organization_admin"]
    foreign = ALL.replace("prj_own", "prj_foreign")
    assert api.ask("GET", foreign, key=key).status == 404
    assert api.ask("POST", foreign, key=key, body={"provider": "openai", "api_key": SECRET}).status == 404
    assert api.ask("PUT", f"{foreign}/openai", key=key, body={"api_key": SECRET}).status == 404
    assert api.ask("DELETE", f"{foreign}/openai", key=key).status == 404
    assert api.ask("POST", ALL, key=key, body={"provider": "openai", "api_key": SECRET}).status == 201
