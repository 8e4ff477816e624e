"""The official SDKs through a running gateway: what a user's program sees."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from socket import socket
from typing import Any

import anthropic
import openai
import pytest
from openai.types.chat import ChatCompletionToolParam, ChatCompletionUserMessageParam

from tests.e2e.program import TOKEN, Gateway
from tests.e2e.scripted import ScriptedProvider, chunked

TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object"}, "strict": True},
}


def call_a_tool(connection: socket, request: bytes) -> None:
    """A provider that answers everything with a streamed call of a tool, its arguments in pieces."""
    name = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    pieces = [{"index": 0, "function": {"arguments": text}} for text in ('{"ci', 'ty": "Par', 'is"}')]
    frame = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    usage = {"prompt_tokens": 30, "completion_tokens": 7, "total_tokens": 37}
    payloads: list[dict[str, Any]] = [
        *({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]} for call in (name, *pieces)),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": usage},
    ]
    events = [f"data: {json.dumps(frame | payload)}\n\n".encode() for payload in payloads]
    connection.sendall(chunked(*events, b"data: [DONE]\n\n"))


@pytest.fixture(scope="module")
def site(provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway before one mock server in two dialects and one that calls tools, started once."""
    directory: Path = tmp_path_factory.mktemp("sdks")
    root = provider.removesuffix("/v1")
    with ScriptedProvider(call_a_tool) as caller:
        tools = f"http://127.0.0.1:{caller.port}/v1"
        (directory / "gateway.yaml").write_text(
            "server: {port: 0, drain_seconds: 1}\n"
            "providers:\n"
            f"  mock: {{dialect: openai, base_url: '{provider}', api_key: key, proxy: none}}\n"
            f"  other: {{dialect: anthropic, base_url: '{root}', api_key: key, proxy: none}}\n"
            f"  tools: {{dialect: openai, base_url: '{tools}', api_key: key, proxy: none}}\n"
            f"tokens: [{{name: test, token: {TOKEN}}}]\n"
        )
        with Gateway(directory, f"--config={directory / 'gateway.yaml'}", variables={}) as gateway:
            yield gateway


@pytest.fixture
def url(site: Gateway) -> str:
    """The gateway's address."""
    return f"http://127.0.0.1:{site.port}"


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    """OpenAI's SDK."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN) as made:
        yield made


@pytest.fixture
def claude(url: str) -> Iterator[anthropic.Anthropic]:
    """Anthropic's SDK."""
    with anthropic.Anthropic(base_url=url, api_key=TOKEN) as made:
        yield made


def test_openai_answers(client: openai.OpenAI) -> None:
    """Chat, responses and embeddings, with their usage."""
    chat = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}])
    assert chat.usage is not None
    assert chat.usage.completion_tokens == 16
    response = client.responses.create(model="m", input="Hello")
    assert response.usage is not None
    assert response.output_text
    assert client.embeddings.create(model="e", input="Hello").data


def test_azures_client_answers_and_streams(url: str) -> None:
    """OpenAI's SDK for Azure's dated API: by the model's name, by a deployment's alone, and on other paths."""
    question: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "Hello"}]
    with openai.AzureOpenAI(azure_endpoint=url, api_key=TOKEN, api_version="2024-10-21") as azure:
        chat = azure.chat.completions.create(model="mock/m", messages=question)
        assert chat.usage is not None
        assert chat.usage.completion_tokens == 16
        assert len(list(azure.chat.completions.create(model="m", messages=question, stream=True))) > 16
        assert azure.embeddings.create(model="e", input="Hello").data
        assert azure.responses.create(model="m", input="Hello").output_text
        assert [model.id for model in azure.models.list()]
    with openai.AzureOpenAI(azure_endpoint=url, azure_deployment="m", api_key=TOKEN, api_version="preview") as azure:
        raw = azure.chat.completions.with_raw_response.create(model="not this", messages=question)
        assert raw.headers["x-gateway-model"] == "m"


def test_openai_streams(client: openai.OpenAI) -> None:
    """Chat without the usage nobody asked for, and responses to their last event."""
    chunks = list(
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}], stream=True)
    )
    assert len(chunks) > 16
    assert all(chunk.choices for chunk in chunks)
    events = list(client.responses.create(model="m", input="Hello", stream=True))
    assert events[-1].type == "response.completed"


def test_anthropic_answers_and_streams(claude: anthropic.Anthropic) -> None:
    """Messages, whole and as a stream."""
    message = claude.messages.create(model="c", max_tokens=20, messages=[{"role": "user", "content": "Hello"}])
    assert message.usage.output_tokens == 16
    with claude.messages.stream(model="c", max_tokens=20, messages=[{"role": "user", "content": "Hello"}]) as stream:
        assert "".join(stream.text_stream)
        assert stream.get_final_message().stop_reason


