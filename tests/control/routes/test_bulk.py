"""Many users at once by way of the management API."""

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Message

from sluicegate.control.routes import bulk
from tests.control.api import ROOT, Api
from tests.control.asgi import Answer

CSV = {"content-type": "text/csv; charset=utf-8"}
LINES = {"content-type": "application/x-ndjson"}


def lines(answer: Answer) -> list[dict[str, Any]]:
    """The lines of an answer."""
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.body.splitlines()]


def emails(api: Api) -> list[str]:
    """Everybody's address."""
    return sorted(user["email"] for user in lines(api.ask("GET", "/admin/users/export")))


def test_all_or_nothing(api: Api) -> None:
    """All rows become users in the organisation that is named, or its maker's own."""
    key = api.world().keys["organization_admin"]
    body = b'{"email": "A@example.com", "monthly_limit_usd": 5}\n{"email": "b@example.com", "org_id": "org_own"}\n'
    answer = api.ask("POST", "/admin/users/import", key=key, body=body, headers=LINES)
    assert (answer.status, answer.json) == (200, {"created": 2, "refused": 0})
    data = api.ask("GET", "/admin/users?email=a@example.com").json["data"]
    assert [(user["org_id"], user["monthly_limit_usd"]) for user in data] == [("org_own", 5.0)]
    answer = api.ask("POST", "/admin/users/import?org_id=org_foreign", body=b"email\nc@example.com\n", headers=CSV)
    assert answer.json == {"created": 1, "refused": 0}
    assert api.ask("GET", "/admin/users?email=c@example.com").json["data"][0]["org_id"] == "org_foreign"


def test_nothing_is_imported_where_anything_is_wrong(api: Api) -> None:
    """One bad row and nothing has happened; every fault is told with its line."""
    api.world()
    before = emails(api)
    body = b"email,status\na@example.com,active\nnobody,active\nb@example.com,gone\n"
    answer = api.ask("POST", "/admin/users/import", body=body, headers=CSV)
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [(error["line"], error["path"]) for error in answer.json["errors"]] == [(3, "email"), (4, "status")]
    assert emails(api) == before


def test_each_row_for_itself(api: Api) -> None:
    """Rows that can be become users, each of the others is told with what is wrong, in the order of the file."""
    api.world()
    body = "\n".join(
        [
            "\ufeffemail,org_id,name",
            "a@example.com,org_own,'=1+1",
            "own@example.com,org_own,",
            "nobody,org_own,",
            "b@example.com,org_unknown,",
            "a@example.com,org_own,",
        ]
    )
    answer = api.ask("POST", "/admin/users/import?mode=rows", body=body.encode(), headers=CSV)
    *report, last = lines(answer)
    assert (answer.status, last) == (200, {"created": 1, "refused": 4})
    assert [(row["line"], row["status"]) for row in report] == [
        (2, "created"),
        (3, "refused"),
        (4, "refused"),
        (5, "refused"),
        (6, "refused"),
    ]
    assert [row["errors"][0]["path"] for row in report[1:]] == ["email", "email", "org_id", "email"]
    assert api.ask("GET", f"/admin/users/{report[0]['user_id']}").json["name"] == "=1+1"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_export_is_imported_elsewhere(form: str, api: Api) -> None:
    """What is exported of one organisation is imported into another, and is the same there but for ids."""
    api.world()
    users: list[dict[str, Any]] = [
        {"email": "a@example.com", "name": "=cmd|'/c calc'!A0", "monthly_limit_usd": "0.000000001"},
        {"email": "+b@example.com", "name": "'-1", "metadata": {"a": ["=", 1.5, None]}},
        {"email": "c@example.com", "name": 'Ada, "Countess"; 🧮', "status": "suspended"},
    ]
    for user in users:
        api.make("POST", "/admin/users", {"org_id": "org_own", **user})
    exported = api.ask("GET", f"/admin/users/export?format={form}&org_id=org_own")
    assert exported.headers["content-disposition"] == f'attachment; filename="users.{form}"'
    moved = exported.body.replace(b"org_own", b"org_foreign")
    answer = api.ask("POST", f"/admin/users/import?format={form}", body=moved)
    assert answer.json == {"created": 4, "refused": 0}

    def kept(org_id: str) -> list[dict[str, Any]]:
        ours = {"user_id", "org_id", "created_at", "updated_at"}
        users = lines(api.ask("GET", f"/admin/users/export?org_id={org_id}"))
        return [{name: value for name, value in user.items() if name not in ours} for user in users]

    assert kept("org_own") == [user for user in kept("org_foreign") if user["email"] != "foreign@example.com"]


