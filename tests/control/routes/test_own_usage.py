"""What callers may know of their own use."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from sluicegate.control.application import create_application
from sluicegate.control.key_file.declared import DeclaredKeys
from tests.control.api import Api

KEY = "pk_0123456789abcdefghij"
NOTHING = {
    "tokens_used_in_current_window": None,
    "window_started_at": None,
    "window_ends_at": None,
    "remaining_tokens": None,
}


def declare(api: Api, directory: Path, log: FilteringBoundLogger, **fields: Any) -> DeclaredKeys:
    """Have the application know a key file with one key."""
    entry = {"key": KEY, "name": "Ann", "token_limit_per_5h": 100, "expiry_date": None, **fields}
    path = directory / "keys.json"
    path.write_text(json.dumps({"keys": [entry]}))
    keys = DeclaredKeys(path, now=lambda: api.clock.seconds, log=log, changed=lambda digests: None)
    keys.load()
    api.context = replace(api.context, declared=(keys,))
    api.application = create_application(api.context)
    return keys


def test_stats_of_a_key_in_the_file(api: Api, tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Every field that the clients of a key file's gateway know, by its name."""
    keys = declare(
        api,
        tmp_path,
        log,
        model="glm-4.7",
        expiry_date="2030-12-31T23:59:59Z",
        created_at="2026-01-01T00:00:00Z",
        total_lifetime_tokens=5,
    )
    (principal,) = keys.principals.values()
    keys.record(principal.token_id, 7, api.clock.seconds)
    api.ledger.used[f"{principal.token_id}|tokens|5h"] = 42
    answer = api.ask("GET", "/stats", key=KEY)
    assert (answer.status, answer.json) == (
        200,
        {
            "key": "pk_012…ghij",
            "name": "Ann",
            "model": "glm-4.7",
            "token_limit_per_5h": 100,
            "expiry_date": "2030-12-31T23:59:59Z",
            "created_at": "2026-01-01T00:00:00Z",
            "last_used": "2026-11-21T12:00:00Z",
            "is_expired": False,
            "current_usage": {
                "tokens_used_in_current_window": 42,
                "window_started_at": "1970-01-01T00:00:01Z",
                "window_ends_at": "1970-01-01T00:00:02Z",
                "remaining_tokens": 58,
            },
            "total_lifetime_tokens": 12,
        },
    )


def test_stats_of_an_expired_key(api: Api, tmp_path: Path, log: FilteringBoundLogger) -> None:
    """It is told that it is; everything else is refused to it."""
    declare(api, tmp_path, log, expiry_date="2020-01-01T00:00:00Z")
    answer = api.ask("GET", "/stats", key=KEY)
    assert (answer.status, answer.json["is_expired"]) == (200, True)
    assert (answer.json["last_used"], answer.json["created_at"], answer.json["total_lifetime_tokens"]) == (
        None,
        None,
        0,
    )
    for path in ("/v1/key", "/v1/key/usage"):
        assert api.ask("GET", path, key=KEY).status == 403


def test_stats_of_an_issued_token(api: Api) -> None:
    """Any token has them; what is not bounded is not measured."""
    secret = api.world().own["secret"]
    api.make("PATCH", "/admin/tokens/tok_own", {"name": "nightly", "model": "small"})
    answer = api.ask("GET", "/stats", key=secret)
    assert answer.json == {
        "key": f"sk-sg-…{secret[-4:]}",
        "name": "nightly",
        "model": "small",
        "token_limit_per_5h": None,
        "expiry_date": None,
        "created_at": "2026-11-21T12:00:00Z",
        "last_used": None,
        "is_expired": False,
        "current_usage": NOTHING,
        "total_lifetime_tokens": None,
    }
    body = {"scope": "token", "scope_id": "tok_own", "metric": "tokens", "window": "5h", "maximum": 9}
    api.make("POST", "/manage/limits", body)
    bounded = api.ask("GET", "/stats", key=secret).json
    assert (bounded["token_limit_per_5h"], bounded["current_usage"]["remaining_tokens"]) == (9, 9)


def test_stats_of_a_token_of_the_configuration(api: Api) -> None:
    """It has no usage of its own in a file."""
    answer = api.ask("GET", "/stats", key="caller-secret")
    assert (answer.status, answer.json["name"], answer.json["current_usage"]) == (200, "lan", NOTHING)
    assert api.ask("GET", "/v1/key/usage", key="caller-secret").json["data"] == []


def test_every_limit_of_a_caller_is_shown(api: Api) -> None:
    """Its own and those of its owners, with what is used."""
    secret = api.world().own["secret"]
    api.make("PATCH", "/admin/organizations/org_own", {"monthly_budget_usd": 10})
    api.make("PATCH", "/admin/tokens/tok_own", {"max_requests": 3})
    api.ledger.used = {"org_own|usd|month": 2_500_000_000, "prj_own|tokens|1h": 1001}
    answer = api.ask("GET", "/v1/key/usage", key=secret)
    assert (answer.status, answer.json["token_id"]) == (200, "tok_own")
    assert [
        (one["scope"], one["metric"], one["window"], one["maximum"], one["used"], one["remaining"], one["resets_at"])
        for one in answer.json["data"]
    ] == [
        ("organization", "usd", "month", 10.0, 2.5, 7.5, "1970-01-01T00:00:02Z"),
        ("project", "tokens", "1h", 1000, 1001, 0, "1970-01-01T00:00:02Z"),
        ("token", "requests", "lifetime", 3, 0, 3, None),
    ]


def test_a_token_that_has_made_all_its_requests_may_ask(api: Api) -> None:
    """It is most of all then that its caller wants to know."""
    secret = api.world().own["secret"]
    api.make("PATCH", "/admin/tokens/tok_own", {"max_requests": 3})

    async def use() -> None:
        async with api.database.writing() as session:
            await session.tokens.touch([("tok_own", 1_795_262_400_000, 3)])

    api.run(use())
    assert api.ask("GET", "/v1/key/usage", key=secret).status == 200


def test_without_the_ledger_use_is_not_known(api: Api) -> None:
    """The answer says so, and names no host."""
    secret = api.world().own["secret"]
    api.ledger.is_away = True
    answer = api.ask("GET", "/v1/key/usage", key=secret)
    assert (answer.status, "ledger" in answer.json["detail"]) == (503, True)
