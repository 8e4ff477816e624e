"""The smart proxy of `examples/smart-proxy`: issue a key and use it, on the running program."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import accumulate
from math import comb
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.polling import eventually
from tests.e2e.program import Gateway, run
from tests.e2e.recipe import Recipe, Upstream
from tests.e2e.scripted import field
from tests.e2e.tenants import Management
from tests.e2e.written import contents

SECRET = "administrator-0123456789abcdef"
PROVIDER_KEY = "antigravity-0123456789abcdef"
REQUESTS = 2_000
WEIGHTS = 20, 80
OUTSIDE = 1_000
"""Once in so many runs chance alone is outside the band, where the weights are right."""


def band(requests: int) -> tuple[int, int]:
    """The least and the most of so many that get the first of the weights, by the binomial distribution; exact."""
    one, other = WEIGHTS
    ways = [comb(requests, k) * one**k * other ** (requests - k) for k in range(requests + 1)]
    below, whole = list(accumulate(ways)), (one + other) ** requests
    least = next(k for k, chance in enumerate(below) if 2 * OUTSIDE * chance > whole)
    most = next(k for k, chance in enumerate(below) if 2 * OUTSIDE * (whole - chance) <= whole)
    return least, most


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """A provider."""
    with Upstream() as provider:
        yield provider


@pytest.fixture(scope="module")
def recipe(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The recipe, with the variables that its user sets."""
    return Recipe.of(
        "smart-proxy",
        tmp_path_factory.mktemp("smart"),
        ANTIGRAVITY_URL=f"http://127.0.0.1:{upstream.port}",
        ANTIGRAVITY_KEY=PROVIDER_KEY,
        ADMIN_SECRET=SECRET,
    )


@pytest.fixture(scope="module")
def gateway(recipe: Recipe) -> Iterator[Gateway]:
    """The gateway, started as the recipe says."""
    with recipe.start() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def key(gateway: Gateway) -> str:
    """A key, issued as system C's clients ask for one."""
    body = {"name": "editor", "tier": "gold", "expires_in": 3600}
    made = Management(gateway, "none").ask("POST", "/admin/create-key", body, x_admin_secret=SECRET)
    assert made[0] in (200, 201)
    assert set(made[1]) == {"api_key", "name", "tier", "created_at", "expires_at"}
    assert (made[1]["name"], made[1]["tier"]) == ("editor", "gold")
    secret: str = made[1]["api_key"]
    return secret


def complete(gateway: Gateway, key: str, model: str, **more: object) -> tuple[int, str, bytes]:
    """Status, content type and body of a chat completion."""
    connection = gateway.connection()
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}], **more})
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "X-Of-Client": "kept"}
    connection.request("POST", "/v1/chat/completions", body, headers)
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response.status, response.headers["content-type"], data


def test_steps_of_the_recipe(recipe: Recipe, gateway: Gateway) -> None:
    """Typed one after the other, each command does what the recipe says of it."""
    create, exported, issue, ask, stream, listing, revoke = recipe.walk(gateway, recipe.commands)
    assert json.loads(create.output)["api_key"].startswith("apk_")
    assert [one.status for one in (exported, issue, listing, revoke)] == [0] * 4
    assert json.loads(ask.output)["model"] in {"claude-sonnet-4-5", "gemini-3-flash"}
    assert stream.output.count("data: ") == 2
    assert "editor" in listing.output
    secret = (recipe.folder / "editor.key").read_text().strip()
    assert secret not in issue.output + listing.output
    assert complete(gateway, secret, "gemini-3-flash")[0] == 403


def test_key_has_the_shape_of_system_c(key: str) -> None:
    """`apk_` and 43 characters that can stand in a URL."""
    assert key.startswith("apk_")
    assert len(key) == 47
    assert key[4:].replace("-", "").replace("_", "").isalnum()


def test_wrong_administrator(gateway: Gateway) -> None:
    """Another secret issues nothing."""
    body = {"name": "x"}
    assert Management(gateway, "none").ask("POST", "/admin/create-key", body, x_admin_secret="wrong")[0] == 401


def test_only_the_credential_is_replaced(gateway: Gateway, upstream: Upstream, key: str) -> None:
    """The provider gets its own key in `x-api-key`, the client's header fields, and nothing of the client's key."""
    status, _, data = complete(gateway, key, "gemini-3-flash")
    assert (status, json.loads(data)["model"]) == (200, "gemini-3-flash")
    request = upstream.requests[-1]
    assert request.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert (field(request, b"x-api-key"), field(request, b"x-of-client")) == (PROVIDER_KEY.encode(), b"kept")
    assert key.encode() not in request