def test_export_is_what_its_asker_may_see(api: Api) -> None:
    """Whoever is bounded exports their own organisation; a foreign one is not there."""
    world = api.world()
    for key in (world.keys["viewer"], world.keys["organization_admin"]):
        exported = lines(api.ask("GET", "/admin/users/export", key=key))
        assert [user["user_id"] for user in exported] == ["usr_own"]
        assert api.ask("GET", "/admin/users/export?org_id=org_foreign", key=key).status == 404
    assert len(lines(api.ask("GET", "/admin/users/export"))) == 2
    csv = api.ask("GET", "/admin/users/export?format=csv")
    assert (csv.headers["content-type"], len(csv.body.splitlines())) == ("text/csv; charset=utf-8", 3)


def test_import_stays_in_its_askers_organization(api: Api) -> None:
    """An organisation's admin imports nobody elsewhere, neither by row nor by parameter; a viewer nobody at all."""
    world = api.world()
    key, before = world.keys["organization_admin"], emails(api)
    foreign = b'{"email": "a@example.com", "org_id": "org_foreign"}'
    answer = api.ask("POST", "/admin/users/import", key=key, body=foreign, headers=LINES)
    assert (answer.status, answer.json["errors"][0]["message"]) == (422, "There is no organization 'org_foreign'.")
    *_, last = lines(api.ask("POST", "/admin/users/import?mode=rows", key=key, body=foreign, headers=LINES))
    assert last == {"created": 0, "refused": 1}
    own = b'{"email": "a@example.com"}'
    path = "/admin/users/import?org_id=org_foreign"
    assert api.ask("POST", path, key=key, body=own, headers=LINES).status == 422
    assert api.ask("POST", "/admin/users/import", key=world.keys["viewer"], body=own, headers=LINES).status == 403
    assert emails(api) == before


@pytest.mark.parametrize("query", ["org_id=", "org_id=%00", "mode=some", "format=xml"])
def test_parameters_must_make_sense(query: str, api: Api) -> None:
    """A parameter that says nothing is refused, rather than taken for one that is not there."""
    answer = api.ask("POST", f"/admin/users/import?{query}", body=b"email\na@example.com", headers=CSV)
    assert answer.status == 422
    assert emails(api) == []


@pytest.mark.parametrize("headers", [{"content-type": "application/json"}, {"content-type": ""}, {}])
def test_form_must_be_said(headers: dict[str, str], api: Api) -> None:
    """A body that is said to be something else is refused, with what can be sent."""
    answer = api.ask("POST", "/admin/users/import", body=b"email", headers=headers)
    assert (answer.status, "text/csv" in answer.json["detail"]) == (415, True)


def test_import_is_no_subject_of_idempotency_keys(api: Api) -> None:
    """A key that would have the whole file kept in memory is refused, before the file is read."""
    headers = {**CSV, "idempotency-key": "once"}
    assert api.ask("POST", "/admin/users/import", body=b"email\na@example.com", headers=headers).status == 422
    assert emails(api) == []


def test_file_without_end_is_refused(api: Api) -> None:
    """A file that is too large is refused while it arrives, not once it is there."""
    taken = 0

    async def receive() -> Message:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x" * 1024 * 1024, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    sent: list[Message] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/admin/users/import",
        "raw_path": b"/admin/users/import",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {ROOT}".encode()), (b"content-type", b"text/csv")],
        "server": ("gateway", 80),
        "client": None,
    }
    api.run(asyncio.wait_for(api.application(scope, receive, send), 60))
    assert sent[0]["status"] == 413
    assert taken == bulk.LARGEST // (1024 * 1024) + 1
