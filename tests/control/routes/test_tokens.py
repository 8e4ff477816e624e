"""Tokens by way of the management API."""

import asyncio
from typing import Any

import pytest

from sluicegate.domain.issuing import has_valid_checksum
from sluicegate.domain.tenants import DEFAULT_PROJECT, Token
from sluicegate.domain.tokens import digest
from tests.control.api import Api


def issue(api: Api, **fields: Any) -> Any:
    """Issue a token."""
    return api.make("POST", "/admin/tokens", fields)


def status_of(api: Api, secret: str) -> int:
    """What its caller gets when asking for it."""
    return api.ask("GET", "/v1/key", key=secret).status


def test_token_of_a_project_as_system_d_asks_for_it(api: Api) -> None:
    """The answer has the secret and when it expires; both are true, and the secret is never shown again."""
    project = api.make("POST", "/manage/projects", {"name": "search"})["project_id"]
    body = {"project_id": project, "duration_minutes": 60, "max_requests": 5}
    answer = api.ask("POST", "/manage/tokens", body=body)
    issued = answer.json
    assert (answer.status, issued["expires_at"]) == (201, "2026-11-21T13:00:00Z")
    assert answer.headers["location"] == f"/manage/tokens/{issued['token_id']}"
    assert answer.headers["cache-control"] == "no-store"
    assert has_valid_checksum(issued["token"])
    assert status_of(api, issued["token"]) == 200
    [listed] = api.ask("GET", f"/manage/tokens?project_id={project}").json
    expected = {"token_id": issued["token_id"], "project_id": project, "is_active": True, "request_count": 0}
    assert listed.items() >= expected.items()
    assert (listed["max_requests"], listed["token"]) == (5, f"sk-sg-…{issued['token'][-4:]}")
    shown = api.ask("GET", f"/manage/tokens/{issued['token_id']}")
    assert shown.json == listed
    everything = api.run(everything_stored(api))
    assert issued["token"] not in everything


async def everything_stored(api: Api) -> str:
    """All that can be read of tokens and of the audit log."""
    async with api.database.reading() as session:
        return repr([await session.tokens.list(), await session.audit.list(limit=100)])


def test_header_fields_of_a_token_of_a_project(api: Api) -> None:
    """System D's clients may bind a token to header fields as they issue it; names have no case, and count once."""
    body = {"project_id": DEFAULT_PROJECT, "duration_minutes": 1}
    assert api.make("POST", "/manage/tokens", body)["request_headers"] == []
    bound = api.make("POST", "/manage/tokens", {**body, "request_headers": ["OpenAI-Beta", "openai-beta", "X-A"]})
    assert bound["request_headers"] == ["openai-beta", "x-a"]
    assert api.ask("POST", "/manage/tokens", body={**body, "request_headers": ["a b"]}).status == 422


def test_key_as_system_c_asks_for_it(api: Api) -> None:
    """The answer has just the fields of that system, and the key works for as long as was asked for."""
    made = api.make("POST", "/admin/create-key", {"name": "laptop", "tier": "pro", "expires_in": 60})
    secret = made.pop("api_key")
    assert made == {
        "name": "laptop",
        "tier": "pro",
        "created_at": "2026-11-21T12:00:00Z",
        "expires_at": "2026-11-21T12:01:00Z",
    }
    assert status_of(api, secret) == 200
    api.clock.seconds += 60
    assert status_of(api, secret) == 403
    sparse = api.make("POST", "/admin/create-key", {"name": "phone", "tier": None, "expires_in": None})
    assert (sparse["tier"], sparse["expires_at"]) == ("", None)


def test_every_field_is_kept(api: Api) -> None:
    """What is written of a token is what is read of it, and changes one field at a time."""
    fields = {
        "name": "batch",
        "tier": "gold",
        "expires_at": "2027-01-01T02:00:00+02:00",
        "idle_seconds": 3600,
        "max_requests": 10,
        "model": "openai/gpt-4.1",
        "models": ["openai/gpt-4.1", "smart"],
        "paths": ["/v1/chat/*"],
        "request_headers": ["X-Trace", "x-trace"],
        "tags": ["night", "night"],
        "metadata": {"owner": {"team": 7}},
    }
    issued = issue(api, **fields)
    expected = fields | {"expires_at": "2027-01-01T00:00:00Z", "request_headers": ["x-trace"], "tags": ["night"]}
    assert issued.items() >= expected.items()
    assert issued["project_id"] == DEFAULT_PROJECT
    path = f"/admin/tokens/{issued['token_id']}"
    changes: dict[str, Any] = {"name": "other", "max_requests": None, "models": [], "expires_at": None}
    for name, value in changes.items():
        expected[name] = value
        changed = api.make("PATCH", path, {name: value})
        assert changed.items() >= expected.items()
    assert api.ask("GET", path).json == changed


