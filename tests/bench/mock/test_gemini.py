"""The mock as seen by Google's SDK, and the form of streaming that the SDK does not use."""

import asyncio
import json
from collections.abc import Callable

import pytest
from google import genai
from google.genai import errors, types

from sluicegate.bench.mock import MockServer, MockSettings, parse_fault
from sluicegate.bench.mock.gemini import error
from tests.bench.conversation import answer_to, request, with_mock

PATH = "/v1beta/models/gemini-3-flash"


def with_sdk(conversation: Callable[[genai.Client], None], settings: MockSettings) -> None:
    """Run a conversation between the SDK, its blocking half, and a mock."""

    def run(mock: MockServer) -> None:
        options = types.HttpOptions(base_url=f"http://127.0.0.1:{mock.port}")
        with genai.Client(api_key="key", http_options=options) as client:
            conversation(client)

    with_mock(lambda mock: asyncio.to_thread(run, mock), settings)


def test_sdk() -> None:
    """Whole and streamed answers, counted tokens and embeddings."""

    def conversation(client: genai.Client) -> None:
        answer = client.models.generate_content(model="g", contents="hi")
        assert answer.text == " river gate"
        assert answer.usage_metadata is not None
        assert answer.usage_metadata.candidates_token_count == 2
        stream = client.models.generate_content_stream(model="g", contents="hi")
        assert [part.text for part in stream] == [" river", " gate"]
        assert client.models.count_tokens(model="g", contents="hi").total_tokens == 9
        embedded = client.models.embed_content(model="g", contents="hi")
        assert embedded.embeddings is not None
        assert len(embedded.embeddings[0].values or ()) == 8

    with_sdk(conversation, MockSettings(tokens=2))


def test_faulty_status_is_the_sdk_s_own_error() -> None:
    """Errors have the shape that the SDK reads its status from."""

    def conversation(client: genai.Client) -> None:
        with pytest.raises(errors.ClientError) as caught:
            client.models.generate_content(model="g", contents="hi")
        assert caught.value.status == "INVALID_ARGUMENT"

    with_sdk(conversation, MockSettings(fault=parse_fault("status=400")))


def chunks(heard: bytes) -> list[bytes]:
    """The chunks of a chunked answer, without the last."""
    rest, found = heard.partition(b"\r\n\r\n")[2], []
    while (size := int(rest.partition(b"\r\n")[0], 16)) > 0:
        rest = rest.partition(b"\r\n")[2]
        found.append(rest[:size])
        rest = rest[size + 2 :]
    return found


def test_stream_without_events_is_a_list_that_grows() -> None:
    """Each part comes as a chunk of its own, together they are one JSON list, the last with usage and finish reason."""
    heard = answer_to(request(f"{PATH}:streamGenerateContent", b"{}"), MockSettings(tokens=3))
    parts = chunks(heard)
    assert len(parts) == 3
    items = json.loads(b"".join(parts))
    assert [item["usageMetadata"]["candidatesTokenCount"] for item in items] == [1, 2, 3]
    assert ["finishReason" in item["candidates"][0] for item in items] == [False, False, True]


def test_empty_stream_still_says_why_it_ended() -> None:
    """A cap of nothing gives one part without text."""
    body = b'{"generationConfig":{"maxOutputTokens":0}}'
    (part,) = json.loads(b"".join(chunks(answer_to(request(f"{PATH}:streamGenerateContent", body)))))
    assert part["candidates"][0]["finishReason"] == "MAX_TOKENS"


def test_failure_in_a_list_leaves_it_a_list() -> None:
    """A list that breaks off with an error is still JSON."""
    said = request(f"{PATH}:streamGenerateContent", b"{}", "x-mock-fault: error-after=2")
    items = json.loads(b"".join(chunks(answer_to(said))))
    assert items[-1]["error"]["status"] == "UNAVAILABLE"


def test_other_actions() -> None:
    """A batch of embeddings, an answer without usage, the list of models, and an action that does not exist."""
    assert b'"embeddings"' in answer_to(request(f"{PATH}:batchEmbedContents", b"{}"))
    assert b"usageMetadata" not in answer_to(request(f"{PATH}:generateContent", b"{}", "x-mock-usage: off"))
    assert b"models/gemini-3-flash" in answer_to(request("/v1beta/models", method="GET"))
    assert b"404 Not Found" in answer_to(request(f"{PATH}:think", b"{}"))


def test_errors() -> None:
    """An unknown status has no name of its own."""
    assert json.loads(error(418, "m").body)["error"]["status"] == "UNKNOWN"
    assert b"retry-after: 3\r\n" in error(429, "m", 3).head
