"""Who may use a path of the management API."""

import base64
from typing import Any

import pytest

from sluicegate.domain.tenants import Account
from sluicegate.domain.tokens import digest
from tests.control.api import ROOT, Api
from tests.control.asgi import Answer
from tests.control.conftest import WriteSources

PASSWORD = "correct horse"


def enter(api: Api, headers: dict[str, str]) -> Answer:
    """Ask for something that needs a manager."""
    return api.ask("GET", "/admin/tokens", key=None, headers=headers)


def basic(login: str, password: str) -> dict[str, str]:
    """Credentials as RFC 7617 has them."""
    return {"authorization": "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()}


def add_account(api: Api, **fields: Any) -> Account:
    """Add an account with PASSWORD."""

    async def add() -> Account:
        now = api.clock.now()
        values: dict[str, Any] = {"role": "viewer", **fields}
        account = Account(
            id="acc_1",
            login="ada",
            password_hash=await api.context.passwords.hashed(PASSWORD),
            created_at=now,
            updated_at=now,
            **values,
        )
        async with api.database.writing() as session:
            await session.accounts.add(account)
        return account

    return api.run(add())


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer management-secret"},
        {"authorization": "bearer   management-secret"},
        {"x-admin-secret": "management-secret"},
        {"authorization": "Bearer something-else", "x-admin-secret": "management-secret"},
    ],
)
def test_management_token_opens(headers: dict[str, str], api: Api) -> None:
    """The token is taken as a bearer or from `x-admin-secret`."""
    assert enter(api, headers).status == 200


@pytest.mark.parametrize(
    ("headers", "what"),
    [
        ({}, "is missing"),
        ({"authorization": "Basic management-secret"}, "is missing"),
        ({"authorization": "Basic bm8tY29sb24="}, "is missing"),
        ({"authorization": "management-secret"}, "is missing"),
        ({"authorization": "Bearer "}, "is missing"),
        ({"x-admin-secret": ""}, "is missing"),
        ({"authorization": "Bearer management-secre"}, "is not known"),
        ({"authorization": "Bearer caller-secret"}, "is not known"),
        ({"x-admin-secret": "\xff"}, "is not known"),
        (basic("ada", PASSWORD), "is not known"),
        (basic("ada\0", PASSWORD), "is missing"),
        (basic("", ""), "is not known"),
    ],
)
def test_anything_else_does_not(headers: dict[str, str], what: str, api: Api) -> None:
    """Without it the answer is 401 and says how to send it; a caller's token is no management token."""
    answer = enter(api, headers)
    assert (answer.status, answer.headers["www-authenticate"].partition(",")[0]) == (401, "Bearer")
    assert answer.json["detail"].startswith(f"The credential {what}: send the management token or an admin key")


def test_without_a_token_it_is_closed(api: Api, write: WriteSources) -> None:
    """Where no management token is configured, nobody gets in, and the answer says what to set."""
    write("")
    api.run(api.context.configuration.reload(cause="test"))
    answer = enter(api, {"authorization": "Bearer management-secret"})
    assert answer.status == 403
    assert "set management_token in the file" in answer.json["detail"]


def test_admin_key_opens_without_a_management_token(api: Api, write: WriteSources) -> None:
    """Admin keys stay good when the management token is taken out of the configuration."""
    key = api.add_key("viewer")
    write("")
    api.run(api.context.configuration.reload(cause="test"))
    assert enter(api, {"authorization": f"Bearer {key}"}).status == 200


@pytest.mark.parametrize("header", ["authorization", "x-admin-secret"])
def test_admin_key_has_its_role(header: str, api: Api) -> None:
    """A key opens what its role may, and gets 403 with both roles named for the rest."""
    key = api.add_key("viewer")
    headers = {header: f"Bearer {key}" if header == "authorization" else key}
    assert enter(api, headers).status == 200
    answer = api.ask("POST", "/admin/projects", key=None, headers=headers, body={"name": "x"})
    assert answer.status == 403
    assert (
        answer.json["detail"] == "This asks for the role 'organization_admin'; this credential has the role 'viewer'."
    )


