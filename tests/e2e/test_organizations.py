"""The gateway of `examples/organization-gateway`: organisation, user, key, request, suspend, refused."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.program import Gateway
from tests.e2e.recipe import Recipe, Upstream
from tests.e2e.scripted import field
from tests.e2e.tenants import MANAGEMENT_TOKEN, SECONDS, Callers, Management

AI_GATEWAY_TOKEN = "cloudflare-0123456789abcdef"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """Cloudflare's AI Gateway, as far as it matters here."""
    with Upstream() as provider:
        yield provider


@pytest.fixture(scope="module")
def recipe(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The recipe, with the variables that its user sets."""
    return Recipe.of(
        "organization-gateway",
        tmp_path_factory.mktemp("organizations"),
        AI_GATEWAY_URL=f"http://127.0.0.1:{upstream.port}",
        AI_GATEWAY_ACCOUNT_ID="account",
        AI_GATEWAY_ID="mine",
        AI_GATEWAY_TOKEN=AI_GATEWAY_TOKEN,
        MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
    )


@pytest.fixture(scope="module")
def gateway(recipe: Recipe) -> Iterator[Gateway]:
    """The gateway, started as the recipe says, with two workers."""
    with Path(recipe.folder, "sluicegate.yaml").open("a") as file:
        # What stands in for Cloudflare is no provider whose prices are known.
        file.write("prices: [{model: gpt-4o-mini, input: 0.15, output: 0.60}]\n")
    with recipe.start("--workers=2") as gateway:
        yield gateway


@pytest.fixture(scope="module")
def management(gateway: Gateway) -> Management:
    """Its management API."""
    return Management(gateway)


@pytest.fixture(scope="module")
def callers(gateway: Gateway) -> Iterator[Callers]:
    """A caller of each worker."""
    callers = Callers(gateway)
    yield callers
    callers.close()


@dataclass(frozen=True)
class Person:
    """A user of an organisation of their own, with a key."""

    organization: str
    user: str
    key_id: str
    key: str


def person(management: Management, name: str) -> Person:
    """Make one."""
    organization = management.made("/admin/organizations", {"name": name, "monthly_budget_usd": 100})["org_id"]
    user = management.made(
        "/admin/users", {"org_id": organization, "email": f"{name}@example.com", "monthly_limit_usd": "12.50"}
    )
    assert (user["monthly_limit_usd"], user["status"]) == (12.5, "active")
    key = management.made(f"/admin/users/{user['user_id']}/api-keys", {"name": "laptop"})
    return Person(organization, user["user_id"], key["key_id"], key["api_key"])


def test_steps_of_the_recipe(recipe: Recipe, gateway: Gateway, upstream: Upstream) -> None:
    """Typed one after the other, each command does what the recipe says of it."""
    steps = recipe.walk(gateway, recipe.commands)
    _, _, issue, ask, usage, suspend, ask_again, resume, suspend_all, globex, bob, phone, users = steps
    assert [one.status for one in steps] == [0] * len(steps)
    assert json.loads(ask.output)["model"] == "openai/gpt-4o-mini"
    assert "error" in json.loads(ask_again.output)
    assert "request_count" in usage.output
    assert "suspended" in suspend.output
    assert "active" in resume.output
    assert "suspended" in suspend_all.output
    assert json.loads(globex.output)["monthly_budget_usd"] == 100
    assert json.loads(bob.output)["email"] == "bob@acme.example"
    assert json.loads(phone.output)["api_key"].startswith("gw_live_")
    assert {one["email"] for one in json.loads(users.output)["data"]} == {"ann@acme.example", "bob@acme.example"}
    assert (recipe.folder / "ann.key").read_text().strip() not in issue.output
    request = upstream.requests[-1]
    assert request.startswith(b"POST /v1/account/mine/compat/chat/completions HTTP/1.1\r\n")
    assert field(request, b"cf-aig-authorization") == f"Bearer {AI_GATEWAY_TOKEN}".encode()


def test_recipe_names_what_is_missing(recipe: Recipe, tmp_path: Path) -> None:
    """Without a required variable it does not start, and says which."""
    for name in ("AI_GATEWAY_ACCOUNT_ID", "AI_GATEWAY_TOKEN", "MANAGEMENT_TOKEN"):
        variables = {one: value for one, value in recipe.variables.items() if one not in {name, "PORT"}}
        broken = Recipe.of("organization-gateway", tmp_path / name, **variables).start()
        try:
            assert broken.wait() == 2
            assert name in repr(broken)
        finally:
            broken.end()


def test_suspended_user(management: Management, callers: Callers) -> None:
    """Their keys are refused by every worker within a second, and admitted again once they are active."""
    ann = person(management, "ann")
    assert callers.statuses(ann.key) == {200}
    assert management.ask("PATCH", f"/admin/users/{ann.user}", {"status": "suspended"})[0] == 200
    assert callers.seconds_until(ann.key, 403) < SECONDS
    assert management.ask("PATCH", f"/admin/users/{ann.user}", {"status": "active"})[0] == 200
    assert callers.seconds_until(ann.key, 200) < SECONDS


def test_suspended_organization(management: Management, callers: Callers) -> None:
    """The keys of all its users are refused; those of another organisation are not."""
    ann, bob = person(management, "first"), person(management, "second")
    assert callers.statuses(ann.key) | callers.statuses(bob.key) == {200}
    assert management.ask("PATCH", f"/admin/organizations/{ann.organization}", {"status": "suspended"})[0] == 200
    assert callers.seconds_until(ann.key, 403) < SECONDS
    assert callers.statuses(bob.key) == {200}


def test_revoked_key(management: Management, callers: Callers) -> None:
    """It is refused, the user's other key is not."""
    ann = person(management, "revoked")
    other = management.made(f"/admin/users/{ann.user}/api-keys", {"name": "phone"})["api_key"]
    assert callers.statuses(ann.key) | callers.statuses(other) == {200}
    assert management.ask("DELETE", f"/admin/users/{ann.user}/api-keys/{ann.key_id}") == (204, None)
    assert callers.seconds_until(ann.key, 403) < SECONDS
    assert callers.statuses(other) == {200}


def test_deleted_organization(management: Management, callers: Callers) -> None:
    """With it go its users, and their keys are not known any more."""
    ann = person(management, "deleted")
    assert callers.statuses(ann.key) == {200}
    assert management.ask("DELETE", f"/admin/organizations/{ann.organization}") == (204, None)
    assert callers.seconds_until(ann.key, 401) < SECONDS
    assert management.ask("GET", f"/admin/users/{ann.user}")[0] == 404


def test_administrator_of_one_organization(gateway: Gateway, management: Management) -> None:
    """Sees and changes its own, and of another not even that it exists."""
    own, foreign = person(management, "own"), person(management, "foreign")
    body = {"name": "chief", "role": "organization_admin", "org_id": own.organization}
    chief = Management(gateway, management.made("/admin/admin-keys", body)["admin_key"])
    assert chief.ask("PATCH", f"/admin/users/{own.user}", {"monthly_limit_usd": 1})[0] == 200
    assert [one["user_id"] for one in chief.ask("GET", "/admin/users")[1]["data"]] == [own.user]
    for path in (f"/admin/users/{foreign.user}", f"/admin/organizations/{foreign.organization}"):
        assert chief.ask("GET", path)[0] == 404
        assert chief.ask("PATCH", path, {"status": "suspended"})[0] == 404
    assert chief.ask("POST", "/admin/organizations", {"name": "mine"})[0] == 403


def test_usage_counts_requests(management: Management, callers: Callers) -> None:
    """What was used can be read, and counted from zero again."""
    ann = person(management, "usage")
    assert callers.statuses(ann.key) == {200}
    counted = {"user_id": ann.user, "limit_usd": 12.5, "api_key_count": 1}
    assert counted.items() <= management.ask("GET", f"/admin/users/{ann.user}/usage")[1].items()
    status, reset = management.ask("POST", f"/admin/users/{ann.user}/reset-quota")
    assert (status, reset["request_count"]) == (200, 0)


def test_it_ends_in_order(gateway: Gateway) -> None:
    """Nothing of all this was an error to the gateway, and Ctrl-C ends it with status 0."""
    assert gateway.errors() == []
    assert gateway.logged("process died") == []
    gateway.interrupt()
    assert gateway.wait() == 0
