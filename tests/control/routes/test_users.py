"""Users by way of the management API, as system E's clients know them."""

from typing import Any

import pytest

from sluicegate.domain.tokens import digest
from tests.control.api import Api


def test_user_has_the_fields_clients_know(api: Api) -> None:
    """A new user is answered with all fields; the address is kept in lower case."""
    api.world()
    body = {"org_id": "org_own", "email": "Ada@Example.com", "monthly_limit_usd": 12.5}
    answer = api.ask("POST", "/admin/users", body=body)
    user_id = answer.json["user_id"]
    assert (answer.status, answer.headers["location"], answer.headers["etag"]) == (
        201,
        f"/admin/users/{user_id}",
        '"1"',
    )
    assert user_id.startswith("usr_")
    assert answer.json == {
        "user_id": user_id,
        "org_id": "org_own",
        "email": "ada@example.com",
        "name": "",
        "monthly_limit_usd": 12.5,
        "status": "active",
        "metadata": {},
        "created_at": "2026-11-21T12:00:00Z",
        "updated_at": "2026-11-21T12:00:00Z",
    }
    assert api.ask("GET", f"/admin/users/{user_id}").json == answer.json
    assert api.ask("POST", "/admin/users", body=body).status == 409


def test_patch_changes_what_it_names(api: Api) -> None:
    """What is not named stays; null takes the limit away; a change for an old version is refused."""
    api.world()
    changed = api.make("PATCH", "/admin/users/usr_own", {"monthly_limit_usd": "0.000000001", "name": "Ada"})
    assert (changed["monthly_limit_usd"], changed["name"], changed["email"]) == (1e-9, "Ada", "own@example.com")
    answer = api.ask("PATCH", "/admin/users/usr_own", body={"monthly_limit_usd": None}, headers={"if-match": '"2"'})
    assert (answer.json["monthly_limit_usd"], answer.headers["etag"]) == (None, '"3"')
    assert api.ask("DELETE", "/admin/users/usr_own", headers={"if-match": '"2"'}).status == 412
    assert api.ask("DELETE", "/admin/users/usr_own", headers={"if-match": '"3"'}).status == 204
    assert api.ask("GET", "/admin/users/usr_own").status == 404


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "email"),
        ({"email": "nobody"}, "email"),
        ({"email": "a b@example.com"}, "email"),
        ({"email": "a@example.com\n"}, "email"),
        ({"email": "x" * 250 + "@example.com"}, "email"),
        ({"email": "İ" * 200 + "@example.com"}, "email"),
        ({"email": "a@example.com", "status": "deleted"}, "status"),
        ({"email": "a@example.com", "monthly_limit_usd": True}, "monthly_limit_usd"),
        ({"email": "a@example.com", "user_id": "usr_mine"}, "user_id"),
        ({"email": "a@example.com", "role": "admin"}, "role"),
    ],
)
def test_what_is_no_user_is_refused(body: dict[str, object], path: str, api: Api) -> None:
    """Each fault is told with its field; unknown fields are faults."""
    answer = api.ask("POST", "/admin/users", body=body)
    assert (answer.status, [error["path"] for error in answer.json["errors"]]) == (422, [f"body.{path}"])


def test_organization_of_a_user_cannot_be_changed(api: Api) -> None:
    """A user is not moved into another organisation."""
    api.world()
    assert api.ask("PATCH", "/admin/users/usr_own", body={"org_id": "org_foreign"}).status == 422


def test_lists_are_paged_filtered_and_bounded(api: Api) -> None:
    """Users are listed in pages, of all or of one organisation; `%` is only a character."""
    world = api.world()

    def ids(path: str, key: str = world.keys["root"]) -> list[str]:
        return [user["user_id"] for user in api.ask("GET", path, key=key).json["data"]]

    page = api.ask("GET", "/admin/users?limit=1").json
    assert [user["user_id"] for user in page["data"]] == ["usr_foreign"]
    assert ids(f"/admin/users?limit=1&after={page['next_cursor']}") == ["usr_own"]
    assert ids("/admin/users", world.keys["viewer"]) == ["usr_own"]
    assert ids("/admin/users?org_id=org_foreign&status=active") == ["usr_foreign"]
    assert ids("/admin/users?email=OWN%40example.com") == ["usr_own"]
    assert ids("/admin/users?search=%25") == []
    assert ids("/admin/organizations/org_own/users") == ["usr_own"]
    assert api.ask("GET", "/admin/organizations/org_foreign/users", key=world.keys["viewer"]).status == 404
    assert api.ask("GET", "/admin/organizations/org_unknown/users").status == 404


def test_workers_are_told_of_a_new_limit(api: Api) -> None:
    """The user's tokens are looked up anew; a new name changes nothing for them."""
    secret = api.world().own["secret"]
    api.make("PATCH", "/admin/users/usr_own", {"name": "Ann"})
    assert api.announced == []
    api.make("PATCH", "/admin/users/usr_own", {"monthly_limit_usd": 10})
    assert api.announced == [[digest(secret.encode())]]


def test_usage_says_what_is_known(api: Api) -> None:
    """Requests are counted, and spending where a limit bounds it; both begin anew after a reset."""
    api.world()
    api.make("PATCH", "/admin/users/usr_own", {"monthly_limit_usd": 10})

    async def use() -> None:
        async with api.database.writing() as session:
            await session.tokens.touch([("tok_own", 1_795_262_400_000, 3)])

    api.run(use())
    api.ledger.used["usr_own|usd|month"] = 2_500_000_000
    expected = {
        "user_id": "usr_own",
        "org_id": "org_own",
        "usage_usd": 2.5,
        "limit_usd": 10.0,
        "remaining_usd": 7.5,
        "request_count": 3,
        "api_key_count": 1,
        "last_used_at": "2026-11-21T12:00:00Z",
        "by_day": [],
        "by_model": [],
    }
    assert api.ask("GET", "/admin/users/usr_own/usage").json == expected
    answer = api.ask("POST", "/admin/users/usr_own/reset-quota")
    assert (answer.status, answer.json) == (
        200,
        {**expected, "usage_usd": 0.0, "remaining_usd": 10.0, "request_count": 0},
    )
    assert api.ask("GET", "/admin/users/usr_own/usage").json["request_count"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/usage"),
        ("POST", "/reset-quota"),
        ("GET", "/api-keys"),
        ("POST", "/api-keys"),
        ("DELETE", "/api-keys/tok_foreign"),
    ],
)
def test_foreign_users_do_not_exist(method: str, path: str, api: Api) -> None:
    """An organisation's admin gets the same answer for a foreign user as for none, and changes nothing."""
    key = api.world().keys["organization_admin"]
    body: dict[str, Any] | None = {} if method in {"PATCH", "POST"} and not path.endswith("quota") else None
    answers = [
        api.ask(method, f"/admin/users/{user_id}{path}", key=key, body=body) for user_id in ("usr_foreign", "usr_none")
    ]
    assert [answer.status for answer in answers] == [404, 404]
    first, second = (answer.json["detail"].replace("usr_none", "usr_foreign") for answer in answers)
    assert first == second
    assert api.ask("GET", "/admin/users/usr_foreign").json["name"] == ""
    assert api.ask("GET", "/admin/tokens/tok_foreign").json["status"] == "active"