def test_token_of_a_user_alone_has_no_project(api: Api) -> None:
    """A user's token is of the user's organisation; with a project of another one it is refused."""
    world = api.world()
    issued = issue(api, user_id=world.own["user_id"])
    assert (issued["project_id"], issued["organization_id"]) == (None, "org_own")
    both = issue(api, user_id=world.own["user_id"], project_id=world.own["project_id"])
    assert (both["project_id"], both["user_id"]) == ("prj_own", "usr_own")
    answer = api.ask("POST", "/admin/tokens", body={"user_id": "usr_own", "project_id": "prj_foreign"})
    assert (answer.status, "different organizations" in answer.json["detail"]) == (422, True)


def test_bounded_manager_must_say_for_whom(api: Api) -> None:
    """Who manages another organisation than the default one cannot issue for the default project."""
    world = api.world()
    answer = api.ask("POST", "/admin/create-key", body={"name": "x"}, key=world.keys["organization_admin"])
    assert (answer.status, "which project or user" in answer.json["detail"]) == (422, True)


def test_suspended_token_can_be_resumed(api: Api) -> None:
    """A suspended token is refused until it is resumed; workers are told each time, and only if something changed."""
    issued = issue(api)
    path = f"/admin/tokens/{issued['token_id']}"
    api.announced.clear()
    assert api.ask("POST", f"{path}/suspend").json["status"] == "suspended"
    assert (status_of(api, issued["token"]), api.ask("GET", path).json["is_active"]) == (403, False)
    assert api.ask("POST", f"{path}/suspend").status == 200
    assert api.ask("POST", f"{path}/resume").json["status"] == "active"
    assert status_of(api, issued["token"]) == 200
    assert api.announced == [[digest(issued["token"].encode())]] * 2


@pytest.mark.parametrize("form", ["id", "body", "admin"])
def test_revoked_token_stays_revoked(form: str, api: Api) -> None:
    """A token can be revoked by id or by itself, as often as one likes; nothing brings it back."""
    issued = issue(api)
    path = f"/admin/tokens/{issued['token_id']}"
    for _ in range(2):
        if form == "body":
            assert api.ask("DELETE", "/manage/tokens", body={"token": issued["token"]}).status == 204
        else:
            assert api.ask("DELETE", path if form == "admin" else path.replace("admin", "manage")).status == 204
    assert status_of(api, issued["token"]) == 403
    for method, target, body in (
        ("POST", f"{path}/resume", None),
        ("POST", f"{path}/suspend", None),
        ("POST", f"{path}/rotate", {}),
        ("PATCH", path, {"status": "active"}),
    ):
        assert api.ask(method, target, body=body).status == 409
    assert api.ask("GET", path).json["status"] == "revoked"


def test_unknown_secret_cannot_be_revoked(api: Api) -> None:
    """Revoking what is no token is a 404 that does not repeat it."""
    answer = api.ask("DELETE", "/manage/tokens", body={"token": "sk-sg-nothing"})
    assert (answer.status, answer.json["detail"]) == (404, "There is no such token.")


def test_foreign_secret_cannot_be_revoked(api: Api) -> None:
    """Who knows a token of another organisation is told no more than who does not, and it goes on working."""
    world = api.world()
    answer = api.ask(
        "DELETE", "/manage/tokens", body={"token": world.foreign["secret"]}, key=world.keys["organization_admin"]
    )
    assert answer.status == 404
    assert status_of(api, world.foreign["secret"]) == 200


def test_rotated_token_works_for_its_overlap(api: Api) -> None:
    """The successor has the same fields; the old one works until the overlap ends, and is not rotated twice."""
    issued = issue(api, name="batch", models=["smart"], max_requests=3)
    path = f"/admin/tokens/{issued['token_id']}"
    answer = api.ask("POST", f"{path}/rotate", body={"overlap_seconds": 60})
    new = answer.json
    assert answer.status == 201
    assert (new["name"], new["models"], new["max_requests"]) == ("batch", ["smart"], 3)
    old = api.ask("GET", path).json
    assert (old["replaced_by"], old["retires_at"]) == (new["token_id"], "2026-11-21T12:01:00Z")
    assert api.ask("POST", f"{path}/rotate", body={}).status == 409
    api.clock.seconds += 59
    assert (status_of(api, issued["token"]), status_of(api, new["token"])) == (200, 200)
    api.clock.seconds += 1
    assert (status_of(api, issued["token"]), status_of(api, new["token"])) == (403, 200)


def test_rotation_without_a_body(api: Api) -> None:
    """The old one works no longer, as with a body that says nothing."""
    issued = issue(api)
    new = api.make("POST", f"/admin/tokens/{issued['token_id']}/rotate", None)
    assert (status_of(api, issued["token"]), status_of(api, new["token"])) == (403, 200)


