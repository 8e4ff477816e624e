"""The Anthropic dialect: paths, headers, errors and what it reads."""

import json

import anthropic
import httpx2
import pytest

from sluicegate.dialects.allow import allowed_methods
from sluicegate.dialects.anthropic import Anthropic
from sluicegate.domain.errors import (
    BadRequestError,
    BodyTooLargeError,
    CredentialUnknownError,
    GatewayError,
    ModelForbiddenError,
    ModelUnknownError,
    NoConnectionError,
    UpstreamBrokenError,
    UpstreamTimeoutError,
)
from sluicegate.domain.usage import Reading, Usage

DIALECT = Anthropic()


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("messages", {"POST"}),
        ("messages/count_tokens", {"POST"}),
        ("messages/batches", {"GET", "HEAD", "POST", "DELETE"}),
        ("messages/batches/b1/results", {"GET", "HEAD", "POST", "DELETE"}),
        ("complete", {"POST"}),
        ("models", {"GET", "HEAD"}),
        ("models/claude-x", {"GET", "HEAD"}),
        ("files/f1/content", {"GET", "HEAD", "POST", "DELETE"}),
        ("organizations/users", set()),
        ("messages/other", set()),
        ("v1/messages", set()),
    ],
)
def test_documented_paths_are_allowed(path: str, methods: set[str]) -> None:
    """The API's paths for applications pass, each with its methods; administration does not."""
    assert set(allowed_methods(DIALECT.allow, path)) == methods


@pytest.mark.parametrize(
    ("path", "operation", "is_countable"),
    [
        ("messages", "messages", True),
        ("messages/count_tokens", "count_tokens", False),
        ("messages/batches", "batches", False),
        ("messages/batches/b1", "stored", False),
        ("models/claude-x", "models", False),
        ("complete", "complete", False),
    ],
)
def test_path_names_the_operation(path: str, operation: str, is_countable: bool) -> None:
    """What a path does is told by name, and whether tokens can be counted there."""
    assert DIALECT.operation(path) == operation
    assert DIALECT.is_countable(operation) is is_countable


@pytest.mark.parametrize(
    ("base", "version"), [("", "/v1"), ("/v1", "/v1"), ("/anthropic", "/anthropic/v1"), ("/a/v1", "/a/v1")]
)
def test_base_url_ends_before_the_version(base: str, version: str) -> None:
    """`/v1` follows the base URL's path, unless that holds it."""
    assert DIALECT.version_path(base) == version


def test_headers() -> None:
    """The key has its own header, except an OAuth token; a version is sent for clients that send none."""
    assert DIALECT.credential_headers("sk-ant-api03-x") == (("x-api-key", "sk-ant-api03-x"),)
    assert DIALECT.credential_headers("sk-ant-oat01-x") == (("authorization", "Bearer sk-ant-oat01-x"),)
    assert DIALECT.default_headers() == (("anthropic-version", "2023-06-01"),)


def test_path_and_body_ask_for_nothing_more() -> None:
    """The body names model and stream, and a stream always reports usage."""
    assert DIALECT.rest_of("v1/messages") == "messages"
    assert DIALECT.model_in_path("models/claude-x") is None
    assert not DIALECT.is_stream_request("messages", "beta=true")
    assert not DIALECT.can_include_usage("messages")
    assert not DIALECT.is_usage_only(b'{"type":"message_delta","usage":{"output_tokens":1}}')


@pytest.mark.parametrize(
    ("kind", "error_type"),
    [
        (BadRequestError, "invalid_request_error"),
        (CredentialUnknownError, "authentication_error"),
        (ModelForbiddenError, "permission_error"),
        (ModelUnknownError, "not_found_error"),
        (BodyTooLargeError, "request_too_large"),
        (NoConnectionError, "overloaded_error"),
        (UpstreamTimeoutError, "timeout_error"),
        (GatewayError, "api_error"),
    ],
)
def test_error_body(kind: type[GatewayError], error_type: str) -> None:
    """An error has type and message, and the request's id beside them."""
    body = json.loads(DIALECT.error_body(kind("Say it.", parameter="model"), "req_1"))
    assert body == {"type": "error", "error": {"type": error_type, "message": "Say it."}, "request_id": "req_1"}


def test_sdk_raises_at_the_end_of_a_broken_stream() -> None:
    """A broken stream ends with an event `error`, on which the official client raises."""
    event = DIALECT.stream_error(UpstreamBrokenError("it broke"), "req_1", "messages", 4)
    assert event.startswith(b"event: error\ndata: {")

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=event)

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as transport:
        client = anthropic.Anthropic(api_key="k", base_url="http://host", max_retries=0, http_client=transport)
        stream = client.messages.create(model="m", max_tokens=1, messages=[], stream=True)
        with pytest.raises(anthropic.APIStatusError, match="it broke"):
            next(stream)


def test_only_messages_are_read() -> None:
    """Messages have usage; counting and batches produce none."""
    body = b'{"usage":{"input_tokens":5,"output_tokens":2}}'
    assert DIALECT.read_answer("messages", body) == Reading(usage=Usage(5, 2))
    assert DIALECT.read_answer("stored", body) == Reading()
    assert type(DIALECT.stream_reader("messages")).__name__ == "MessageReader"
    assert type(DIALECT.stream_reader("complete")).__name__ == "SilentReader"


def test_prompt() -> None:
    """The system prompt, each message and each tool count as input, for a message and for counting one."""
    request = {
        "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{"type": "tool_use", "name": "f", "input": {"x": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "42"}]}]},
        ],
        "tools": [{"name": "f", "input_schema": {}}],
    }
    expected = ["be brief", "hi", 'f\n{"x":1}', "42", '{"name":"f","input_schema":{}}']
    for operation in ("messages", "count_tokens"):
        assert DIALECT.prompt_text(operation, json.dumps(request).encode()) == expected
    assert DIALECT.prompt_text("messages", b'{"messages":[{"role":"user","content":"hi"}]}') == ["hi"]


def test_answer() -> None:
    """All content blocks count: text, thinking and the arguments of tools."""
    content = [
        {"type": "thinking", "thinking": "because", "signature": "xyz"},
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    ]
    assert DIALECT.answer_text("messages", json.dumps({"content": content}).encode()) == "because\na\nf\n{}"
    assert DIALECT.answer_text("count_tokens", b'{"content":"a"}') == ""
