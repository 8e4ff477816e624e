"""The Gemini dialect: paths with models, headers, errors and what it reads."""

import json

import pytest

from sluicegate.dialects.allow import allowed_methods
from sluicegate.dialects.gemini import Gemini
from sluicegate.domain.errors import (
    BodyTooLargeError,
    ClientTooSlowError,
    CredentialUnknownError,
    DrainingError,
    GatewayError,
    ModelForbiddenError,
    ModelUnknownError,
    TargetTooLongError,
    UpstreamBrokenError,
    UpstreamTimeoutError,
)
from sluicegate.domain.usage import Reading, Usage

DIALECT = Gemini()


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("models/gemini-x:generateContent", {"GET", "HEAD", "POST"}),
        ("models/gemini-x:streamGenerateContent", {"GET", "HEAD", "POST"}),
        ("models/gemini-x:countTokens", {"GET", "HEAD", "POST"}),
        ("models/gemini-x:batchEmbedContents", {"GET", "HEAD", "POST"}),
        ("models", {"GET", "HEAD"}),
        ("models/gemini-x", {"GET", "HEAD"}),
        ("files", {"GET", "HEAD"}),
        ("files/f1", {"GET", "HEAD", "DELETE"}),
        ("upload/v1beta/files", {"POST", "PUT"}),
        ("cachedContents", {"GET", "HEAD", "POST"}),
        ("cachedContents/c1", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("fileSearchStores/s1/documents", {"GET", "HEAD", "POST", "DELETE"}),
        ("batches/b1:cancel", {"GET", "HEAD", "POST", "DELETE"}),
        ("operations/o1", {"GET", "HEAD", "POST"}),
        ("models/gemini-x:deleteEverything", {"GET", "HEAD"}),
        ("auth_tokens", set()),
        ("", set()),
    ],
)
def test_documented_paths_are_allowed(path: str, methods: set[str]) -> None:
    """The API's paths pass, each with its methods; an unknown verb can only be read, and keys are not handed out."""
    assert set(allowed_methods(DIALECT.allow, path)) == methods


@pytest.mark.parametrize(
    ("path", "operation", "is_countable"),
    [
        ("models/gemini-x:generateContent", "generate", True),
        ("models/gemini-x:streamGenerateContent", "generate", True),
        ("tunedModels/t1:generateContent", "generate", True),
        ("models/gemini-x:embedContent", "embeddings", True),
        ("models/gemini-x:countTokens", "count_tokens", False),
        ("models/imagen:predict", "predict", False),
        ("models/gemini-x:other", "models", False),
        ("models/generateContent", "models", False),
        ("models", "models", False),
        ("interactions", "interactions", False),
        ("interactions/i1", "stored", False),
        ("files/f1", "files", False),
    ],
)
def test_path_names_the_operation(path: str, operation: str, is_countable: bool) -> None:
    """What a path does is told by its verb, and whether tokens can be counted there."""
    assert DIALECT.operation(path) == operation
    assert DIALECT.is_countable(operation) is is_countable


@pytest.mark.parametrize(
    ("base", "version"),
    [
        ("", "/v1beta"),
        ("/v1", "/v1"),
        ("/v1beta", "/v1beta"),
        ("/g", "/g/v1beta"),
        ("/g/v1alpha", "/g/v1alpha"),
        ("/v12", "/v12/v1beta"),
    ],
)
def test_version_is_added_where_missing(base: str, version: str) -> None:
    """The version follows the base URL's path, unless that names one."""
    assert DIALECT.version_path(base) == version


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("v1beta/models", "models"),
        ("v1/models", "models"),
        ("v1beta3/models", "models"),
        ("models", "models"),
        ("v1x/models", "v1x/models"),
    ],
)
def test_any_version_is_stripped(path: str, rest: str) -> None:
    """Stable, beta and alpha versions are stripped; other first segments stay."""
    assert DIALECT.rest_of(path) == rest


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("models/gemini-x:generateContent", "gemini-x"),
        ("models/gemini-x", "gemini-x"),
        ("tunedModels/t1:generateContent", "tunedModels/t1"),
        ("models/text@001:countTokens", "text@001"),
        ("models/gemini-x/operations/o1", None),
        ("models/google/gemini-x:unheardOf", None),
        ("models/:generateContent", None),
        ("models", None),
    ],
)
def test_model_is_in_the_path(path: str, model: str | None) -> None:
    """The path names the model, which can be put back without change."""
    assert DIALECT.model_in_path(path) == model
    assert DIALECT.with_model_in_path(path, model or "other") == path


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-y", "models/gemini-y:generateContent"),
        ("models/gemini-y", "models/gemini-y:generateContent"),
        ("tunedModels/t1", "tunedModels/t1:generateContent"),
        ("../../files", "models/..%2F..%2Ffiles:generateContent"),
    ],
)
def test_model_is_replaced(model: str, path: str) -> None:
    """Another model takes the place of the first, with its verb; its name can never become another path."""
    assert DIALECT.with_model_in_path("models/gemini-x:generateContent", model) == path


@pytest.mark.parametrize(
    ("path", "model", "escaped"),
    [
        ("models/google/gemini-x:generateContent", "google/gemini-x", "models/google%2Fgemini-x:generateContent"),
        ("models/a:8b:streamGenerateContent", "a:8b", "models/a%3A8b:streamGenerateContent"),
    ],
)
def test_any_name_stands_before_a_verb(path: str, model: str, escaped: str) -> None:
    """Also `provider/model`, and one with a colon; put back, it is one segment."""
    assert DIALECT.model_in_path(path) == model
    assert DIALECT.with_model_in_path(path, model) == escaped