def test_stream_passes(gateway: Gateway, key: str) -> None:
    """With `"stream": true` the answer is a stream of events."""
    status, kind, data = complete(gateway, key, "cursor-pro-sonnet", stream=True)
    assert (status, kind.partition(";")[0]) == (200, "text/event-stream")
    assert data.endswith(b"data: [DONE]\n\n")


def test_one_request_in_five(gateway: Gateway, upstream: Upstream, key: str) -> None:
    """The weights decide, request by request; each answer's fields and each request's event say what was decided."""
    before = len(upstream.requests)
    answered = split(gateway, key)
    told = Counter(answered.values())
    least, most = band(REQUESTS)
    assert (least, most) == (342, 460)
    if not least <= told["claude-sonnet-4-5"] <= most:
        # Once in a thousand runs it may be; twice in a row would be once in a million.
        answered = split(gateway, key)
        told = Counter(answered.values())
        assert least <= told["claude-sonnet-4-5"] <= most
    sent = Counter(b"claude-sonnet-4-5" in request for request in upstream.requests[before:][-REQUESTS:])
    assert sent == {True: told["claude-sonnet-4-5"], False: told["gemini-3-flash"]}

    def decided() -> list[dict[str, Any]]:
        return [one for one in gateway.events() if one["request_id"] in answered]

    # Tokens that no provider tells of are counted behind the answer, and the event comes then.
    events = eventually(lambda: found if len(found := decided()) >= REQUESTS else [])
    assert {event["request_id"]: event["model"] for event in events} == answered
    assert {event["requested_model"] for event in events} == {"cursor-pro-sonnet"}
    assert all({"method", "endpoint", "status_code", "duration_ms", "provider"} <= event.keys() for event in events)
    shown = run("events", "cat", "--data-dir", str(gateway.data))
    assert shown.stdout.count('"requested_model":"cursor-pro-sonnet"') >= REQUESTS


def split(gateway: Gateway, key: str) -> dict[str, str]:
    """Which model was chosen for each request, by its id, as the answers' fields say."""
    told: dict[str, str] = {}
    connection = gateway.connection()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for _ in range(REQUESTS):
        connection.request("POST", "/v1/chat/completions", '{"model": "cursor-pro-sonnet"}', headers)
        response = connection.getresponse()
        assert json.loads(response.read())["model"] == response.headers["x-gateway-model"]
        assert response.headers["x-gateway-alias"] == "cursor-pro-sonnet"
        told[response.headers["x-request-id"]] = response.headers["x-gateway-model"]
    connection.close()
    assert len(told) == REQUESTS
    assert {*told.values()} == {"claude-sonnet-4-5", "gemini-3-flash"}
    return told


@pytest.mark.parametrize("model", ["gpt-5", "claude-sonnet-4-5", "vendor/model:latest"])
def test_other_models_pass_through(gateway: Gateway, upstream: Upstream, key: str, model: str) -> None:
    """Any other name reaches the provider as the client wrote it, and is no alias."""
    connection = gateway.connection()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps({"model": model}), headers)
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["model"]) == (200, model)
    assert (response.headers["x-gateway-model"], response.headers["x-gateway-alias"]) == (model, None)
    assert json.loads(upstream.requests[-1].partition(b"\r\n\r\n")[2])["model"] == model
    connection.close()


def test_database_holds_no_key(recipe: Recipe, gateway: Gateway, key: str) -> None:
    """It is SQLite with a write-ahead log, and the key itself is in none of its files."""
    path = recipe.folder / "data" / "sluicegate.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert [path for path, content in contents(gateway.data).items() if key.encode() in content] == []


def test_recipe_names_what_is_missing(recipe: Recipe, tmp_path: Path) -> None:
    """Without a required variable it does not start, and says which."""
    for name in ("ANTIGRAVITY_URL", "ANTIGRAVITY_KEY", "ADMIN_SECRET"):
        assert f"| `{name}` |" in recipe.explained
        variables = {one: value for one, value in recipe.variables.items() if one not in {name, "PORT"}}
        broken = Recipe.of("smart-proxy", tmp_path / name, **variables)
        without = Recipe(broken.explained, broken.folder, {k: v for k, v in broken.variables.items() if k != name})
        gateway = without.start()
        try:
            assert gateway.wait() == 2
            assert name in repr(gateway)
        finally:
            gateway.end()


def test_it_ends_in_order(gateway: Gateway) -> None:
    """Nothing of all this was an error to the gateway, and Ctrl-C ends it with status 0."""
    assert gateway.errors() == []
    assert gateway.logged("process died") == []
    gateway.interrupt()
    assert gateway.wait() == 0
