"""The OpenAI dialect: paths, errors, what it asks for and what it reads."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import openai
import pytest

from sluicegate.dialects.allow import allowed_methods
from sluicegate.dialects.openai import OpenAI
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
    UpstreamUnreachableError,
)
from sluicegate.domain.usage import Reading, Usage

DIALECT = OpenAI()


def encoded(value: object) -> bytes:
    """A value as a client or provider writes it."""
    return json.dumps(value).encode()


@contextmanager
def sdk(status: int, content_type: str, body: bytes) -> Iterator[openai.OpenAI]:
    """The official client, before a server that always gives this answer."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, headers={"content-type": content_type}, content=body)

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as transport:
        yield openai.OpenAI(api_key="key", base_url="http://host/v1", max_retries=0, http_client=transport)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("chat/completions", {"GET", "HEAD", "POST"}),
        ("chat/completions/c1", {"GET", "HEAD", "POST", "DELETE"}),
        ("chat/completions/c1/messages", {"GET", "HEAD"}),
        ("completions", {"POST"}),
        ("responses", {"GET", "HEAD", "POST"}),
        ("responses/r1", {"GET", "HEAD", "DELETE"}),
        ("responses/r1/cancel", {"POST"}),
        ("responses/r1/input_items", {"GET", "HEAD"}),
        ("responses/compact", {"GET", "HEAD", "POST", "DELETE"}),
        ("responses/input_tokens", {"GET", "HEAD", "POST", "DELETE"}),
        ("conversations", {"GET", "HEAD", "POST", "DELETE"}),
        ("conversations/c1/items/i1", {"GET", "HEAD", "POST", "DELETE"}),
        ("embeddings", {"POST"}),
        ("models", {"GET", "HEAD", "DELETE"}),
        ("models/vendor/model:free", {"GET", "HEAD", "DELETE"}),
        ("images/generations", {"POST"}),
        ("audio/transcriptions", {"POST"}),
        ("moderations", {"POST"}),
        ("files/f1/content", {"GET", "HEAD", "POST", "DELETE"}),
        ("uploads/u1/parts", {"POST"}),
        ("batches/b1/cancel", {"GET", "HEAD", "POST"}),
        ("vector_stores/v1/search", {"GET", "HEAD", "POST", "DELETE"}),
        ("containers/c1/files", {"GET", "HEAD", "POST", "DELETE"}),
        ("fine_tuning/jobs/j1", {"GET", "HEAD", "POST", "DELETE"}),
        ("evals/e1/runs", {"GET", "HEAD", "POST", "DELETE"}),
        ("realtime", {"GET", "HEAD"}),
        ("realtime/calls/c1/accept", {"POST"}),
    ],
)
def test_documented_paths_are_allowed(path: str, methods: set[str]) -> None:
    """The API's paths for applications pass, each with its methods."""
    assert set(allowed_methods(DIALECT.allow, path)) == methods


@pytest.mark.parametrize(
    "path",
    [
        "",
        "organization/users",
        "organization/admin_api_keys",
        "projects",
        "realtime/client_secrets",
        "threads",
        "v1/models",
    ],
)
def test_other_paths_are_closed(path: str) -> None:
    """Administration, and whatever hands out keys of the provider, is not reachable with a token of ours."""
    assert allowed_methods(DIALECT.allow, path) == ()


@pytest.mark.parametrize(
    ("path", "operation", "is_countable"),
    [
        ("chat/completions", "chat", True),
        ("chat/completions/c1", "stored", False),
        ("completions", "completions", True),
        ("responses", "responses", True),
        ("responses/compact", "responses", True),
        ("responses/input_tokens", "count_tokens", False),
        ("responses/r1", "stored", False),
        ("responses/r1/cancel", "stored", False),
        ("embeddings", "embeddings", True),
        ("models/m", "models", False),
        ("images/edits", "images", False),
        ("audio/speech", "audio", False),
    ],
)
def test_path_names_the_operation(path: str, operation: str, is_countable: bool) -> None:
    """What a path does is told by name, and whether tokens can be counted there; what reads back is `stored`."""
    assert DIALECT.operation(path) == operation
    assert DIALECT.is_countable(operation) is is_countable