def test_model_beside_the_path_is_replaced() -> None:
    """An item of a batch of embeddings repeats the path's model."""
    body = b'{"requests":[{"model":"models/smart","content":{}}]}'
    assert DIALECT.with_model_repeated(body, "e-1") == body.replace(b"smart", b"e-1")


def test_headers_and_streams() -> None:
    """The key has its own header; the verb asks for streams, which always report usage."""
    assert DIALECT.credential_headers("AIza") == (("x-goog-api-key", "AIza"),)
    assert DIALECT.default_headers() == ()
    assert DIALECT.is_stream_request("models/m:streamGenerateContent", "")
    assert not DIALECT.is_stream_request("models/m:generateContent", "alt=sse")
    assert not DIALECT.can_include_usage("generate")
    assert not DIALECT.is_usage_only(b'{"usageMetadata":{"promptTokenCount":1}}')


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (CredentialUnknownError, "UNAUTHENTICATED"),
        (ModelForbiddenError, "PERMISSION_DENIED"),
        (ModelUnknownError, "NOT_FOUND"),
        (ClientTooSlowError, "DEADLINE_EXCEEDED"),
        (BodyTooLargeError, "INVALID_ARGUMENT"),
        (TargetTooLongError, "INVALID_ARGUMENT"),
        (UpstreamBrokenError, "UNAVAILABLE"),
        (DrainingError, "UNAVAILABLE"),
        (UpstreamTimeoutError, "DEADLINE_EXCEEDED"),
        (GatewayError, "INTERNAL"),
    ],
)
def test_error_body(kind: type[GatewayError], status: str) -> None:
    """An error has the HTTP status as number and by name, and our own code and request id among its details."""
    error = json.loads(DIALECT.error_body(kind("Say it.", parameter="model"), "req_1"))["error"]
    assert (error["code"], error["message"], error["status"]) == (kind.status, "Say it.", status)
    (detail,) = error["details"]
    assert detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert (detail["reason"], detail["domain"]) == (kind.code.upper(), "sluicegate")
    assert detail["metadata"] == {"request_id": "req_1", "parameter": "model"}


def test_stream_error() -> None:
    """A broken stream ends with an error body as its last event."""
    error = UpstreamBrokenError("it broke")
    expected = b"data: " + DIALECT.error_body(error, "req_1") + b"\n\n"
    assert DIALECT.stream_error(error, "req_1", "generate", 4) == expected


def test_answers_are_read_by_operation() -> None:
    """What a model made has usage; other answers have none."""
    body = b'{"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2}}'
    for operation in ("generate", "embeddings", "interactions"):
        assert DIALECT.read_answer(operation, body) == Reading(usage=Usage(5, 2))
        assert type(DIALECT.stream_reader(operation)).__name__ == "ContentReader"
    assert DIALECT.read_answer("files", body) == Reading()
    assert type(DIALECT.stream_reader("files")).__name__ == "SilentReader"


def test_prompt() -> None:
    """The system instruction in either spelling, each content and each tool count as input, also for counting."""
    tool = {"functionDeclarations": [{"name": "f"}]}
    contents = [
        {"role": "user", "parts": [{"text": "hi"}, {"inlineData": {"mimeType": "image/png", "data": "AA"}}]},
        {"parts": [{"functionResponse": {"name": "f", "response": {"x": 1}}}]},
    ]
    request = {"systemInstruction": {"parts": [{"text": "be brief"}]}, "contents": contents, "tools": [tool]}
    expected = ["be brief", "hi", 'f\n{"x":1}', '{"functionDeclarations":[{"name":"f"}]}']
    assert DIALECT.prompt_text("generate", json.dumps(request).encode()) == expected
    counting = json.dumps({"generateContentRequest": request}).encode()
    assert DIALECT.prompt_text("count_tokens", counting) == expected
    snake = b'{"system_instruction":{"parts":{"text":"s"}},"contents":{"parts":[{"text":"hi"}]}}'
    assert DIALECT.prompt_text("generate", snake) == ["s", "hi"]
    assert DIALECT.prompt_text("generate", b'{"contents":[]}') == []


def test_prompt_of_embeddings() -> None:
    """One content, or one of each request of a batch, counts as input."""
    assert DIALECT.prompt_text("embeddings", b'{"content":{"parts":[{"text":"a"}]}}') == ["a"]
    batch = b'{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}'
    assert DIALECT.prompt_text("embeddings", batch) == ["a", "b"]


def test_answer() -> None:
    """Texts and calls of all candidates count, in one answer or in an array of partial ones."""
    part = '{"candidates":[{"content":{"parts":[{"text":"%s"},{"functionCall":{"name":"f","args":{}}}]}}]}'
    assert DIALECT.answer_text("generate", (part % "a").encode()) == "a\nf\n{}"
    array = "[" + part % "a" + ",\r\n" + part % "b" + "]"
    assert DIALECT.answer_text("generate", array.encode()) == "a\nf\n{}\nb\nf\n{}"
    assert DIALECT.answer_text("embeddings", b'{"embedding":{"values":[1]}}') == ""