def test_anthropic_counts_tokens(claude: anthropic.Anthropic) -> None:
    """By the provider where it speaks this API; for a model of another one an estimate, which says so."""
    hello: anthropic.types.MessageParam = {"role": "user", "content": "Hello, how are you today?"}
    counted = claude.messages.with_raw_response.count_tokens(model="c9", messages=[hello])
    assert "x-gateway-estimated" not in counted.headers
    assert counted.headers["x-gateway-provider"] == "other"
    assert counted.parse().input_tokens > 0
    short, long = (
        claude.messages.with_raw_response.count_tokens(model="mock/gpt-4o", messages=[hello] * times)
        for times in (1, 100)
    )
    assert short.headers["x-gateway-estimated"] == "true"
    assert 7 <= short.parse().input_tokens <= 20
    assert long.parse().input_tokens > 50 * short.parse().input_tokens
    with pytest.raises(anthropic.BadRequestError, match="messages: "):
        claude.messages.count_tokens(model="mock/gpt-4o", messages=[])


def test_both_sdks_work_asynchronously(url: str) -> None:
    """The asynchronous clients, streaming."""

    async def talk() -> tuple[int, int]:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=TOKEN) as client:
            stream = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "Hello"}], stream=True
            )
            chunks = [chunk async for chunk in stream]
        async with anthropic.AsyncAnthropic(base_url=url, api_key=TOKEN) as claude:
            message = await claude.messages.create(
                model="c", max_tokens=20, messages=[{"role": "user", "content": "Hello"}]
            )
        return len(chunks), message.usage.output_tokens

    chunks, tokens = asyncio.run(talk())
    assert chunks > 16
    assert tokens == 16


def test_a_large_upload_arrives_whole(client: openai.OpenAI) -> None:
    """5 MB of multipart body."""
    uploaded = client.files.create(file=("a.bin", b"x" * 5_000_000), purpose="assistants")
    assert uploaded.bytes > 5_000_000


def test_a_wrong_key_is_an_authentication_error(url: str) -> None:
    """Both SDKs raise their own, at once."""
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="wrong-wrong-wrong") as client,
        pytest.raises(openai.AuthenticationError, match="not known"),
    ):
        client.models.list()
    with (
        anthropic.Anthropic(base_url=url, api_key="wrong-wrong-wrong") as claude,
        pytest.raises(anthropic.AuthenticationError, match="not known"),
    ):
        claude.messages.create(model="c", max_tokens=1, messages=[{"role": "user", "content": "Hello"}])


def test_a_providers_failure_reaches_the_program(client: openai.OpenAI) -> None:
    """A status as the SDK's error; a stream that breaks raises instead of ending quietly."""
    patient = client.with_options(max_retries=0)
    with pytest.raises(openai.InternalServerError):
        patient.chat.completions.create(model="m", messages=[], extra_headers={"x-mock-fault": "status=503"})
    with pytest.raises(openai.APIError, match="before its answer was complete"):
        list(
            patient.chat.completions.create(
                model="m", messages=[], stream=True, extra_headers={"x-mock-fault": "truncate-after=3"}
            )
        )


def test_the_root_answers_head(site: Gateway) -> None:
    """Claude Code asks `HEAD /` before anything else, and takes silence or an error for a broken address."""
    connection = site.connection()
    connection.request("HEAD", "/")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")


def test_the_id_and_usage_of_openais_answers_are_the_events(site: Gateway, client: openai.OpenAI) -> None:
    """Chat, responses and embeddings: `x-request-id` leads to the event, whose figures are the SDK's."""
    fields = {"x-mock-cached-tokens": "4"}
    raw_chat = client.chat.completions.with_raw_response.create(
        model="m", messages=[{"role": "user", "content": "Hello"}], extra_headers=fields
    )
    chat, event = raw_chat.parse(), site.event(raw_chat.headers["x-request-id"])
    assert chat.usage is not None
    assert chat._request_id == event["request_id"]
    assert event["usage"] == {"input_tokens": 9, "output_tokens": 16, "cache_read_tokens": 4}
    assert (chat.usage.prompt_tokens, chat.usage.completion_tokens) == (9, 16)
    raw = client.responses.with_raw_response.create(model="m", input="Hello", extra_headers=fields)
    response, event = raw.parse(), site.event(raw.headers["x-request-id"])
    assert response.usage is not None
    assert event["usage"] == {"input_tokens": 9, "output_tokens": 16, "cache_read_tokens": 4}
    assert (response.usage.input_tokens, response.usage.input_tokens_details.cached_tokens) == (9, 4)
    raw_vectors = client.embeddings.with_raw_response.create(model="e", input=["Hello", "again"])
    vectors, event = raw_vectors.parse(), site.event(raw_vectors.headers["x-request-id"])
    assert len(vectors.data) == 2
    assert event["usage"] == {"input_tokens": vectors.usage.prompt_tokens} == {"input_tokens": 9}