@pytest.mark.parametrize(
    ("base", "version"), [("", "/v1"), ("/v1", "/v1"), ("/openai/v1", "/openai/v1"), ("/api/paas/v4", "/api/paas/v4")]
)
def test_base_url_holds_the_version(base: str, version: str) -> None:
    """`/v1` stands for the base URL's path, whatever version that is; without a path it stays."""
    assert DIALECT.version_path(base) == version


def test_paths_and_headers() -> None:
    """The key is a bearer token, the version is stripped once, and neither path nor query say anything more."""
    assert DIALECT.credential_headers("sk-1") == (("authorization", "Bearer sk-1"),)
    assert DIALECT.default_headers() == ()
    assert DIALECT.rest_of("v1/chat/completions") == "chat/completions"
    assert DIALECT.model_in_path("models/gpt-5") is None
    assert not DIALECT.is_stream_request("chat/completions", "stream=true")


def test_usage_is_asked_for_in_chat_only() -> None:
    """Only chat and completions report a stream's usage on request."""
    asked = [
        name for name in ("chat", "completions", "responses", "embeddings", "audio") if DIALECT.can_include_usage(name)
    ]
    assert asked == ["chat", "completions"]
    assert DIALECT.is_usage_only(b'{"choices":[],"usage":{"prompt_tokens":1}}')


@pytest.mark.parametrize(
    ("kind", "error_type"),
    [
        (BadRequestError, "invalid_request_error"),
        (CredentialUnknownError, "authentication_error"),
        (ModelForbiddenError, "permission_error"),
        (ModelUnknownError, "not_found_error"),
        (BodyTooLargeError, "invalid_request_error"),
        (NoConnectionError, "server_error"),
        (UpstreamTimeoutError, "server_error"),
        (UpstreamUnreachableError, "upstream_error"),
        (UpstreamBrokenError, "upstream_error"),
        (GatewayError, "server_error"),
    ],
)
def test_error_body(kind: type[GatewayError], error_type: str) -> None:
    """An error has message, type, parameter and code, and nothing else."""
    body = json.loads(DIALECT.error_body(kind("Say it.", parameter="model"), "req_1"))
    assert body == {"error": {"message": "Say it.", "type": error_type, "param": "model", "code": kind.code}}
    assert json.loads(DIALECT.error_body(kind("Say it."), "req_1"))["error"]["param"] is None


def test_sdk_raises_the_matching_error() -> None:
    """The official client turns an error body into its class for that status, with message and code."""
    error = ModelUnknownError("no such model", parameter="model")
    with (
        sdk(404, "application/json", DIALECT.error_body(error, "req_1")) as client,
        pytest.raises(openai.NotFoundError) as seen,
    ):
        client.chat.completions.create(model="m", messages=[])
    assert (seen.value.code, seen.value.param) == ("model_not_found", "model")
    assert "no such model" in seen.value.message


def test_sdk_raises_at_the_end_of_a_broken_chat() -> None:
    """A chat's broken stream ends so that the official client raises what went wrong."""
    event = DIALECT.stream_error(UpstreamBrokenError("it broke"), "req_1", "chat", 2)
    assert event.startswith(b'data: {"error":{')
    chunk = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\n'
    with sdk(200, "text/event-stream", chunk + event) as client:
        stream = client.chat.completions.create(model="m", messages=[], stream=True)
        assert next(stream).id == "c"
        with pytest.raises(openai.APIError, match="it broke") as seen:
            next(stream)
    assert seen.value.code == "upstream_error"


def test_sdk_raises_at_the_end_of_broken_responses() -> None:
    """A broken stream of typed events ends with an event `error` in sequence, on which the official client raises."""
    event = DIALECT.stream_error(UpstreamBrokenError("it broke", parameter="p"), "req_1", "responses", 7)
    name, data = event.removesuffix(b"\n\n").split(b"\n")
    fields = json.loads(data.removeprefix(b"data: "))
    assert name == b"event: error"
    assert (fields["type"], fields["sequence_number"], fields["code"], fields["param"]) == (
        "error",
        7,
        "upstream_error",
        "p",
    )
    with sdk(200, "text/event-stream", event) as client:
        stream = client.responses.create(model="m", input="x", stream=True)
        with pytest.raises(openai.APIError, match="it broke"):
            next(stream)