def test_requests_of_before_a_bound_count_for_it(api: Api) -> None:
    """A bound that is set later leaves what is left of it; one that is changed counts from where it counted."""
    issued = issue(api)
    path = f"/admin/tokens/{issued['token_id']}"

    async def use() -> None:
        async with api.database.writing() as session:
            await session.tokens.touch([(issued["token_id"], 1, 7)])

    def left() -> list[int]:
        usage = api.ask("GET", "/v1/key/usage", key=issued["token"]).json["data"]
        return [one["maximum"] for one in usage if one["metric"] == "requests"]

    api.run(use())
    assert left() == []
    api.make("PATCH", path, {"max_requests": 10})
    assert left() == [3]
    api.run(use())
    api.make("PATCH", path, {"max_requests": 20})
    assert left() == [13]
    successor = api.make("POST", f"{path}/rotate", {"overlap_seconds": 60})
    usage = api.ask("GET", "/v1/key/usage", key=successor["token"]).json["data"]
    assert [(one["scope_id"], one["maximum"]) for one in usage] == [(issued["token_id"], 13)]


def test_rotation_without_overlap_revokes(api: Api) -> None:
    """Without an overlap, the old token stops at once and for good."""
    issued = issue(api)
    new = api.make("POST", f"/admin/tokens/{issued['token_id']}/rotate", {})
    assert (status_of(api, issued["token"]), status_of(api, new["token"])) == (403, 200)
    assert api.ask("GET", f"/admin/tokens/{issued['token_id']}").json["status"] == "revoked"


@pytest.mark.parametrize("owner", ["project_id", "user_id", "organization_id"])
def test_all_tokens_of_an_owner_are_revoked(owner: str, api: Api) -> None:
    """A bulk revocation takes the tokens of one project, user or organisation, and no other."""
    world = api.world()
    answer = api.ask("POST", "/admin/tokens/revoke", body={owner: world.own[owner]})
    assert answer.json == {"revoked": 1}
    assert (status_of(api, world.own["secret"]), status_of(api, world.foreign["secret"])) == (403, 200)
    assert api.announced[-1] == [digest(world.own["secret"].encode())]
    for body in ({}, {"project_id": "prj_own", "user_id": "usr_own"}):
        assert api.ask("POST", "/admin/tokens/revoke", body=body).status == 422
    key = world.keys["organization_admin"]
    assert api.ask("POST", "/admin/tokens/revoke", body={owner: world.foreign[owner]}, key=key).status == 404


def test_tokens_of_a_project_are_revoked_by_its_path(api: Api) -> None:
    """The project's own path revokes all its tokens."""
    world = api.world()
    assert api.ask("POST", "/manage/projects/prj_own/tokens/revoke").json == {"revoked": 1}
    assert status_of(api, world.own["secret"]) == 403


def test_two_tokens_with_the_same_first_20_characters_are_two(api: Api) -> None:
    """A token is looked up by all of it: neither its beginning nor another one's rest opens anything."""
    world = api.world()
    beginning = "sk-sg-" + "a" * 20

    async def add(identifier: str, secret: str, status: Any) -> None:
        times: dict[str, Any] = {"created_at": api.clock.now(), "updated_at": api.clock.now()}
        token = Token(
            id=identifier,
            digest=digest(secret.encode()),
            prefix="sk-sg-",
            last_four=secret[-4:],
            organization_id="org_own",
            project_id=world.own["project_id"],
            status=status,
            **times,
        )
        async with api.database.writing() as session:
            await session.tokens.add(token)

    api.run(add("tok_1", beginning + "1111", "active"))
    api.run(add("tok_2", beginning + "2222", "revoked"))
    assert status_of(api, beginning + "1111") == 200
    assert status_of(api, beginning + "2222") == 403
    assert status_of(api, beginning) == 401
    assert api.ask("GET", "/v1/key", key=beginning + "1111").json["token_id"] == "tok_1"


def test_lists_are_paged(api: Api) -> None:
    """Following the cursor gives every token once, oldest first, in both forms of the list."""
    made = [issue(api, name=f"token {number}")["token_id"] for number in range(5)]
    seen: list[str] = []
    target = "/admin/tokens?limit=2"
    while target:
        page = api.ask("GET", target).json
        seen += [token["token_id"] for token in page["data"]]
        target = page["next_cursor"] and f"/admin/tokens?limit=2&after={page['next_cursor']}"
    assert seen == made
    first = api.ask("GET", "/manage/tokens?status=active&limit=2")
    assert [token["token_id"] for token in first.json] == made[:2]
    assert first.headers["x-next-cursor"] == made[1]
    assert first.headers["link"] == f'<?status=active&limit=2&after={made[1]}>; rel="next"'
    assert "link" not in api.ask("GET", "/manage/tokens?limit=5").headers


