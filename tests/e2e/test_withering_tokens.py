"""The proxy of `examples/withering-tokens`: project, token, request, revoke, refused, on the running program."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.polling import eventually
from tests.e2e.program import Gateway, run
from tests.e2e.recipe import Recipe, Upstream
from tests.e2e.scripted import field
from tests.e2e.tenants import MANAGEMENT_TOKEN, SECONDS, Callers, Management, is_answered
from tests.e2e.written import contents

PROVIDER_KEY = "sk-of-the-search-team-0123456789abcdef"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """A provider."""
    with Upstream() as provider:
        yield provider


@pytest.fixture(scope="module")
def recipe(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The recipe, with the variables that its user sets."""
    return Recipe.of(
        "withering-tokens",
        tmp_path_factory.mktemp("withering"),
        OPENAI_BASE_URL=f"http://127.0.0.1:{upstream.port}/v1",
        MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
    )


@pytest.fixture(scope="module")
def gateway(recipe: Recipe) -> Iterator[Gateway]:
    """The gateway, started as the recipe says, with two workers."""
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


@pytest.fixture(scope="module")
def project(management: Management) -> str:
    """A project with a provider key of its own."""
    made = management.made("/manage/projects", {"name": "search", "provider_keys": {"openai": PROVIDER_KEY}})
    assert {"project_id", "name", "description", "metadata", "created_at"} <= made.keys()
    return str(made["project_id"])


def issued(management: Management, project: str, **fields: object) -> dict[str, object]:
    """A new token of the project."""
    return management.made("/manage/tokens", {"project_id": project, "duration_minutes": 60, **fields})


def test_steps_of_the_recipe(recipe: Recipe, gateway: Gateway, upstream: Upstream) -> None:
    """Typed one after the other, each command does what the recipe says of it."""
    steps = recipe.walk(gateway, recipe.commands, given=f"{PROVIDER_KEY}\n")
    make, set_key, issue, ask, listing, revoke, ask_again, project, token, tokens = steps
    assert [one.status for one in (make, set_key, issue, listing, revoke)] == [0] * 5
    assert json.loads(ask.output)["object"] == "chat.completion"
    assert "error" in json.loads(ask_again.output)
    assert field(upstream.requests[-1], b"authorization") == f"Bearer {PROVIDER_KEY}".encode()
    assert json.loads(project.output)["name"] == "reports"
    assert {"token", "expires_at"} <= json.loads(token.output).keys()
    assert isinstance(json.loads(tokens.output), list)
    secret = (recipe.folder / "search.token").read_text().strip()
    assert all(text not in one.output for one in steps for text in (PROVIDER_KEY, secret))


def test_recipe_names_what_is_missing(recipe: Recipe, tmp_path: Path) -> None:
    """Without its required variable it does not start, and says which."""
    variables = {name: value for name, value in recipe.variables.items() if name not in {"MANAGEMENT_TOKEN", "PORT"}}
    broken = Recipe.of("withering-tokens", tmp_path, **variables).start()
    try:
        assert broken.wait() == 2
        assert "MANAGEMENT_TOKEN" in repr(broken)
    finally:
        broken.end()


def test_token_withers_by_revocation(management: Management, callers: Callers, project: str) -> None:
    """Used through every worker, then revoked: every worker refuses it within a second."""
    token = issued(management, project)
    assert callers.statuses(str(token["token"])) == {200}
    assert management.ask("DELETE", f"/manage/tokens/{token['token_id']}") == (204, None)
    assert callers.seconds_until(str(token["token"]), 403) < SECONDS


def test_token_withers_by_itself(management: Management, callers: Callers, project: str) -> None:
    """Revoked by who knows nothing of it but the token itself."""
    secret = str(issued(management, project)["token"])
    assert callers.statuses(secret) == {200}
    assert management.ask("DELETE", "/manage/tokens", {"token": secret}) == (204, None)
    assert callers.seconds_until(secret, 403) < SECONDS


def test_all_tokens_of_a_project(management: Management, callers: Callers) -> None:
    """Revoked at once, each is refused; those of another project are not."""
    own, other = (str(management.made("/manage/projects", {"name": name})["project_id"]) for name in ("a", "b"))
    secrets = [str(issued(management, own)["token"]) for _ in range(3)]
    spared = str(issued(management, other)["token"])
    assert all(callers.statuses(secret) == {200} for secret in [*secrets, spared])
    assert management.ask("POST", f"/manage/projects/{own}/tokens/revoke") == (200, {"revoked": 3})
    assert all(callers.seconds_until(secret, 403) < SECONDS for secret in secrets)
    assert callers.statuses(spared) == {200}