def test_use_of_an_admin_key_is_noted(api: Api) -> None:
    """Each request with a key is a use of it, that is written when it is time to; one that is refused is none."""
    used, refused = api.add_key("viewer"), api.add_key("viewer", status="suspended")
    for key in (used, used, refused):
        enter(api, {"authorization": f"Bearer {key}"})
    api.run(api.context.key_uses.store(api.database))
    keys = api.ask("GET", "/admin/admin-keys").json["data"]
    assert [key["last_used_at"] for key in keys] == ["2026-11-21T12:00:00Z", None]


def test_configured_administrator_logs_in(api: Api, write: WriteSources) -> None:
    """User and password of the configuration let in, with the role admin, and nothing that is nearly them does."""
    add_account(api)
    write(f"admin: {{user: ada, password: {PASSWORD} of the configuration}}")
    api.run(api.context.configuration.reload(cause="test"))
    right = f"{PASSWORD} of the configuration"
    made = api.ask("POST", "/admin/projects", key=None, headers=basic("ada", right), body={"name": "x"})
    assert made.status == 201
    [entry] = api.ask("GET", "/admin/audit?action=project.create", key=None, headers=basic("ada", right)).json["data"]
    assert (entry["actor_kind"], entry["actor"]) == ("account", "admin")
    assert api.ask("GET", "/admin/accounts", key=None, headers=basic("ada", right)).status == 403
    for login, password in (("ada", right[:-1]), ("ad", right), ("", right), ("ada", ""), ("ada:", right)):
        assert enter(api, basic(login, password)).status == 401
    assert enter(api, basic("ada", PASSWORD)).status == 200
    assert api.ask("GET", "/docs", key=None).status == 200


@pytest.mark.parametrize("status", ["suspended", "revoked"])
def test_inactive_admin_key_is_refused(status: str, api: Api) -> None:
    """A suspended or revoked key is known, and refused."""
    answer = enter(api, {"authorization": f"Bearer {api.add_key('admin', status=status)}"})
    assert (answer.status, answer.json["detail"]) == (403, f"This admin key is {status}.")


def test_admin_key_expires(api: Api) -> None:
    """A key is good until the millisecond in which it expires."""
    key = api.add_key("admin", expires_at=api.clock.now() + 1000)
    assert enter(api, {"authorization": f"Bearer {key}"}).status == 200
    api.clock.seconds += 1
    answer = enter(api, {"authorization": f"Bearer {key}"})
    assert (answer.status, answer.json["detail"]) == (403, "This admin key has expired.")


def test_account_logs_in_with_its_password(api: Api) -> None:
    """Login and password open what the account's role may; another password, or an empty one, does not."""
    add_account(api)
    assert enter(api, basic("ada", PASSWORD)).status == 200
    assert enter(api, basic("ada", "incorrect horse")).status == 401
    assert enter(api, basic("ada", "")).status == 401
    assert api.ask("POST", "/admin/projects", key=None, headers=basic("ada", PASSWORD), body={}).status == 403


def test_suspended_account_is_refused(api: Api) -> None:
    """A suspended account learns that it is only with the right password."""
    add_account(api, status="suspended")
    assert enter(api, basic("ada", PASSWORD)).status == 403
    assert enter(api, basic("ada", "incorrect horse")).status == 401


def test_stored_digest_is_no_credential(api: Api) -> None:
    """Who reads the database cannot use what is there: digests of keys, tokens and the management token are refused."""
    world = api.world()
    key = api.add_key("admin")
    for secret in (ROOT, key, world.own["secret"]):
        for form in (digest(secret.encode()).hex(), digest(secret.encode()).decode("latin-1").strip()):
            assert enter(api, {"authorization": f"Bearer {form}"}).status == 401
            assert api.ask("GET", "/v1/key", key=form).status == 401


@pytest.mark.parametrize(
    "value", ["' OR '1'='1", "x' OR 1=1 --", '"; DROP TABLE tokens; --', "x') UNION SELECT * FROM admin_keys --"]
)
def test_sql_in_a_bearer_value_is_only_a_value(value: str, api: Api) -> None:
    """A credential never becomes part of a statement: it is unknown, and everything is still there."""
    world = api.world()
    for path in ("/admin/tokens", "/v1/key"):
        assert api.ask("GET", path, key=value).status == 401
        assert api.ask("GET", path, key=None, headers=basic(value, value)).status == 401
    assert api.ask("GET", "/v1/key", key=world.own["secret"]).status == 200
    assert api.ask("GET", "/admin/tokens", key=world.keys["viewer"]).status == 200