@pytest.mark.parametrize(("text", "expected"), [("%", ["50% off"]), ("_", ["a_b"]), ("A_", ["a_b"]), ("\\", ["c\\d"])])
def test_percent_and_underscore_in_a_search_mean_themselves(text: str, expected: list[str], api: Api) -> None:
    """What is a wildcard in SQL is a character like any other in a search."""
    for name in ("50% off", "a_b", "axb", "c\\d"):
        issue(api, name=name)
    page = api.ask("GET", "/admin/tokens?search=" + "".join(f"%{ord(character):02x}" for character in text)).json
    assert [token["name"] for token in page["data"]] == expected


def test_lists_are_filtered(api: Api) -> None:
    """A list can be of one project, user, organisation or status."""
    world = api.world()
    for query in ("project_id=prj_own", "user_id=usr_own", "organization_id=org_own"):
        assert [token["token_id"] for token in api.ask("GET", f"/admin/tokens?{query}").json["data"]] == ["tok_own"]
    assert api.ask("GET", "/admin/tokens?status=revoked").json["data"] == []
    assert api.ask("GET", "/admin/tokens?organization_id=org_foreign", key=world.keys["viewer"]).status == 404


def test_edit_of_an_older_version_is_refused(api: Api) -> None:
    """With If-Match, the second of two edits of the same version gets 412 and changes nothing."""
    issued = issue(api, name="first")
    path = f"/admin/tokens/{issued['token_id']}"
    etag = api.ask("GET", path).headers["etag"]
    assert api.ask("PATCH", path, body={"name": "second"}, headers={"if-match": etag}).headers["etag"] == '"2"'
    for method, target, body in (
        ("PATCH", path, {"name": "third"}),
        ("DELETE", path, None),
        ("POST", f"{path}/suspend", None),
        ("POST", f"{path}/rotate", {}),
    ):
        assert api.ask(method, target, body=body, headers={"if-match": etag}).status == 412
    assert api.ask("GET", path).json["name"] == "second"
    assert api.ask("DELETE", path, headers={"if-match": '"2"'}).status == 204


def test_concurrent_edits_of_a_token_lose_nothing(api: Api) -> None:
    """Edits of different fields at the same time are all there afterwards."""
    path = f"/admin/tokens/{issue(api)['token_id']}"
    changes: list[dict[str, Any]] = [
        {"name": "n"},
        {"tier": "t"},
        {"max_requests": 9},
        {"tags": ["x"]},
        {"paths": ["/a"]},
    ]

    async def edit_all() -> list[int]:
        answers = await asyncio.gather(*(api.asked("PATCH", path, body=change) for change in changes))
        return [answer.status for answer in answers]

    assert api.run(edit_all()) == [200] * len(changes)
    token = api.ask("GET", path)
    assert token.headers["etag"] == f'"{len(changes) + 1}"'
    for change in changes:
        assert token.json.items() >= change.items()


@pytest.mark.parametrize(
    "body",
    [
        {"expires_at": "2030-01-01"},
        {"expires_at": "2030-01-01T00:00:00"},
        {"expires_at": 5},
        {"expires_at": "0001-01-01T00:00:00+23:00"},
        {"max_requests": 1.5},
        {"max_requests": "5"},
        {"max_requests": True},
        {"max_requests": 0},
        {"name": "a\u0000b"},
        {"name": "\ud800"},
        {"metadata": {"a": "\u0000"}},
        {"metadata": {"a": ["\ud800"]}},
        {"metadata": {"a": 2**63}},
        {"metadata": {"a": float("nan")}},
        {"metadata": {"a": "x" * 16_384}},
        {"metadata": {"a": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}},
        {"request_headers": ["not a name"]},
        {"models": "smart"},
        {"id": "tok_mine"},
    ],
)
def test_what_has_not_the_form_is_refused(body: dict[str, Any], api: Api) -> None:
    """A field that is unknown, of another kind, or holds what cannot be kept, is named in a 422."""
    answer = api.ask("POST", "/admin/tokens", body=body)
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json["errors"]


def test_changes_are_in_the_audit_log_without_secrets(api: Api) -> None:
    """Each change tells who did what to which token, from where, and how it was before and after."""
    issued = issue(api, name="one")
    api.ask("PATCH", f"/admin/tokens/{issued['token_id']}", body={"name": "two"})

    async def entries() -> list[Any]:
        async with api.database.reading() as session:
            return list(await session.audit.list(limit=10))

    changed, created = api.run(entries())
    assert (created.action, created.before) == ("token.create", None)
    assert (changed.action, changed.actor, changed.actor_kind) == ("token.update", "root", "root")
    assert (changed.target_kind, changed.target_id) == ("token", issued["token_id"])
    assert (changed.address, changed.request_id) == ("192.0.2.7", "req_test")
    assert (changed.before["name"], changed.after["name"]) == ("one", "two")