@pytest.mark.parametrize(
    ("operation", "usage"),
    [
        ("chat", Usage(5, 2)),
        ("completions", Usage(5, 2)),
        ("embeddings", Usage(5, 2)),
        ("responses", Usage(5, 2)),
        ("images", Usage(5, 2)),
        ("audio", Usage(5, 2)),
        ("files", None),
        ("stored", None),
    ],
)
def test_whole_answers_are_read_by_operation(operation: str, usage: Usage | None) -> None:
    """Answers to operations of models have usage; what reads one back does not count it again."""
    body = encoded({"usage": {"prompt_tokens": 5, "completion_tokens": 2}})
    assert DIALECT.read_answer(operation, body) == Reading(usage=usage)


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("chat", "ChatReader"),
        ("completions", "ChatReader"),
        ("responses", "EventReader"),
        ("audio", "EventReader"),
        ("files", "SilentReader"),
    ],
)
def test_streams_are_read_by_operation(operation: str, name: str) -> None:
    """Chat streams are chunks, those of newer APIs are typed events, others are not understood."""
    assert type(DIALECT.stream_reader(operation)).__name__ == name


def test_prompt_of_chat() -> None:
    """Each message, each tool and the shape of the answer count as input."""
    schema = {"type": "json_schema", "json_schema": {"name": "s"}}
    request = {
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "functions": [{"name": "g"}],
        "response_format": schema,
    }
    tool, function = '{"type":"function","function":{"name":"f"}}', '{"name":"g"}'
    shape = '{"type":"json_schema","json_schema":{"name":"s"}}'
    assert DIALECT.prompt_text("chat", encoded(request)) == ["be brief", "hi", tool, function, shape]


def test_prompt_of_completions() -> None:
    """A prompt is a text, several texts, or token numbers."""
    assert DIALECT.prompt_text("completions", b'{"prompt":"once"}') == ["once"]
    assert DIALECT.prompt_text("completions", b'{"prompt":["a","b"]}') == ["a", "b"]
    assert DIALECT.prompt_text("completions", b'{"prompt":[1,2]}') == [" the the"]


def test_prompt_of_responses() -> None:
    """Instructions, input items, tools and the shape of the text count as input; a plain text format does not."""
    request = {
        "instructions": "be brief",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "function_call", "name": "f", "arguments": "{}"},
        ],
        "text": {"format": {"type": "json_schema", "name": "s"}},
    }
    assert DIALECT.prompt_text("responses", encoded(request)) == [
        "be brief",
        "hi",
        "f\n{}",
        '{"type":"json_schema","name":"s"}',
    ]
    assert DIALECT.prompt_text("responses", b'{"input":"hi","text":{"format":{"type":"text"}}}') == ["hi"]
    assert DIALECT.prompt_text("embeddings", b'{"input":["a","b"]}') == ["a", "b"]


def test_answer_of_chat() -> None:
    """All choices count: content, reasoning, refusals and calls."""
    answer = {
        "choices": [
            {
                "message": {
                    "content": "a",
                    "reasoning_content": "b",
                    "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}],
                }
            },
            {"message": {"content": None, "refusal": "no"}},
        ]
    }
    assert DIALECT.answer_text("chat", encoded(answer)) == "a\nb\nf\n{}\nno"
    assert DIALECT.answer_text("completions", b'{"choices":[{"text":"a"}]}') == "a"


def test_answer_of_responses() -> None:
    """Output items count: texts, summaries of reasoning and calls."""
    answer = {
        "output": [
            {"type": "reasoning", "summary": [{"text": "because"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
            {"type": "function_call", "name": "f", "arguments": '{"x":1}'},
        ]
    }
    assert DIALECT.answer_text("responses", encoded(answer)) == 'because\na\nf\n{"x":1}'
    assert DIALECT.answer_text("embeddings", b'{"data":[{"embedding":[1,2]}]}') == ""
