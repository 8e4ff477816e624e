"""Google's SDK through a running gateway: what a user's program sees, and what the journal says of it."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types

from tests.e2e.polling import eventually
from tests.e2e.program import TOKEN, Gateway

# Google's SDK inherits from a class that aiohttp does not want to be inherited from: no matter of ours.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

MODEL = "gemini-3-flash"
BOUND = "bound-to-a-model-of-its-own"


@pytest.fixture(scope="module")
def site(provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that knows no providers but two of Gemini's dialect, one of them away, started once."""
    directory: Path = tmp_path_factory.mktemp("google")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        places = {"gemini": provider.removesuffix("/v1"), "away": f"http://127.0.0.1:{nobody.getsockname()[1]}"}
        (directory / "gateway.yaml").write_text(
            "server: {port: 0, drain_seconds: 1}\nproviders:\n"
            + "".join(
                f"  {name}: {{dialect: gemini, base_url: '{url}', api_key: key, proxy: none}}\n"
                for name, url in places.items()
            )
            + "models: [{name: smart, targets: [{model: away/gemini-3-ultra}], fallbacks: [gemini/gemini-3-pro]}]\n"
            f"tokens: [{{name: test, token: {TOKEN}}}, {{name: bound, token: {BOUND}, model: smart}}]\n"
        )
        gateway = Gateway(directory, f"--config={directory / 'gateway.yaml'}", variables={})
        try:
            yield gateway.until_ready()
        finally:
            gateway.end()


def connected(site: Gateway, key: str = TOKEN, place: str = "/gemini", **fields: str) -> genai.Client:
    """Google's SDK, with these header fields on every request. It sends the key as `x-goog-api-key`."""
    options = types.HttpOptions(base_url=f"http://127.0.0.1:{site.port}{place}", headers=fields)
    return genai.Client(api_key=key, http_options=options)


@pytest.fixture
def client(site: Gateway) -> Iterator[genai.Client]:
    """Google's SDK."""
    with connected(site) as made:
        yield made


def figures(reported: types.GenerateContentResponseUsageMetadata | None) -> dict[str, int | None]:
    """What the SDK says was used, in the words of an event."""
    assert reported is not None
    return {"input_tokens": reported.prompt_token_count, "output_tokens": reported.candidates_token_count}


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_an_answer_and_its_usage(site: Gateway, client: genai.Client, version: str) -> None:
    """The SDK's figures are the event's, and the answer carries the event's id, in each version of the API."""
    options = types.HttpOptions(api_version=version)
    answer = client.models.generate_content(
        model=MODEL, contents="Hello", config=types.GenerateContentConfig(http_options=options)
    )
    assert answer.text
    assert answer.sdk_http_response is not None
    assert answer.sdk_http_response.headers is not None
    event = site.event(answer.sdk_http_response.headers["x-request-id"])
    assert (event["model"], event["operation"], event["usage_source"]) == (MODEL, "generate", "reported")
    assert event["endpoint"] == f"/gemini/{version}/models/{MODEL}:generateContent"
    assert event["usage"] == figures(answer.usage_metadata) == {"input_tokens": 9, "output_tokens": 16}


def test_a_stream_and_its_usage(site: Gateway, client: genai.Client) -> None:
    """Each part as the provider made it; the last one has the figures."""
    parts = list(client.models.generate_content_stream(model=MODEL, contents="Hello"))
    assert len(parts) == 16
    assert all(part.text for part in parts)
    assert parts[0].sdk_http_response is not None
    assert parts[0].sdk_http_response.headers is not None
    event = site.event(parts[0].sdk_http_response.headers["x-request-id"])
    assert (event["is_stream"], event["finish_reason"]) == (True, "STOP")
    assert event["usage"] == figures(parts[-1].usage_metadata)


def test_tokens_are_counted_by_the_provider(site: Gateway, client: genai.Client) -> None:
    """`countTokens` passes, and is no use of a model."""
    assert client.models.count_tokens(model=MODEL, contents="Hello").total_tokens == 9
    assert (site.events()[-1]["operation"], "usage" in site.events()[-1]) == ("count_tokens", False)


def test_embeddings_and_models_pass(site: Gateway, client: genai.Client) -> None:
    """Vectors, whose tokens are counted here as the provider reports none; and the provider's list of models."""
    embedded = client.models.embed_content(model="gemini-embedding-2", contents="Hello").embeddings
    assert embedded
    assert embedded[0].values
    event = eventually(lambda: [one for one in site.events() if one["operation"] == "embeddings"])[0]
    assert (event["is_estimated"], event["usage"]["input_tokens"] > 0) == (True, True)
    assert [model.name for model in client.models.list()] == [f"models/{MODEL}"]


def _of(site: Gateway, name: str, before: set[str]) -> list[dict[str, Any]]:
    """The events of what asked for this model, but those that were there before."""
    return [
        event for event in site.events() if event.get("requested_model") == name and event["request_id"] not in before
    ]