def test_the_id_and_usage_of_anthropics_answers_are_the_events(site: Gateway, claude: anthropic.Anthropic) -> None:
    """Tokens from a cache are apart in Anthropic's figures, and part of the input in an event's."""
    raw = claude.messages.with_raw_response.create(
        model="c",
        max_tokens=20,
        messages=[{"role": "user", "content": "Hello"}],
        extra_headers={"x-mock-cached-tokens": "4"},
    )
    message, event = raw.parse(), site.event(raw.headers["x-request-id"])
    assert message._request_id == event["request_id"] == raw.headers["request-id"]
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (5, 4)
    assert event["usage"] == {"input_tokens": 9, "output_tokens": 16, "cache_read_tokens": 4}


def test_usage_of_a_chat_stream_is_the_events(site: Gateway, client: openai.OpenAI) -> None:
    """Where the program asked for the figures it gets them, in a last chunk without choices."""
    stream = client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "Hello"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert not chunks[-1].choices
    assert chunks[-1].usage is not None
    assert site.event(stream.response.headers["x-request-id"])["usage"] == {
        "input_tokens": chunks[-1].usage.prompt_tokens,
        "output_tokens": chunks[-1].usage.completion_tokens,
    }


def test_the_events_of_a_response_arrive_in_order(site: Gateway, client: openai.OpenAI) -> None:
    """The helper puts the text together from numbered events; the last one has the figures of the journal."""
    with client.responses.stream(model="m", input="Hello") as stream:
        events = list(stream)
        response = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == response.output_text != ""
    assert response.usage is not None
    written = site.event(stream._response.headers["x-request-id"])
    assert (written["operation"], written["response_id"]) == ("responses", response.id)
    assert written["usage"] == {
        "input_tokens": response.usage.input_tokens,
        "output_tokens": response.usage.output_tokens,
    }


def test_a_streamed_call_of_a_tool_is_put_together(site: Gateway, client: openai.OpenAI) -> None:
    """Pieces of its arguments arrive untouched; the usage that nobody asked for is in the event only."""
    with client.chat.completions.stream(
        model="tools/m", messages=[{"role": "user", "content": "Weather?"}], tools=[TOOL]
    ) as stream:
        completion = stream.get_final_completion()
    choice = completion.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    call = choice.message.tool_calls[0]
    assert (call.id, call.function.name, call.function.arguments) == ("call_1", "weather", '{"city": "Paris"}')
    assert completion.usage is None
    event = site.event(stream._response.headers["x-request-id"])
    assert (event["provider"], event["finish_reason"]) == ("tools", "tool_calls")
    assert event["usage"] == {"input_tokens": 30, "output_tokens": 7}


def test_anthropics_stream_helper_agrees_with_the_event(site: Gateway, url: str, claude: anthropic.Anthropic) -> None:
    """Its message, put together from events, has the event's id and figures; sync and async."""
    with claude.messages.stream(model="c", max_tokens=9, messages=[{"role": "user", "content": "Hello"}]) as stream:
        kinds = [event.type for event in stream]
        message = stream.get_final_message()
        event = site.event(stream.response.headers["request-id"])
    assert (kinds[0], kinds[-1], kinds.count("text")) == ("message_start", "message_stop", 9)
    assert (message.stop_reason, event["finish_reason"]) == ("max_tokens", "max_tokens")
    figures = {"input_tokens": message.usage.input_tokens, "output_tokens": message.usage.output_tokens}
    assert event["usage"] == figures == {"input_tokens": 9, "output_tokens": 9}

    async def talk() -> tuple[str, str, int]:
        async with (
            anthropic.AsyncAnthropic(base_url=url, api_key=TOKEN) as client,
            client.messages.stream(model="c", max_tokens=9, messages=[{"role": "user", "content": "Hello"}]) as answers,
        ):
            text = "".join([piece async for piece in answers.text_stream])
            used = (await answers.get_final_message()).usage.output_tokens
            return answers.response.headers["request-id"], text, used

    request_id, text, used = asyncio.run(talk())
    assert text
    assert site.event(request_id)["usage"]["output_tokens"] == used == 9


def test_anthropics_tokens_are_counted(site: Gateway, claude: anthropic.Anthropic) -> None:
    """`count_tokens` goes to the provider, and is no use of a model."""
    counted = claude.messages.count_tokens(model="c", messages=[{"role": "user", "content": "Hello"}])
    assert counted.input_tokens == 9
    (event,) = [event for event in site.events() if (event["operation"], event.get("model")) == ("count_tokens", "c")]
    assert "usage" not in event
