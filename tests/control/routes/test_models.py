"""`GET /v1/models`, asked as callers do: with the SDKs of OpenAI and of Anthropic, and without."""

from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.control.api import Api
from tests.control.conftest import MINIMAL, WriteSources

MODELS = MINIMAL + "models:\n  - {name: smart, targets: [{model: first/large}]}\n"
GOOGLES = """
providers:
  first: {dialect: openai, base_url: "http://127.0.0.1:9/v1", api_key: k, proxy: none, models: [large]}
  g: {dialect: gemini, base_url: "http://127.0.0.1:9", api_key: k, proxy: none, models: [gem-2, gem-embedding]}
models:
  - {name: smart, targets: [{model: first/large}]}
  - {name: quick, targets: [{model: g/gem-2}]}
  - {name: "q-*", targets: [{model: "g/gem-*"}]}
management_token: management-secret
tokens: [{name: caller, token: caller-secret}]
"""


def client(api: Api) -> httpx2.AsyncClient:
    """A client of the application itself."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=api.application))


def by_openai(api: Api, key: str, model: str) -> Any:
    """List and retrieve with OpenAI's SDK."""

    async def ask() -> Any:
        sdk = openai.AsyncOpenAI(api_key=key, base_url="http://gateway/v1", http_client=client(api), max_retries=0)
        listed = [one.id async for one in sdk.models.list()]
        found = await sdk.models.retrieve(model)
        return listed, (found.id, found.object, found.owned_by, found.created)

    return api.run(ask())


def by_anthropic(api: Api, key: str, model: str) -> Any:
    """List and retrieve with Anthropic's SDK."""

    async def ask() -> Any:
        sdk = anthropic.AsyncAnthropic(api_key=key, base_url="http://gateway", http_client=client(api), max_retries=0)
        listed = [one.id async for one in sdk.models.list(limit=2)]
        found = await sdk.models.retrieve(model)
        return listed, (found.id, found.type, found.display_name, found.created_at.year)

    return api.run(ask())


@pytest.fixture
def configured(api: Api, write: WriteSources) -> Api:
    """The API on a configuration with a model of its own."""
    write(MODELS)
    assert api.ask("POST", "/admin/config/reload").status == 200
    return api


@pytest.mark.parametrize("wanted", ["smart", "first/large"])
def test_sdks_list_and_retrieve(configured: Api, wanted: str) -> None:
    """Both SDKs read the list and a single model, also one with a slash in its name."""
    key = configured.make("POST", "/admin/tokens", {"models": ["smart", "first/large"]})["token"]
    assert by_openai(configured, key, wanted) == (["smart", "first/large"], (wanted, "model", "sluicegate", 0))
    assert by_anthropic(configured, key, wanted) == (["smart", "first/large"], (wanted, "model", wanted, 1970))


@pytest.fixture
def of_google(api: Api, write: WriteSources) -> Api:
    """The API on a configuration with models of two dialects."""
    write(GOOGLES)
    assert api.ask("POST", "/admin/config/reload").status == 200
    return api


def names(body: Any) -> list[str]:
    """What a list in Google's form names."""
    return [one["name"] for one in body["models"]]


def test_googles_sdk_reads_a_form_of_its_own(of_google: Api) -> None:
    """By its own path, or by a key in a field of its own; who sends a bearer beside it is none of its clients.

    What does not answer in its API is not shown to it.
    """
    listed = ["models/quick", "models/q-2", "models/q-embedding", "models/gem-2", "models/gem-embedding"]
    listed += ["models/g/gem-2", "models/g/gem-embedding"]
    google = {"x-goog-api-key": "caller-secret"}
    for path, key in (("/v1/models", None), ("/v1beta/models", None), ("/v1beta/models", "caller-secret")):
        body = of_google.ask("GET", path, key=key, headers=google if key is None else {}).json
        assert names(body) == listed, path
        for number, name in ((0, "quick"), (2, "q-embedding"), (-1, "g/gem-embedding")):
            found = of_google.ask("GET", f"{path}/{name}", key=key, headers=google if key is None else {}).json
            assert found == body["models"][number]
            does = ["embedContent", "batchEmbedContents"] if "embed" in name else ["generateContent", "countTokens"]
            assert found["supportedGenerationMethods"] == does
            assert found["displayName"]
        assert of_google.ask("GET", f"{path}/smart", key=key, headers=google if key is None else {}).status == 404
    assert "data" in of_google.ask("GET", "/v1/models", key="caller-secret", headers=google).json


@pytest.mark.parametrize(
    ("bounds", "listed"),
    [
        ({"models": ["quick", "smart", "fine-tuned", "first/new", "g/new"]}, ["quick", "fine-tuned", "g/new"]),
        ({"model": "quick"}, ["quick"]),
        ({"model": "smart"}, []),
        ({"model": "any"}, ["any"]),
    ],
)
def test_googles_sdk_is_shown_what_its_token_may_use(of_google: Api, bounds: dict[str, Any], listed: list[str]) -> None:
    """As others are; a name that nobody knows leads to the default provider of its API."""
    key = of_google.make("POST", "/admin/tokens", bounds)["token"]
    assert names(of_google.ask("GET", "/v1beta/models", key=key).json) == [f"models/{name}" for name in listed]
    assert of_google.ask("GET", "/v1beta/models/gem-2", key=key).status == 404


