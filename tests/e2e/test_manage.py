"""`sluicegate manage` against the running program: every verb of every kind does what it says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.cli.manage.gateway import manage
from tests.e2e.program import Gateway
from tests.e2e.tenants import MANAGEMENT_TOKEN, Callers

PROVIDER_KEY = "sk-provider-0123456789abcdef"


@pytest.fixture(scope="module")
def gateway(provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway of one worker that can be managed."""
    folder = tmp_path_factory.mktemp("manage")
    path = folder / "gateway.yaml"
    path.write_text(
        f"server: {{port: 0}}\nmanagement_token: {MANAGEMENT_TOKEN}\n"
        f"providers: {{mock: {{dialect: openai, base_url: '{provider}', api_key: key, proxy: none}}}}\n"
    )
    with Gateway(folder, f"--config={path}", variables={}) as gateway:
        yield gateway


class Manager:
    """Somebody at the command line."""

    def __init__(self, gateway: Gateway, credential: str = MANAGEMENT_TOKEN) -> None:
        """Every command presents the credential."""
        self._variables = {
            "MANAGE_API_BASE_URL": f"http://127.0.0.1:{gateway.port}",
            "MANAGEMENT_TOKEN": credential,
        }

    def run(self, *words: str, given: str | None = None) -> Result:
        """Run a command."""
        return manage(*words, given=given, **self._variables)

    def shown(self, *words: str, given: str | None = None) -> Any:
        """What a command prints as JSON."""
        done = self.run(*words, "--json", given=given)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def id(self, *words: str) -> str:
        """The id that a command prints."""
        done = self.run(*words, "--quiet")
        assert done.exit_code == 0, done.output
        return done.stdout.strip()


@pytest.fixture(scope="module")
def manager(gateway: Gateway) -> Manager:
    """The one with the management token."""
    return Manager(gateway)


def test_organizations(manager: Manager) -> None:
    """Made, found, changed, suspended, deleted; amounts to the nano-dollar."""
    options = ("--monthly-budget-usd", "12.500000001", "--failure-mode", "open", "--fallback-daily-limit", "5")
    identifier = manager.id("organization", "create", "Acme 100%", *options, "--metadata", '{"a": 1}')
    shown = manager.shown("organization", "show", identifier)
    assert (shown["name"], shown["monthly_budget_usd"], shown["version"]) == ("Acme 100%", 12.500000001, "1")
    assert manager.id("organization", "list", "--search", "100%") == identifier
    assert manager.id("organization", "list", "--search", "100_") == ""
    words = ("organization", "update", identifier, "--status", "suspended", "--unset", "monthly-budget-usd")
    changed = manager.shown(*words, "--if-match", "1")
    assert (changed["status"], changed["monthly_budget_usd"], changed["version"]) == ("suspended", None, "2")
    assert manager.run(*words, "--if-match", "1").exit_code == 6
    assert manager.shown("organization", "usage", identifier)["org_id"] == identifier
    assert manager.shown("organization", "revoke", identifier) == {"revoked": 0}
    assert manager.shown("organization", "delete", identifier) == {"org_id": identifier, "deleted": True}
    assert manager.run("organization", "show", identifier).exit_code == 3


def test_projects_and_their_keys(manager: Manager) -> None:
    """A provider's key goes in, and nothing but its end comes out."""
    organization = manager.id("organization", "create", "Globex")
    project = manager.id("project", "create", "search", "--organization", organization, "--description", "finds")
    assert manager.id("project", "list", "--organization", organization) == project
    changed = manager.shown("project", "update", project, "--name", "find", "--unset", "description")
    assert (changed["name"], changed["description"]) == ("find", "")
    done = manager.run("project", "set-key", project, "openai", given=f"{PROVIDER_KEY}\n")
    assert (done.exit_code, PROVIDER_KEY in done.output) == (0, False)
    [key] = manager.shown("project", "keys", project)["data"]
    assert (key["provider"], key["last_four"]) == ("openai", "cdef")
    assert manager.shown("project", "delete-key", project, "openai") == {"provider": "openai", "deleted": True}
    assert manager.run("project", "delete-key", project, "openai").exit_code == 3
    assert manager.run("project", "delete", project).exit_code == 0
    assert manager.run("project", "show", project).exit_code == 3


