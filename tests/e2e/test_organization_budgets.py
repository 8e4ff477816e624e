"""The gateway of `examples/organization-gateway` and money: budgets of users and organisations, a ledger that fails.

Every request costs one dollar: a thousand tokens of output, which the request caps there, at a thousand dollars for a
million of them.
"""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.polling import eventually
from tests.e2e.program import Gateway
from tests.e2e.recipe import Recipe
from tests.e2e.scripted import ScriptedProvider, sized
from tests.e2e.tenants import MANAGEMENT_TOKEN, Management
from tests.ledger import valkey

MODEL = "openai/gpt-4o-mini"
TOKENS = 1000


def _answer(connection: socket.socket, _request: bytes) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": TOKENS, "total_tokens": 10 + TOKENS}
    connection.sendall(sized(json.dumps({"object": "chat.completion", "model": MODEL, "usage": usage}).encode()))


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedProvider]:
    """Cloudflare's AI Gateway, as far as it matters here."""
    with ScriptedProvider(_answer) as provider:
        yield provider


@pytest.fixture(scope="module")
def ledger() -> Iterator[valkey.Server]:
    """Where budgets are kept, so that they can be away while the database is there."""
    with valkey.Server() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(
    upstream: ScriptedProvider, ledger: valkey.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """The gateway, started as the recipe says, with two workers and its budgets in Valkey."""
    recipe = Recipe.of(
        "organization-gateway",
        tmp_path_factory.mktemp("budgets"),
        AI_GATEWAY_URL=f"http://127.0.0.1:{upstream.port}",
        AI_GATEWAY_ACCOUNT_ID="account",
        AI_GATEWAY_ID="mine",
        AI_GATEWAY_TOKEN="cloudflare-0123456789abcdef",
        MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
    )
    with Path(recipe.folder, "sluicegate.yaml").open("a") as file:
        file.write(f"redis: {{address: '{ledger.url}'}}\n")
    with recipe.start("--workers=2") as gateway:
        yield gateway


@dataclass(frozen=True)
class Acme:
    """An organisation of its own, in which a dollar is spent with each request."""

    gateway: Gateway
    organization: str

    @classmethod
    def of(cls, gateway: Gateway, **fields: Any) -> "Acme":
        """Make one."""
        management = Management(gateway)
        organization = management.made("/admin/organizations", {"name": "Acme", **fields})["org_id"]
        price = {"organization_id": organization, "provider": "cloudflare", "model": MODEL, "input": 0, "output": 1000}
        management.made("/manage/prices", price)
        return cls(gateway, organization)

    def user(self, name: str, limit: float) -> tuple[str, str]:
        """A user with so many dollars a month: their id and key."""
        management = Management(self.gateway)
        body = {"org_id": self.organization, "email": f"{name}@example.com", "monthly_limit_usd": limit}
        user = management.made("/admin/users", body)["user_id"]
        return user, management.made(f"/admin/users/{user}/api-keys", {"name": "laptop"})["api_key"]

    def ask(self, key: str) -> tuple[HTTPResponse, Any]:
        """A request of one dollar."""
        connection = self.gateway.connection(30)
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": TOKENS}
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        return response, answer

    def statuses(self, key: str, number: int) -> list[int]:
        """What so many requests are answered, one after the other."""
        return [self.ask(key)[0].status for _ in range(number)]

    def spent(self) -> float:
        """Dollars, as its administrator sees them."""
        status, usage = Management(self.gateway).ask("GET", f"/admin/organizations/{self.organization}/usage")
        return float(usage["usage_usd"]) if status == 200 else -1.0


def test_a_users_month(gateway: Gateway) -> None:
    """Three dollars are three requests; the answers say what is left, and the refusal why there are no more."""
    acme = Acme.of(gateway, monthly_budget_usd=100)
    user, key = acme.user("ann", 3)

    first, _ = acme.ask(key)
    assert (first.status, first.headers["x-gateway-limit-usd"]) == (200, "3.00")
    assert acme.statuses(key, 2) == [200, 200]
    refused, answer = acme.ask(key)

    assert refused.status == 429
    assert user in answer["error"]["message"]
    assert refused.headers["x-gateway-usage-usd"] == "3.00"
    assert refused.headers["x-gateway-remaining-usd"] == "0.00"
    assert int(refused.headers["Retry-After"]) > 0
    eventually(lambda: acme.spent() == 3.0)


def test_an_organisations_month(gateway: Gateway) -> None:
    """Its users share five dollars, whatever each of them may spend; reset, they may go on."""
    acme = Acme.of(gateway, monthly_budget_usd=5)
    _, ann = acme.user("ann", 3)
    bob_id, bob = acme.user("bob", 10)

    assert acme.statuses(ann, 3) == [200] * 3
    assert acme.statuses(bob, 3) == [200, 200, 429]
    assert acme.organization in acme.ask(bob)[1]["error"]["message"]
    path = f"/admin/organizations/{acme.organization}"
    assert Management(gateway).ask("PATCH", path, {"monthly_budget_usd": 6})[0] == 200
    eventually(lambda: acme.ask(bob)[0].status == 200)
    assert acme.statuses(bob, 1) == [429]
    eventually(lambda: acme.spent() == 6.0)
    status, reset = Management(gateway).ask("POST", f"/admin/users/{bob_id}/reset-quota")
    assert (status, reset["usage_usd"]) == (200, 0)


def test_budgets_that_cannot_be_checked(gateway: Gateway, ledger: valkey.Server) -> None:
    """Closed: 503. Open: up to the day's allowance, and what was used meanwhile is accounted for afterwards."""
    closed = Acme.of(gateway, monthly_budget_usd=100)
    opened = Acme.of(gateway, monthly_budget_usd=100, failure_mode="open", fallback_daily_limit=2)
    _, ann = closed.user("ann", 50)
    _, bob = opened.user("bob", 50)
    assert closed.statuses(ann, 1) + opened.statuses(bob, 1) == [200, 200]
    eventually(lambda: (closed.spent(), opened.spent()) == (1.0, 1.0))

    ledger.kill()
    try:
        eventually(lambda: closed.ask(ann)[0].status == 503)
        asked = [opened.ask(bob)[0].status for _ in range(6)]
    finally:
        ledger.start()

    assert asked[-1] == 429
    admitted = asked.count(200)
    assert admitted >= 2
    eventually(lambda: opened.ask(bob)[0].status == 200)
    eventually(lambda: opened.spent() == 1.0 + admitted + 1.0)
    degraded = [event for event in gateway.events() if event.get("is_degraded")]
    assert [event["status_code"] for event in degraded].count(200) == 2
    assert {event["organization_id"] for event in degraded} == {opened.organization}
