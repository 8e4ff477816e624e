"""Users' API keys by way of the management API, as system E's clients know them."""

import pytest

from sluicegate.domain.tokens import digest
from tests.control.api import Api


def test_secret_is_shown_once(api: Api) -> None:
    """A new key is answered with its secret; lists show its two ends, and it belongs to the user."""
    api.world()
    body = {"name": "laptop", "expires_in": 3600, "models": ["openai/gpt-4o-mini"], "max_requests": 5}
    answer = api.ask("POST", "/admin/users/usr_own/api-keys", body=body)
    made = answer.json
    secret = made["api_key"]
    assert (answer.status, answer.headers["etag"]) == (201, '"1"')
    assert answer.headers["location"] == f"/admin/users/usr_own/api-keys/{made['key_id']}"
    assert made == {
        "key_id": made["key_id"],
        "user_id": "usr_own",
        "org_id": "org_own",
        "project_id": None,
        "api_key": secret,
        "name": "laptop",
        "status": "active",
        "is_active": True,
        "expires_at": "2026-11-21T13:00:00Z",
        "max_requests": 5,
        "request_count": 0,
        "model": None,
        "models": ["openai/gpt-4o-mini"],
        "tags": [],
        "metadata": {},
        "created_at": "2026-11-21T12:00:00Z",
        "last_used_at": None,
    }
    listed = api.ask("GET", "/admin/users/usr_own/api-keys").json
    (shown,) = [key for key in listed["data"] if key["key_id"] == made["key_id"]]
    assert shown == {**made, "api_key": f"sk-sg-…{secret[-4:]}"}
    assert listed["next_cursor"] is None

    async def stored() -> bool:
        async with api.database.reading() as session:
            return digest(secret.encode()) in await session.tokens.by_digests([digest(secret.encode())])

    assert api.run(stored())


def test_nothing_needs_to_be_said_of_a_key(api: Api) -> None:
    """A request without a body issues one that has no bounds of its own."""
    api.world()
    answer = api.ask("POST", "/admin/users/usr_own/api-keys")
    assert (answer.status, answer.json["name"], answer.json["expires_at"]) == (201, "", None)
    assert api.ask("GET", "/v1/key", key=answer.json["api_key"]).status == 200


def test_revoked_key_stays_revoked(api: Api) -> None:
    """Revoking is told to all workers; the key stays in the list; a second time nothing happens."""
    world = api.world()
    api.announced.clear()
    assert api.ask("DELETE", "/admin/users/usr_own/api-keys/tok_own").status == 204
    assert [digest(world.own["secret"].encode())] in api.announced
    (key,) = api.ask("GET", "/admin/users/usr_own/api-keys").json["data"]
    assert (key["status"], key["is_active"]) == ("revoked", False)
    assert api.ask("DELETE", "/admin/users/usr_own/api-keys/tok_own").status == 204


def test_key_is_its_users(api: Api) -> None:
    """A key is found under its own user only."""
    api.world()
    other = api.make("POST", "/admin/users", {"org_id": "org_own", "email": "b@example.com"})["user_id"]
    answer = api.ask("DELETE", f"/admin/users/{other}/api-keys/tok_own")
    assert (answer.status, answer.json["detail"]) == (404, "There is no API key 'tok_own'.")
    assert api.ask("DELETE", "/admin/users/usr_own/api-keys/tok_own", headers={"if-match": '"9"'}).status == 412


@pytest.mark.parametrize(
    "body",
    [
        {"expires_in": 0},
        {"user_id": "usr_foreign"},
        {"api_key": "chosen"},
        {"project_id": "prj_foreign"},
    ],
)
def test_what_is_no_key_is_refused(body: dict[str, object], api: Api) -> None:
    """No lifetime, an unknown field, and a project of another organisation are refused."""
    api.world()
    assert api.ask("POST", "/admin/users/usr_own/api-keys", body=body).status == 422


def test_keys_are_listed_in_pages(api: Api) -> None:
    """A user's keys come in pages, oldest first, and nobody else's among them."""
    api.world()
    made = [api.make("POST", "/admin/users/usr_own/api-keys", {})["key_id"] for _ in range(2)]
    first = api.ask("GET", "/admin/users/usr_own/api-keys?limit=2").json
    rest = api.ask("GET", f"/admin/users/usr_own/api-keys?limit=2&after={first['next_cursor']}").json
    assert sorted(key["key_id"] for key in first["data"] + rest["data"]) == sorted(["tok_own", *made])