@pytest.mark.parametrize(
    ("key", "name", "model"),
    [
        (TOKEN, "smart", "gemini-3-pro"),
        (TOKEN, "gemini/gemini-3-nano", "gemini-3-nano"),
        (TOKEN, MODEL, MODEL),
        (BOUND, MODEL, "gemini-3-pro"),
    ],
    ids=["ours", "provider", "plain", "bound"],
)
def test_names_of_ours(site: Gateway, key: str, name: str, model: str) -> None:
    """At the gateway's own address a model may be one of ours, or a provider's; it is what the token says it is."""
    before = {event["request_id"] for event in site.events()}
    with connected(site, key, place="") as client:
        assert client.models.generate_content(model=name, contents="Hello").model_version == model
        parts = list(client.models.generate_content_stream(model=name, contents="Hello"))
        assert {part.model_version for part in parts} == {model}
        assert client.models.count_tokens(model=name, contents="Hello").total_tokens == 9
    # An event whose price is still asked for comes a moment later.
    fresh = eventually(lambda: found if len(found := _of(site, name, before)) >= 3 else None)
    assert fresh is not None
    assert [event["metadata"]["model"] for event in fresh] == [model] * 3


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_models_are_listed(site: Gateway, version: str) -> None:
    """At the gateway's own address: those that the token may use, with what they can do."""
    options = types.HttpOptions(base_url=f"http://127.0.0.1:{site.port}", api_version=version)
    with genai.Client(api_key=BOUND, http_options=options) as client:
        assert [model.name for model in client.models.list()] == ["models/smart"]
        assert client.models.get(model="smart").supported_actions == ["generateContent", "countTokens"]
        with pytest.raises(errors.ClientError) as raised:
            client.models.get(model=MODEL)
    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")
    with genai.Client(api_key=TOKEN, http_options=options) as client:
        listed = [model.name for model in client.models.list()]
    assert listed[0] == "models/smart"
    assert len(listed) > 1


def test_the_asynchronous_client(site: Gateway) -> None:
    """An answer, a stream and a count from an event loop."""

    async def talk() -> tuple[str | None, int, int | None]:
        async with connected(site).aio as client:
            answer = await client.models.generate_content(model=MODEL, contents="Hello")
            stream = await client.models.generate_content_stream(model=MODEL, contents="Hello")
            parts = [part async for part in stream]
            count = await client.models.count_tokens(model=MODEL, contents="Hello")
        return answer.text, len(parts), count.total_tokens

    text, parts, count = asyncio.run(talk())
    assert text
    assert (parts, count) == (16, 9)


def test_a_wrong_key_is_a_readable_client_error(site: Gateway) -> None:
    """In the shape of Gemini's own errors, sync and async; asked once."""
    before = len(site.events())
    with connected(site, "wrong-wrong-wrong") as client, pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(model=MODEL, contents="Hello")
    assert (raised.value.code, raised.value.status) == (401, "UNAUTHENTICATED")
    assert "not known" in str(raised.value.message)
    assert "wrong-wrong-wrong" not in str(raised.value)

    async def talk() -> None:
        async with connected(site, "wrong-wrong-wrong").aio as client:
            await client.models.generate_content(model=MODEL, contents="Hello")

    with pytest.raises(errors.ClientError, match="not known"):
        asyncio.run(talk())
    assert [event["status_code"] for event in site.events()[before:]] == [401, 401]


def test_an_unknown_method_is_a_readable_client_error(site: Gateway) -> None:
    """What the provider's allowlist lacks is told by the gateway in Gemini's shape."""
    with connected(site) as client, pytest.raises(errors.ClientError) as raised:
        client.tunings.get(name="nowhere/1")
    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")
    assert "nowhere/1" in str(raised.value.message)


def test_a_providers_503_is_a_server_error(site: Gateway) -> None:
    """The provider's own words, for an answer and for a stream; the SDK of itself asks once."""
    before = len(site.events())
    with connected(site, **{"x-mock-fault": "status=503"}) as client:
        with pytest.raises(errors.ServerError) as raised:
            client.models.generate_content(model=MODEL, contents="Hello")
        with pytest.raises(errors.ServerError, match="told to fail"):
            list(client.models.generate_content_stream(model=MODEL, contents="Hello"))
    assert (raised.value.code, raised.value.status) == (503, "UNAVAILABLE")
    assert raised.value.message == "the mock was told to fail"
    told = [(event["error_source"], event["status_code"]) for event in site.events()[before:]]
    assert told == [("upstream", 503)] * 2


def test_a_providers_503_is_a_server_error_asynchronously(site: Gateway) -> None:
    """The same from an event loop."""

    async def talk() -> None:
        async with connected(site, **{"x-mock-fault": "status=503"}).aio as client:
            await client.models.generate_content(model=MODEL, contents="Hello")

    with pytest.raises(errors.ServerError, match="told to fail"):
        asyncio.run(talk())


def test_a_stream_that_breaks_raises(site: Gateway) -> None:
    """It ends with an error event, which the SDK does not take for an end."""
    with connected(site, **{"x-mock-fault": "truncate-after=3"}) as client, pytest.raises(errors.APIError) as raised:
        list(client.models.generate_content_stream(model=MODEL, contents="Hello"))
    assert "before its answer was complete" in str(raised.value)
    # Not there at once: what a cut stream has used must be counted first.
    assert eventually(lambda: [one for one in site.events() if one.get("is_cut")])[0]["is_estimated"]


def test_the_other_sdks_are_told_once_that_no_provider_is_theirs(site: Gateway) -> None:
    """503 that no repetition cures: the SDKs ask once, although they would repeat any other 503."""
    before, url = len(site.events()), f"http://127.0.0.1:{site.port}"
    with openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN) as client:
        with pytest.raises(openai.NotFoundError) as unknown:
            client.chat.completions.create(model="m", messages=[])
        with pytest.raises(openai.InternalServerError) as missing:
            client.files.list()
    with anthropic.Anthropic(base_url=url, api_key=TOKEN) as claude, pytest.raises(anthropic.NotFoundError):
        claude.messages.create(model="c", max_tokens=1, messages=[])
    assert (unknown.value.code, missing.value.code) == ("model_not_found", "no_provider")
    assert [event["status_code"] for event in site.events()[before:]] == [404, 503, 404]