def test_token_withers_by_use(management: Management, callers: Callers, project: str) -> None:
    """After `max_requests`, through whichever workers, it is refused with 429: not one later."""
    secret = str(issued(management, project, max_requests=2)["token"])
    assert callers.statuses(secret) == {200}
    assert callers.statuses(secret) == {429}


def test_every_token_has_its_rate(gateway: Gateway, management: Management, callers: Callers, project: str) -> None:
    """A thousand requests an hour unless something else was said; each counts."""
    secret = str(issued(management, project)["token"])
    assert callers.statuses(secret) == {200}
    rate = {"metric": "requests", "window": "1h", "maximum": 1000, "used": 2}
    eventually(lambda: rate.items() <= Management(gateway, secret).ask("GET", "/v1/key/usage")[1]["data"][0].items())


def test_suspended_and_resumed(management: Management, callers: Callers, project: str) -> None:
    """Suspension is refused, resumption admitted, each within a second."""
    token = issued(management, project)
    secret, path = str(token["token"]), f"/admin/tokens/{token['token_id']}"
    assert callers.statuses(secret) == {200}
    assert management.ask("POST", f"{path}/suspend")[0] == 200
    assert callers.seconds_until(secret, 403) < SECONDS
    assert management.ask("POST", f"{path}/resume")[0] == 200
    assert callers.seconds_until(secret, 200) < SECONDS


def test_list_as_system_d_has_it(management: Management, project: str) -> None:
    """A bare array, filtered by project, in which every secret is masked."""
    secret = str(issued(management, project)["token"])
    status, tokens = management.ask("GET", f"/manage/tokens?project_id={project}")
    assert (status, isinstance(tokens, list)) == (200, True)
    fields = {"token_id", "token", "project_id", "expires_at", "is_active", "request_count", "max_requests"}
    assert all(fields <= one.keys() and one["project_id"] == project for one in tokens)
    assert secret not in json.dumps(tokens)


def test_transparent(gateway: Gateway, upstream: Upstream, management: Management, project: str) -> None:
    """Only the credential is replaced, by the project's own; a path outside the allowlist is not there."""
    secret = str(issued(management, project)["token"])
    connection = gateway.connection()
    body = '{"model":"gpt-4o-mini" ,  "odd":  [1.0, "ü"]}'
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", "OpenAI-Beta": "x"}
    connection.request("POST", "/v1/chat/completions?a=%20b", body.encode(), headers)
    assert connection.getresponse().read()
    request = upstream.requests[-1]
    assert request.startswith(b"POST /v1/chat/completions?a=%20b HTTP/1.1\r\n")
    assert request.endswith(body.encode())
    assert field(request, b"authorization") == f"Bearer {PROVIDER_KEY}".encode()
    assert field(request, b"openai-beta") == b"x"
    assert gateway.status("/v1/organization/users", secret) == 404
    connection.close()


def test_provider_key_is_nowhere(gateway: Gateway, recipe: Recipe, management: Management, project: str) -> None:
    """Neither in a file of the data directory nor in any answer, log or event."""
    for path in (f"/manage/projects/{project}", "/admin/audit", f"/admin/projects/{project}/provider-credentials"):
        status, shown = management.ask("GET", path)
        assert (status, PROVIDER_KEY in json.dumps(shown)) == (200, False)
    found = [path.name for path, content in contents(recipe.folder).items() if PROVIDER_KEY.encode() in content]
    assert [name for name in found if name != "search.token"] == []
    assert PROVIDER_KEY not in repr(gateway)


def test_restart_brings_nothing_back(recipe: Recipe, gateway: Gateway, upstream: Upstream) -> None:
    """After a restart in order, a token that was good is good, and one that was revoked is revoked."""
    del upstream  # It must live longer than both.
    management = Management(gateway)
    project = str(management.made("/manage/projects", {"name": "later"})["project_id"])
    good, revoked = (issued(management, project) for _ in range(2))
    assert management.ask("DELETE", f"/manage/tokens/{revoked['token_id']}")[0] == 204
    assert gateway.errors() == []
    gateway.interrupt()
    assert gateway.wait() == 0
    again = recipe.start("--workers=2").until_ready()
    try:
        eventually(lambda: is_answered(Management(again), "/manage/projects"))
        callers = Callers(again)
        assert callers.statuses(str(revoked["token"])) == {403}
        assert callers.statuses(str(good["token"])) == {200}
        callers.close()
        with closing(sqlite3.connect(f"file:{recipe.folder}/data/sluicegate.db?mode=ro", uri=True)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        again.end()


def test_command_line_without_a_gateway() -> None:
    """Asked where nobody listens, `manage` says so with its own exit status."""
    done = run("manage", "--manage-api-base-url", "http://127.0.0.1:1", "--management-token", "x", "token", "list")
    assert (done.returncode, done.stdout) == (5, "")