def test_users(manager: Manager) -> None:
    """Made, found by address, changed, counted from zero, deleted."""
    organization = manager.id("organization", "create", "Initech")
    user = manager.id("user", "create", "Ann@acme.example", "--organization", organization, "--name", "Ann")
    assert manager.run("user", "create", "ann@acme.example", "--organization", organization).exit_code == 6
    assert manager.id("user", "list", "--organization", organization, "--email", "ann@acme.example") == user
    changed = manager.shown("user", "update", user, "--monthly-limit-usd", "0.01", "--unset", "name")
    assert (changed["monthly_limit_usd"], changed["name"]) == (0.01, "")
    assert manager.shown("user", "usage", user)["limit_usd"] == 0.01
    assert manager.shown("user", "reset-quota", user)["request_count"] == 0
    assert manager.shown("user", "revoke", user) == {"revoked": 0}
    assert manager.id("user", "delete", user) == user
    assert manager.run("user", "show", user).exit_code == 3


def test_tokens(gateway: Gateway, manager: Manager, tmp_path: Path) -> None:
    """Issued, used, changed, suspended, rotated and revoked."""
    callers = Callers(gateway, workers=1)
    made = manager.shown("token", "create", "--name", "ci", "--expires-in", "1h", "--tag", "a", "--allow-model", "x")
    identifier, secret = made["token_id"], made["token"]
    assert callers.statuses(secret) == {403}
    assert manager.shown("token", "update", identifier, "--unset", "models", "--max-requests", "9")["models"] == []
    assert callers.statuses(secret) == {200}
    assert manager.shown("token", "suspend", identifier)["status"] == "suspended"
    assert callers.statuses(secret) == {403}
    assert manager.shown("token", "resume", identifier)["status"] == "active"
    path = tmp_path / "successor"
    successor = manager.id("token", "rotate", identifier, "--overlap", "1h", "--secret-file", str(path))
    other = path.read_text().strip()
    assert callers.statuses(secret) | callers.statuses(other) == {200}
    assert manager.run("token", "revoke", "--token", f"file:{path}").exit_code == 0
    assert manager.shown("token", "delete", identifier) == {"token_id": identifier, "revoked": True}
    assert callers.statuses(secret) | callers.statuses(other) == {403}
    assert manager.shown("token", "show", successor)["status"] == "revoked"
    assert manager.run("token", "resume", identifier).exit_code == 6
    assert secret not in manager.run("token", "list", "--all").output
    callers.close()


def test_lists_go_on(manager: Manager) -> None:
    """A page at a time or all at once, the same tokens in the same order."""
    project = manager.id("project", "create", "many")
    made = [manager.shown("token", "create", "--project", project)["token_id"] for _ in range(5)]
    words = ("token", "list", "--project", project)
    assert manager.id(*words, "--all", "--limit", "2").split() == made
    first = manager.shown(*words, "--limit", "2")
    assert [one["token_id"] for one in first["data"]] == made[:2]
    assert manager.id(*words, "--limit", "2", "--after", first["next_cursor"]).split() == made[2:4]
    assert manager.shown("token", "revoke", "--project", project) == {"revoked": 5}
    assert manager.id(*words, "--status", "revoked", "--all").split() == made


def test_creation_happens_once(manager: Manager) -> None:
    """With one idempotency key the second answer is the first, secret and all."""
    words = ("token", "create", "--name", "once", "--idempotency-key", "key-of-a-script")
    assert manager.shown(*words) == manager.shown(*words)
    assert manager.run(*words, "--tier", "other").exit_code == 2


def test_admin_keys(gateway: Gateway, manager: Manager) -> None:
    """A viewer's key looks, and does no more; deleted, it opens nothing."""
    made = manager.shown("admin-key", "create", "auditor", "--role", "viewer")
    viewer = Manager(gateway, made["admin_key"])
    assert viewer.run("token", "list").exit_code == 0
    refused = viewer.run("token", "create")
    assert (refused.exit_code, "viewer" in refused.stderr) == (4, True)
    assert manager.shown("admin-key", "update", made["key_id"], "--name", "other")["name"] == "other"
    assert manager.id("admin-key", "list", "--search", "other") == made["key_id"]
    assert made["admin_key"] not in manager.run("admin-key", "show", made["key_id"]).output
    assert manager.run("admin-key", "revoke", made["key_id"]).exit_code == 0
    assert viewer.run("token", "list").exit_code == 4


def test_what_is_wrong_is_told(gateway: Gateway, manager: Manager) -> None:
    """Each fault of the values with its path; a wrong credential as what it is."""
    done = manager.run("user", "create", "no address", "--monthly-limit-usd", "-1")
    assert done.exit_code == 2
    assert "body.email" in done.stderr
    assert "body.monthly_limit_usd" in done.stderr
    assert Manager(gateway, "somebody-else").run("token", "list").exit_code == 4
