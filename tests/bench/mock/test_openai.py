"""The mock as seen by the official OpenAI SDK."""

import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import openai
import pytest

from sluicegate.bench.mock import MockServer, MockSettings, parse_fault
from sluicegate.bench.mock.openai import error
from tests.bench.conversation import with_mock

T = TypeVar("T")


def with_sdk(conversation: Callable[[openai.AsyncOpenAI], Awaitable[T]], settings: MockSettings | None = None) -> T:
    """Run a conversation between the SDK and a mock."""

    async def run(mock: MockServer) -> T:
        base_url = f"http://127.0.0.1:{mock.port}/v1"
        async with openai.AsyncOpenAI(base_url=base_url, api_key="key", max_retries=0) as client:
            return await conversation(client)

    return with_mock(run, settings)


def test_chat_completion() -> None:
    """Text, finish reason and usage arrive; a cap cuts the answer and says so."""

    async def conversation(client: openai.AsyncOpenAI) -> None:
        answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
        assert answer.model == "m"
        assert answer.object == "chat.completion"
        assert answer.choices[0].message.content == " river gate water stone"
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (9, 4, 13)
        cut = await client.chat.completions.create(model="m", messages=[], max_completion_tokens=1)
        assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == (" river", "length")

    with_sdk(conversation, MockSettings(tokens=4))


@pytest.mark.parametrize("wants_usage", [True, False])
def test_streamed_chat_completion(wants_usage: bool) -> None:
    """Role first, then a word each, then the finish reason, and usage only for who asked."""

    async def conversation(client: openai.AsyncOpenAI) -> None:
        stream = await client.chat.completions.create(
            model="m", messages=[], stream=True, stream_options={"include_usage": wants_usage}
        )
        chunks = [chunk async for chunk in stream]
        assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
        choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
        assert choices[0].delta.role == "assistant"
        assert "".join(choice.delta.content or "" for choice in choices) == " river gate"
        assert [choice.finish_reason for choice in choices] == [None, None, None, "stop"]
        usages = [chunk.usage.completion_tokens for chunk in chunks if chunk.usage]
        assert usages == ([2] if wants_usage else [])

    with_sdk(conversation, MockSettings(tokens=2))


def test_no_usage_at_all() -> None:
    """A provider that reports none, streaming or not."""

    async def conversation(client: openai.AsyncOpenAI) -> None:
        assert (await client.chat.completions.create(model="m", messages=[])).usage is None
        assert (await client.completions.create(model="m", prompt="")).usage is None
        assert (await client.responses.create(model="m", input="")).usage is None
        stream = await client.chat.completions.create(
            model="m", messages=[], stream=True, stream_options={"include_usage": True}
        )
        assert not [chunk async for chunk in stream if chunk.usage]

    with_sdk(conversation, MockSettings(tokens=2, usage=False))


def test_completions() -> None:
    """The older API, whole and streamed, with usage in the last chunk."""

    async def conversation(client: openai.AsyncOpenAI) -> None:
        answer = await client.completions.create(model="m", prompt="hi")
        assert (answer.choices[0].text, answer.choices[0].finish_reason) == (" river gate", "stop")
        assert answer.usage is not None
        assert answer.usage.completion_tokens == 2
        stream = await client.completions.create(
            model="m", prompt="hi", stream=True, stream_options={"include_usage": True}, max_tokens=1
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == " river"
        assert chunks[-1].usage is not None
        plain = await client.completions.create(model="m", prompt="hi", stream=True)
        assert [chunk.usage async for chunk in plain] == [None, None, None]

    with_sdk(conversation, MockSettings(tokens=2))


def test_responses() -> None:
    """A response, whole and as numbered events; one that was cut is incomplete."""

    async def conversation(client: openai.AsyncOpenAI) -> None:
        answer = await client.responses.create(model="m", input="hi")
        assert (answer.output_text, answer.status) == (" river gate", "completed")
        assert answer.usage is not None
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (9, 2)
        assert answer.usage.input_tokens_details.cached_tokens == 4
        stream = await client.responses.create(model="m", input="hi", stream=True, max_output_tokens=1)
        events = [event async for event in stream]
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == " river"
        assert events[-1].type == "response.incomplete"
        assert events[-1].response.usage is not None

    with_sdk(conversation, MockSettings(tokens=2, cached_tokens=4))


def test_embeddings() -> None:
    """A vector for each input, in base64 as the SDK asks for it and as numbers."""

    async def conversation(client: openai.AsyncOpenAI) -> None:
        one = await client.embeddings.create(model="m", input="hi")
        assert len(one.data[0].embedding) == 8
        two = await client.embeddings.create(model="m", input=["a", "b"], dimensions=3, encoding_format="float")
        assert [item.index for item in two.data] == [0, 1]
        assert two.data[0].embedding == pytest.approx(one.data[0].embedding[:3])
        tokens = await client.embeddings.create(model="m", input=[1, 2, 3])
        assert len(tokens.data) == 1
        assert tokens.usage.total_tokens == 9

    with_sdk(conversation)


def test_models() -> None:
    """The list of models is not empty and has the names that examples use."""

    async def conversation(client: openai.AsyncOpenAI) -> None:
        assert "gpt-4o-mini" in [model.id async for model in client.models.list()]

    with_sdk(conversation)


def test_files_and_transcriptions_take_uploads() -> None:
    """Multipart bodies are taken in and counted, never kept."""

    async def conversation(client: openai.AsyncOpenAI) -> None:
        file = await client.files.create(file=("a.jsonl", b"x" * 100_000), purpose="batch")
        assert file.bytes > 100_000
        heard = await client.audio.transcriptions.create(model="m", file=("a.wav", b"x" * 1000))
        assert heard.text

    with_sdk(conversation)


def test_faulty_status_is_the_sdk_s_own_error() -> None:
    """Errors have the shape that the SDK reads its message from."""

    async def conversation(client: openai.AsyncOpenAI) -> None:
        with pytest.raises(openai.RateLimitError, match="told to fail") as caught:
            await client.chat.completions.create(model="m", messages=[])
        assert caught.value.type == "rate_limit_error"
        assert caught.value.response.headers["retry-after"] == "7"

    with_sdk(conversation, MockSettings(fault=parse_fault("status=429"), retry_after=7))


def test_error_in_the_middle_of_a_stream_is_raised() -> None:
    """What came before the error is delivered."""

    async def conversation(client: openai.AsyncOpenAI) -> None:
        stream = await client.chat.completions.create(model="m", messages=[], stream=True)
        await anext(stream)
        await anext(stream)
        with pytest.raises(openai.APIError, match="half-way"):
            await anext(stream)

    with_sdk(conversation, MockSettings(fault=parse_fault("error-after=2")))


def test_types_of_errors() -> None:
    """A status has the type that the API gives it."""
    kinds = {status: json.loads(error(status, "m").body)["error"]["type"] for status in (400, 401, 404, 429, 500)}
    assert kinds == {
        400: "invalid_request_error",
        401: "authentication_error",
        404: "not_found_error",
        429: "rate_limit_error",
        500: "server_error",
    }
