"""Budgets of the database and tokens of files: an organisation's limits hold for all its tokens, wherever they are."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from sluicegate.config.compile import token_id
from tests.e2e.program import Gateway
from tests.e2e.stalls import seconds_until
from tests.e2e.tenants import MANAGEMENT_TOKEN, SECONDS, Management

DECLARED, KEY = "declared-0123456789abcdef", "of-the-file-0123456789abcdef"
ANSWERED, REFUSED = 200, 429


@pytest.fixture
def gateway(provider: str, tmp_path: Path) -> Iterator[Gateway]:
    """A node of two workers with one token in its configuration and one in a key file, and a database."""
    keys = tmp_path / "keys.json"
    entry = {"key": KEY, "name": "Ann", "token_limit_per_5h": 100_000, "expiry_date": "2099-01-01T00:00:00Z"}
    keys.write_text(json.dumps({"keys": [entry]}))
    file = tmp_path / "declared.yaml"
    file.write_text(
        "server: {port: 0}\n"
        f"providers: {{mock: {{dialect: openai, base_url: '{provider}', api_key: key, proxy: none}}}}\n"
        f"tokens: [{{name: bob, token: {DECLARED}}}]\n"
        f"key_file: {keys}\n"
    )
    with Gateway(
        tmp_path, f"--config={file}", "--workers=2", variables={"MANAGEMENT_TOKEN": MANAGEMENT_TOKEN}
    ) as started:
        yield started


def status(gateway: Gateway, token: str) -> int:
    """What a request is answered, on a connection of its own: whichever worker takes it."""
    connection: HTTPConnection = gateway.connection()
    try:
        response = gateway.ask(connection, token)
        response.read()
        return response.status
    finally:
        connection.close()


def statuses(gateway: Gateway, token: str, number: int) -> list[int]:
    """What so many are answered, one after the other."""
    return [status(gateway, token) for _ in range(number)]


def accounts(gateway: Gateway, token: str) -> list[tuple[str, str, Any]]:
    """Whose limits a caller is told of, on what, and how much they allow."""
    _, answer = Management(gateway, token).ask("GET", "/v1/key/usage")
    return [(one["scope_id"], one["metric"], one["maximum"]) for one in answer["data"]]


def test_an_organisations_limit_holds_for_declared_tokens(gateway: Gateway) -> None:
    """Those of both files together, and an issued one; another maximum is in force on all workers within a second."""
    management = Management(gateway)
    issued = management.made("/manage/tokens", {"project_id": "prj_default", "duration_minutes": 60})["token"]
    assert [status(gateway, token) for token in (DECLARED, KEY, issued)] == [ANSWERED] * 3
    limit = {"scope": "organization", "scope_id": "org_default", "metric": "requests", "window": "lifetime"}
    made = management.made("/manage/limits", {**limit, "maximum": 6})
    assert seconds_until(lambda: ("org_default", "requests", 6) in accounts(gateway, DECLARED)) < SECONDS
    answers = statuses(gateway, DECLARED, 2) + statuses(gateway, KEY, 2) + statuses(gateway, issued, 2)
    assert answers == [ANSWERED] * 6
    assert [status(gateway, token) for token in (DECLARED, KEY, issued)] == [REFUSED] * 3

    management.ask("PATCH", f"/manage/limits/{made['limit_id']}", {"maximum": 8})
    assert seconds_until(lambda: status(gateway, DECLARED) == ANSWERED) < SECONDS
    assert statuses(gateway, KEY, 2) == [ANSWERED, REFUSED]
    management.ask("DELETE", f"/manage/limits/{made['limit_id']}")
    assert seconds_until(lambda: statuses(gateway, KEY, 4) == [ANSWERED] * 4) < SECONDS


def test_a_declared_token_has_limits_of_the_database(gateway: Gateway) -> None:
    """By its id, before its file's own; the other token of the same organisation is as it was."""
    limit = {"scope": "token", "scope_id": token_id("bob"), "metric": "requests", "window": "lifetime", "maximum": 1}
    made = Management(gateway).made("/manage/limits", limit)
    assert (made["organization_id"], statuses(gateway, DECLARED, 2)) == ("org_default", [ANSWERED, REFUSED])
    assert statuses(gateway, KEY, 3) == [ANSWERED] * 3
    assert accounts(gateway, DECLARED) == [(token_id("bob"), "requests", 1)]
