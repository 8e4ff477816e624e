"""What the gateway of `examples/organization-gateway` tells Cloudflare of callers and prices, and reads of costs."""

import json
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.e2e.polling import eventually
from tests.e2e.program import SLUICEGATE, Gateway, environment
from tests.e2e.recipe import Recipe
from tests.e2e.scripted import ScriptedProvider, field, sized
from tests.e2e.tenants import MANAGEMENT_TOKEN, Management

MODEL = "openai/gpt-4o-mini"
ANSWER = sized(
    b'{"model":"openai/gpt-4o-mini","choices":[],'
    b'"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"cost":0.00021}}'
)
FORGED = {"CF-AIG-Metadata": '{"user_id":"somebody"}', "cf-aig-custom-cost": '{"per_token_in":0}'}


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedProvider]:
    """Cloudflare's AI Gateway before a provider that says what it charged."""
    with ScriptedProvider(lambda connection, request: connection.sendall(ANSWER)) as provider:
        yield provider


@pytest.fixture(scope="module")
def recipe(upstream: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The recipe, with the variables that its user sets."""
    return Recipe.of(
        "organization-gateway",
        tmp_path_factory.mktemp("cloudflare"),
        AI_GATEWAY_URL=f"http://127.0.0.1:{upstream.port}",
        AI_GATEWAY_ACCOUNT_ID="account",
        AI_GATEWAY_ID="mine",
        AI_GATEWAY_TOKEN="cloudflare-0123456789abcdef",
        MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
    )


@pytest.fixture(scope="module")
def gateway(recipe: Recipe) -> Iterator[Gateway]:
    """The gateway, started as the recipe says."""
    with recipe.start() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def management(gateway: Gateway) -> Management:
    """Its management API."""
    return Management(gateway)


def person(management: Management, name: str) -> tuple[str, str, str]:
    """Make an organisation with one user: the ids of both, and a key."""
    organization = management.made("/admin/organizations", {"name": name, "monthly_budget_usd": 100})["org_id"]
    user = management.made("/admin/users", {"org_id": organization, "email": f"{name}@example.com"})["user_id"]
    key = management.made(f"/admin/users/{user}/api-keys", {"name": "laptop"})["api_key"]
    return organization, user, key


def own_price(management: Management, organization: str, dollars: float) -> None:
    """What the model costs this organisation: so many dollars for a million tokens read, four times that written."""
    price = {"organization_id": organization, "provider": "cloudflare", "model": MODEL}
    management.made("/manage/prices", {**price, "input": dollars, "output": 4 * dollars})


def ask(connection: HTTPConnection, key: str, **fields: Any) -> int:
    """The status of a chat completion; the client says something of its own about itself and the price."""
    body = json.dumps({"model": MODEL, "max_tokens": 100, "messages": [], **fields})
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **FORGED}
    connection.request("POST", "/v1/chat/completions", body, headers)
    response = connection.getresponse()
    response.read()
    return response.status


def test_each_caller_is_told_apart_and_priced_apart(
    gateway: Gateway, management: Management, upstream: ScriptedProvider
) -> None:
    """On one connection, from the first request on; what the client says of itself never arrives."""
    people = [person(management, name) for name in ("acme", "globex")]
    for (organization, _, _), dollars in zip(people, (0.15, 2.5), strict=True):
        own_price(management, organization, dollars)
    connection = gateway.connection()
    costs = (
        '{"per_token_in":0.00000015,"per_token_out":0.0000006}',
        '{"per_token_in":0.0000025,"per_token_out":0.00001}',
    )
    for (organization, user, key), cost in zip(people * 2, costs * 2, strict=True):
        assert ask(connection, key) == 200
        request = upstream.requests[-1]
        assert json.loads(field(request, b"cf-aig-metadata")) == {"user_id": user, "org_id": organization}
        assert field(request, b"cf-aig-custom-cost").decode() == cost
        assert request.lower().count(b"\r\ncf-aig-") == 3
    connection.close()


def test_without_a_price_nothing_is_made_up(management: Management, gateway: Gateway) -> None:
    """What is reached without TLS has no price from the bundled table: the budget refuses it."""
    connection = gateway.connection()
    assert ask(connection, person(management, "initech")[2]) == 400
    connection.close()


def test_a_dearer_tier_is_refused_by_the_budget(management: Management, gateway: Gateway) -> None:
    """The same request without it is admitted."""
    organization, _, key = person(management, "umbrella")
    own_price(management, organization, 1.0)
    connection = gateway.connection()
    statuses = [ask(connection, key, **fields) for fields in ({"service_tier": "priority"}, {"service_tier": "flex"})]
    connection.close()
    assert statuses == [400, 200]


def test_what_was_charged_is_compared_with_our_costs(gateway: Gateway, management: Management, recipe: Recipe) -> None:
    """The budget is charged by our price; `prices check --events` tells by how much the provider differs."""
    organization, _, key = person(management, "hooli")
    own_price(management, organization, 0.15)
    connection = gateway.connection()
    assert [ask(connection, key) for _ in range(3)] == [200] * 3
    connection.close()
    ours = 3 * (1000 * 0.15 + 100 * 0.6) / 1e6

    def rows() -> list[dict[str, Any]]:
        done = subprocess.run(
            [*SLUICEGATE, "prices", "check", "--json", "--config", "sluicegate.yaml", "--events", "data"],
            cwd=recipe.folder,
            env={**environment(), **recipe.variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)["drift"]
        return found

    found = eventually(lambda: [row for row in rows() if row["exchanges"] == 3 and row["ours"] == round(ours, 9)])
    assert found[0]["theirs"] == pytest.approx(3 * 0.00021)
    assert (found[0]["provider"], found[0]["model"]) == ("cloudflare", MODEL)
    # Each of the three is counted on its own.
    eventually(lambda: used(management, organization) == pytest.approx(ours))


def used(management: Management, organization: str) -> float:
    """Dollars that are counted of what the organisation has used."""
    status, usage = management.ask("GET", f"/admin/organizations/{organization}/usage")
    assert status == 200, usage
    return float(usage["usage_usd"])


def test_nothing_of_it_was_an_error(gateway: Gateway) -> None:
    """And Ctrl-C ends the gateway with status 0."""
    assert gateway.errors() == []
    gateway.interrupt()
    assert gateway.wait() == 0