def test_a_token_of_the_file_may_use_everything(configured: Api) -> None:
    """Nothing bounds it: all that is known is listed, and in one page."""
    body = configured.ask("GET", "/v1/models", key="caller-secret").json
    assert [model["id"] for model in body["data"]] == ["smart"]
    assert (body["has_more"], body["first_id"], body["last_id"]) == (False, "smart", "smart")


def test_what_answers_everything_is_all_there_is(configured: Api) -> None:
    """A token's own model is alone in its list, and so is its project's."""
    project = configured.make("POST", "/admin/projects", {"name": "p", "model": "smart"})["project_id"]
    of_project = configured.make("POST", "/admin/tokens", {"project_id": project})["token"]
    own = configured.make("POST", "/admin/tokens", {"project_id": project, "model": "mine"})["token"]
    for key, model in ((of_project, "smart"), (own, "mine")):
        body = configured.ask("GET", "/v1/models", key=key).json
        assert [one["id"] for one in body["data"]] == [model]
        assert configured.ask("GET", "/v1/models/first/large", key=key).status == 404
        assert configured.ask("GET", "/v1/key", key=key).json["model"] == model
        assert configured.ask("GET", "/stats", key=key).json["model"] == model


def error(answer: Any) -> tuple[int, Any]:
    """Status and error of an answer that must be in the form of OpenAI's API."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-should-retry"] == "false"
    return answer.status, answer.json["error"]


def test_refusals_are_in_the_form_of_the_api(configured: Api) -> None:
    """Unknown tokens, unknown models and other methods are refused as the SDKs read it."""
    status, told = error(configured.ask("GET", "/v1/models", key=None))
    assert (status, told["type"], told["param"]) == (401, "authentication_error", None)
    assert told["code"] == "missing_api_key"
    status, told = error(configured.ask("GET", "/v1/models", key=""))
    assert (status, told["code"]) == (401, "missing_api_key")
    status, told = error(configured.ask("GET", "/v1/models", key="sk-sg-unknown"))
    assert (status, told["message"], told["code"]) == (401, "This token is not known.", "invalid_api_key")
    status, told = error(configured.ask("GET", "/v1/models/absent", key="caller-secret"))
    assert (status, told["type"], told["code"]) == (404, "not_found_error", "model_not_found")
    status, told = error(configured.ask("DELETE", "/v1/models/smart", key="caller-secret"))
    assert (status, told["code"]) == (405, "method_not_allowed")


def test_refusals_are_in_the_form_of_who_asks(configured: Api) -> None:
    """Of Anthropic's SDK by the version that it always sends, of Google's by its path or by where its key is."""
    version = {"anthropic-version": "2023-06-01"}
    answer = configured.ask("GET", "/v1/models/absent", key="caller-secret", headers=version)
    assert (answer.status, answer.json["type"], answer.json["error"]["type"]) == (404, "error", "not_found_error")
    for path, headers in (("/v1beta/models", {}), ("/v1/models", {"x-goog-api-key": "unknown"})):
        answer = configured.ask("GET", path, key=None, headers=headers)
        assert (answer.status, answer.json["error"]["code"]) == (401, 401)
        assert answer.json["error"]["status"] == "UNAUTHENTICATED"


def test_suspended_and_expired_tokens_are_refused(configured: Api) -> None:
    """They learn nothing, as they could use nothing."""
    world = configured.world()
    configured.make("PATCH", "/manage/projects/prj_own", {"status": "suspended"})
    status, told = error(configured.ask("GET", "/v1/models", key=world.own["secret"]))
    assert (status, told["code"]) == (403, "token_inactive")
    issued = configured.make("POST", "/admin/tokens", {"expires_at": "2026-11-21T12:00:01Z"})
    configured.clock.seconds += 2
    status, told = error(configured.ask("GET", "/v1/models", key=issued["token"]))
    assert (status, told["message"]) == (403, "This token has expired.")


def test_paths_of_a_token_hold_here_too(configured: Api) -> None:
    """A token that is bound to paths lists models only if one of them is this."""
    for paths, listed, shown in (
        (["chat/completions"], 403, 403),
        (["models"], 200, 403),
        (["/v1/models/**", "/v1beta/models/**"], 200, 200),
    ):
        key = configured.make("POST", "/admin/tokens", {"paths": paths})["token"]
        assert configured.ask("GET", "/v1/models", key=key).status == listed, paths
        assert configured.ask("GET", "/v1/models/smart", key=key).status == shown, paths
        assert configured.ask("GET", "/v1beta/models", key=key).status == listed, paths
    key = configured.make("POST", "/admin/tokens", {"paths": ["/v1/models"]})["token"]
    assert configured.ask("GET", "/v1beta/models", key=key).status == 403
