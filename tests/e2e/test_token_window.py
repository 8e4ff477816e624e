"""The gateway of `examples/token-window`: keys in a file, so many tokens in five hours, expired keys, `/stats`."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.crowd import Provider
from tests.e2e.polling import eventually
from tests.e2e.program import Gateway
from tests.e2e.recipe import Recipe

ANN, BOB, EVE = (f"window-{name}-0123456789abcdef" for name in ("ann", "bob", "eve"))
EACH = 25
"""Tokens of an exchange, as the mock reports them; Ann has 100."""


@pytest.fixture(scope="module")
def recipe(provider: str, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The recipe, with the variables that its user sets."""
    folder = tmp_path_factory.mktemp("window")
    return Recipe.of("token-window", folder, ZAI_URL=provider, ZAI_API_KEY="zai-0123456789abcdef")


@pytest.fixture(scope="module")
def gateway(recipe: Recipe) -> Iterator[Gateway]:
    """The gateway, started as the recipe says."""
    with recipe.start() as gateway:
        yield gateway


def _ask(gateway: Gateway, key: str) -> tuple[HTTPResponse, Any]:
    connection = gateway.connection()
    response = gateway.ask(connection, key)
    answer = json.loads(response.read())
    connection.close()
    return response, answer


def _stats(gateway: Gateway, key: str) -> dict[str, Any]:
    connection = gateway.connection()
    connection.request("GET", "/stats", headers={"Authorization": f"Bearer {key}"})
    response = connection.getresponse()
    stats = json.loads(response.read())
    connection.close()
    assert response.status == 200, stats
    return dict(stats)


def _until_counted(gateway: Gateway, tokens: int) -> dict[str, Any]:
    """Wait until that many tokens of Ann's are counted; her statistics then."""

    def counted() -> dict[str, Any] | None:
        stats = _stats(gateway, ANN)
        return stats if stats["current_usage"]["tokens_used_in_current_window"] == tokens else None

    found = eventually(counted)
    assert found is not None
    return found


def _use_up(gateway: Gateway) -> dict[str, Any]:
    """Have Ann use all of her hundred tokens, a request behind the other; her statistics then."""
    stats = _stats(gateway, ANN)
    while (used := stats["current_usage"]["tokens_used_in_current_window"]) < 100:
        assert _ask(gateway, ANN)[0].status == 200
        stats = _until_counted(gateway, used + EACH)
    return stats


def test_a_window_fills_and_says_when_it_empties(gateway: Gateway, recipe: Recipe, provider: str) -> None:
    """Four requests fit Ann's hundred tokens; the fifth is refused without a word to the provider."""
    stats = _use_up(gateway)
    eventually(lambda: [event["model"] for event in gateway.events()] == ["glm-4.7"] * 4)
    assert stats["current_usage"]["remaining_tokens"] == 0
    assert (stats["name"], stats["token_limit_per_5h"], stats["is_expired"]) == ("Ann", 100, False)
    began, ends = (
        datetime.fromisoformat(stats["current_usage"][f"window_{which}_at"]) for which in ("started", "ends")
    )
    assert timedelta(hours=5) <= ends - began <= timedelta(hours=5, minutes=10)
    before = Provider(provider).served()

    asked = datetime.now(ends.tzinfo)
    response, answer = _ask(gateway, ANN)
    answered = datetime.now(ends.tzinfo)

    assert (response.status, Provider(provider).served()) == (429, before)
    error = answer["error"]
    assert (error["type"], error["tokens_used"], error["tokens_limit"]) == ("rate_limit_exceeded", 100, 100)
    assert abs(datetime.fromisoformat(error["window_ends_at"]) - ends) < timedelta(seconds=1)
    # As of some moment in between, in whole seconds.
    told = timedelta(seconds=int(response.headers["Retry-After"]))
    assert ends - answered - timedelta(seconds=2) < told < ends - asked + timedelta(seconds=2)
    eventually(lambda: _written(recipe, "Ann").get("total_lifetime_tokens") == 100)


def _written(recipe: Recipe, name: str) -> dict[str, Any]:
    """A key's entry in the file."""
    document = json.loads((recipe.folder / "keys.json").read_text())
    return next(entry for entry in document["keys"] if entry["name"] == name)


def test_a_keys_own_model_answers(gateway: Gateway) -> None:
    """Whatever model the request names; the default one answers who has none, as Ann."""
    assert _ask(gateway, BOB)[1]["model"] == "glm-4.5-air"


def test_an_expired_key_is_refused_and_may_still_see_its_statistics(gateway: Gateway) -> None:
    """403; `/stats` says why."""
    assert _ask(gateway, EVE)[0].status == 403
    assert _stats(gateway, EVE)["is_expired"] is True


def test_an_edit_is_picked_up_and_keeps_the_usage(gateway: Gateway, recipe: Recipe) -> None:
    """Ann gets more tokens: she goes on at once, from what she has used."""
    _use_up(gateway)
    path = recipe.folder / "keys.json"
    path.write_text(path.read_text().replace('"token_limit_per_5h": 100,', '"token_limit_per_5h": 1000,'))

    eventually(lambda: _ask(gateway, ANN)[0].status == 200)

    assert _until_counted(gateway, 5 * EACH)["token_limit_per_5h"] == 1000


def test_every_command_of_the_recipe(gateway: Gateway, recipe: Recipe) -> None:
    """What its user types is answered."""
    done = recipe.walk(gateway, recipe.commands)
    assert [each.status for each in done] == [0] * len(done)
    assert "expired" in done[-1].output


def test_a_page_of_any_origin_may_use_it(gateway: Gateway) -> None:
    """A browser asks first, without a key, and then may read the answer."""
    connection = gateway.connection()
    page = {"Origin": "https://chat.example.org"}
    connection.request("OPTIONS", "/stats", headers=page | {"Access-Control-Request-Method": "GET"})
    response = connection.getresponse()
    assert (response.status, response.read()) == (204, b"")
    assert response.headers["access-control-allow-origin"] == "*"
    connection.request("GET", "/stats", headers=page | {"Authorization": f"Bearer {ANN}"})
    response = connection.getresponse()
    assert json.loads(response.read())["name"] == "Ann"
    assert response.headers["access-control-allow-origin"] == "*"
    connection.close()


def test_a_provider_that_is_away(recipe: Recipe, tmp_path: Path) -> None:
    """Is told with 502 and the type that this gateway's clients know."""
    variables = {name: value for name, value in recipe.variables.items() if name not in {"ZAI_URL", "PORT"}}
    with Recipe.of("token-window", tmp_path, **variables, ZAI_URL="http://127.0.0.1:9/v1").start() as gateway:
        gateway.until_ready()
        response, answer = _ask(gateway, BOB)
    assert (response.status, answer["error"]["type"]) == (502, "upstream_error")
    assert "cannot be reached" in answer["error"]["message"]
