"""Managers' keys by way of the management API."""

import pytest

from tests.control.api import Api


def test_secret_is_shown_once(api: Api) -> None:
    """A new key is answered with its secret, which opens; nothing else shows more than its two ends."""
    body = {"name": "ci", "role": "viewer", "expires_at": "2027-01-01T00:00:00Z"}
    answer = api.ask("POST", "/admin/admin-keys", body=body)
    made = answer.json
    secret, path = made["admin_key"], f"/admin/admin-keys/{made['key_id']}"
    assert (answer.status, answer.headers["location"], answer.headers["etag"]) == (201, path, '"1"')
    assert api.ask("GET", "/admin/users", key=secret).status == 200
    assert api.ask("POST", "/admin/users", key=secret, body={"email": "a@example.com"}).status == 403
    shown = api.ask("GET", path).json
    assert shown == {
        "key_id": made["key_id"],
        "admin_key": f"sk-sg-admin-…{secret[-4:]}",
        "name": "ci",
        "role": "viewer",
        "org_id": None,
        "status": "active",
        "expires_at": "2027-01-01T00:00:00Z",
        "created_at": "2026-11-21T12:00:00Z",
        "updated_at": "2026-11-21T12:00:00Z",
        "last_used_at": shown["last_used_at"],
    }
    assert secret.encode() not in api.ask("GET", "/admin/admin-keys").body + api.ask("GET", "/admin/audit").body


def test_changed_and_deleted(api: Api) -> None:
    """Name, status and end can be changed, role and organisation cannot; a deleted key opens nothing."""
    made = api.make("POST", "/admin/admin-keys", {"name": "ci", "role": "viewer"})
    path = f"/admin/admin-keys/{made['key_id']}"
    assert api.ask("PATCH", path, body={"role": "root"}).status == 422
    assert api.ask("PATCH", path, body={"org_id": "org_default"}).status == 422
    assert api.ask("PATCH", path, body={"status": "suspended", "name": "cd"}).json["name"] == "cd"
    assert api.ask("GET", "/admin/users", key=made["admin_key"]).status == 403
    changed = api.ask("PATCH", path, body={"status": "active", "expires_at": "2026-11-21T11:00:00Z"}).json
    assert changed["expires_at"] == "2026-11-21T11:00:00Z"
    assert api.ask("GET", "/admin/users", key=made["admin_key"]).status == 403
    assert api.ask("DELETE", path, headers={"if-match": '"1"'}).status == 412
    assert api.ask("DELETE", path).status == 204
    assert api.ask("GET", "/admin/users", key=made["admin_key"]).status == 401
    assert api.ask("GET", path).status == 404


def test_key_is_renamed(api: Api) -> None:
    """A new name changes nothing else."""
    made = api.make("POST", "/admin/admin-keys", {"name": "ci", "role": "viewer"})
    renamed = api.make("PATCH", f"/admin/admin-keys/{made['key_id']}", {"name": "cd"})
    assert renamed == {**made, "name": "cd", "admin_key": renamed["admin_key"]}
    assert api.ask("GET", "/admin/users", key=made["admin_key"]).status == 200


def test_key_of_an_organization_sees_nothing_else(api: Api) -> None:
    """A key that is made for one organisation manages that one."""
    api.world()
    body = {"name": "x", "role": "organization_admin", "org_id": "org_own"}
    key = api.make("POST", "/admin/admin-keys", body)["admin_key"]
    assert api.ask("PATCH", "/admin/users/usr_own", key=key, body={"name": "x"}).status == 200
    assert api.ask("GET", "/admin/users/usr_foreign", key=key).status == 404
    assert api.ask("POST", "/admin/admin-keys", key=key, body=body).status == 403


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        {"name": "x", "role": "owner"},
        {"name": "x", "role": "organization_admin"},
        {"name": "x", "role": "admin", "org_id": "org_default"},
        {"name": "x", "role": "viewer", "admin_key": "chosen"},
    ],
)
def test_what_is_no_key_is_refused(body: dict[str, object], api: Api) -> None:
    """A key needs a role that there is, and an organisation exactly where the role has one."""
    assert api.ask("POST", "/admin/admin-keys", body=body).status == 422


def test_keys_are_listed(api: Api) -> None:
    """Keys come in pages, of all or of one organisation."""
    api.world()
    found = api.ask("GET", "/admin/admin-keys?org_id=org_foreign").json
    assert ([key["name"] for key in found["data"]], found["next_cursor"]) == (["foreign"], None)
    assert len(api.ask("GET", "/admin/admin-keys?limit=2").json["data"]) == 2
