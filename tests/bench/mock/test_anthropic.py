"""The mock as seen by the official Anthropic SDK."""

import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anthropic
import pytest

from sluicegate.bench.mock import MockServer, MockSettings, parse_fault
from sluicegate.bench.mock.anthropic import error
from tests.bench.conversation import answer_to, request, with_mock

T = TypeVar("T")

ASK = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}


def with_sdk(
    conversation: Callable[[anthropic.AsyncAnthropic], Awaitable[T]], settings: MockSettings | None = None
) -> T:
    """Run a conversation between the SDK and a mock."""

    async def run(mock: MockServer) -> T:
        base_url = f"http://127.0.0.1:{mock.port}"
        async with anthropic.AsyncAnthropic(base_url=base_url, api_key="key", max_retries=0) as client:
            return await conversation(client)

    return with_mock(run, settings)


def test_message() -> None:
    """Text, stop reason and usage arrive; cached tokens are not input tokens; a cap cuts the answer."""

    async def conversation(client: anthropic.AsyncAnthropic) -> None:
        answer = await client.messages.create(model="m", max_tokens=100, messages=[{"role": "user", "content": "hi"}])
        assert [block.text for block in answer.content if block.type == "text"] == [" river gate"]
        assert answer.stop_reason == "end_turn"
        assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens) == (5, 4)
        assert answer.usage.output_tokens == 2
        cut = await client.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "hi"}])
        assert cut.stop_reason == "max_tokens"

    with_sdk(conversation, MockSettings(tokens=2, cached_tokens=4))


def test_streamed_message() -> None:
    """The SDK puts the text together and finds the usage at both ends."""

    async def conversation(client: anthropic.AsyncAnthropic) -> None:
        async with client.messages.stream(
            model="m", max_tokens=100, messages=[{"role": "user", "content": "hi"}]
        ) as stream:
            assert [text async for text in stream.text_stream] == [" river", " gate"]
            answer = await stream.get_final_message()
        assert answer.stop_reason == "end_turn"
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (9, 2)

    with_sdk(conversation, MockSettings(tokens=2))


def test_count_tokens() -> None:
    """The count is the one that usage reports."""

    async def conversation(client: anthropic.AsyncAnthropic) -> None:
        counted = await client.messages.count_tokens(model="m", messages=[{"role": "user", "content": "hi"}])
        assert counted.input_tokens == 31

    with_sdk(conversation, MockSettings(prompt_tokens=31))


def test_overload_after_a_good_start_is_raised() -> None:
    """A stream can begin with status 200 and then fail."""

    async def conversation(client: anthropic.AsyncAnthropic) -> None:
        async with client.messages.stream(
            model="m", max_tokens=100, messages=[{"role": "user", "content": "hi"}]
        ) as stream:
            with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
                await stream.until_done()

    with_sdk(conversation, MockSettings(fault=parse_fault("error-after=3")))


def test_no_usage_at_all() -> None:
    """Neither the whole answer nor the stream has any."""
    settings = MockSettings(usage=False)
    for body in (ASK, ASK | {"stream": True}):
        heard = answer_to(request("/v1/messages", json.dumps(body).encode()), settings)
        assert b"200 OK" in heard
        assert b"usage" not in heard


def test_types_of_errors() -> None:
    """A status has the type that the API gives it, and any other one of the two general ones."""
    kinds = {status: json.loads(error(status, "m").body)["error"]["type"] for status in (401, 418, 500, 529)}
    assert kinds == {
        401: "authentication_error",
        418: "invalid_request_error",
        500: "api_error",
        529: "overloaded_error",
    }
    assert b"retry-after: 3\r\n" in error(529, "m", 3).head
