"""Accounts by way of the management API."""

import base64

import pytest

from tests.control.api import Api

PASSWORD = "correct horse battery staple"


def basic(login: str, password: str) -> dict[str, str]:
    """Headers of somebody who logs in."""
    return {"authorization": "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()}


def made(api: Api, login: str = "ada", role: str = "viewer") -> str:
    """Make one; return its path."""
    body = {"login": login, "password": PASSWORD, "role": role}
    return "/admin/accounts/" + str(api.make("POST", "/admin/accounts", body)["account_id"])


def test_account_logs_in(api: Api) -> None:
    """A new account logs in with its password, with its role, and no answer holds anything of the password."""
    answer = api.ask("POST", "/admin/accounts", body={"login": "ada", "password": PASSWORD, "role": "viewer"})
    account_id = answer.json["account_id"]
    assert (answer.status, answer.headers["location"]) == (201, f"/admin/accounts/{account_id}")
    assert answer.json == {
        "account_id": account_id,
        "login": "ada",
        "role": "viewer",
        "org_id": None,
        "status": "active",
        "created_at": "2026-11-21T12:00:00Z",
        "updated_at": "2026-11-21T12:00:00Z",
    }
    assert api.ask("GET", f"/admin/accounts/{account_id}").json == answer.json
    assert api.ask("GET", "/admin/users", key=None, headers=basic("ada", PASSWORD)).status == 200
    assert api.ask("GET", "/admin/accounts", key=None, headers=basic("ada", PASSWORD)).status == 403
    assert api.ask("GET", "/admin/users", key=None, headers=basic("ada", "wrong")).status == 401
    shown = api.ask("GET", "/admin/audit").body + api.ask("GET", "/admin/accounts").body + answer.body
    assert b"argon2" not in shown
    assert PASSWORD.encode() not in shown


def test_suspended_account_is_shut_out(api: Api) -> None:
    """A suspended account does not get in, a deleted one is not known."""
    path = made(api)
    assert api.ask("PATCH", path, body={"status": "suspended"}).json["status"] == "suspended"
    assert api.ask("GET", "/admin/users", key=None, headers=basic("ada", PASSWORD)).status == 403
    assert api.ask("DELETE", path).status == 204
    assert api.ask("GET", "/admin/users", key=None, headers=basic("ada", PASSWORD)).status == 401
    assert api.ask("GET", path).status == 404


def test_password_is_replaced(api: Api) -> None:
    """A manager sets another password; the old one is of no use from then on."""
    path = made(api)
    assert api.ask("PATCH", path, body={"password": "another long password"}).status == 200
    assert api.ask("GET", "/admin/users", key=None, headers=basic("ada", PASSWORD)).status == 401
    assert api.ask("GET", "/admin/users", key=None, headers=basic("ada", "another long password")).status == 200


def test_own_password_is_changed_with_the_old_one(api: Api) -> None:
    """Whoever is logged in changes their own password, whatever their role, and nobody else's."""
    path, other = made(api), made(api, "eve")
    body = {"old_password": PASSWORD, "password": "another long password"}
    logged_in = basic("ada", PASSWORD)
    assert api.ask("POST", f"{other}/password", key=None, headers=logged_in, body=body).status == 404
    assert api.ask("POST", f"{path}/password", body=body).status == 404
    wrong = {**body, "old_password": "wrong"}
    assert api.ask("POST", f"{path}/password", key=None, headers=logged_in, body=wrong).status == 403
    assert api.ask("POST", f"{path}/password", key=None, headers=logged_in, body=body).status == 204
    assert api.ask("GET", "/admin/users", key=None, headers=logged_in).status == 401
    assert api.ask("GET", "/admin/users", key=None, headers=basic("ada", "another long password")).status == 200
    entry = api.ask("GET", "/admin/audit?limit=1").json["data"][0]
    assert (entry["action"], entry["actor_kind"], entry["after"]["password"]) == (
        "account.update",
        "account",
        "changed",
    )


@pytest.mark.parametrize(
    "body",
    [
        {"login": "ada", "role": "viewer"},
        {"login": "ada", "role": "viewer", "password": "too short"},
        {"login": "ada", "role": "viewer", "password": ""},
        {"login": "a:b", "role": "viewer", "password": PASSWORD},
        {"login": "ada", "role": "organization_admin", "password": PASSWORD},
        {"login": "ada", "role": "viewer", "password": PASSWORD, "password_hash": "$argon2id$"},
    ],
)
def test_what_is_no_account_is_refused(body: dict[str, object], api: Api) -> None:
    """An account needs a login without a colon and a password of twelve characters; no answer repeats them."""
    answer = api.ask("POST", "/admin/accounts", body=body)
    assert answer.status == 422
    assert b"too short" not in answer.body
    assert b"argon2" not in answer.body


def test_accounts_are_listed(api: Api) -> None:
    """Accounts come in pages and are found by part of their login; a login is there once."""
    made(api)
    made(api, "eve")
    listed = api.ask("GET", "/admin/accounts?limit=1").json
    assert [account["login"] for account in listed["data"]] == ["ada"]
    assert api.ask("GET", f"/admin/accounts?after={listed['next_cursor']}").json["data"][0]["login"] == "eve"
    assert [account["login"] for account in api.ask("GET", "/admin/accounts?search=EV").json["data"]] == ["eve"]
    body = {"login": "eve", "password": PASSWORD, "role": "viewer"}
    assert api.ask("POST", "/admin/accounts", body=body).status == 409
