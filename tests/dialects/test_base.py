"""What every dialect promises to the core, checked for each one of the table."""

import json
from collections.abc import Callable

import pytest

from sluicegate.dialects.base import CONVERSING, Dialect
from sluicegate.dialects.table import DIALECTS
from sluicegate.domain.errors import GatewayError, MethodForbiddenError, PathUnknownError, UpstreamBrokenError
from sluicegate.domain.usage import Reading

OPERATIONS = ("chat", "completions", "responses", "embeddings", "messages", "generate", "interactions", "stored", "x")
HOSTILE = (
    b"",
    b"null",
    b"[]",
    b"[1,",
    b'"text"',
    b"{",
    b"\xff\xfe{}",
    b'{"usage":1e999,"choices":3,"content":4,"candidates":5}',
    b'{"usage":{"prompt_tokens":' + b"9" * 5000 + b"}}",
    b'{"messages":[{"content":"\\ud83d"}],"choices":[{"message":{"content":"\\ud83d"}}],"model":"\\ud800"}',
    b"[" * 50_000,
    b'{"choices":' * 20_000,
)
"""Bytes that are no JSON, another JSON than expected, or meant to break its reader."""

every_dialect = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
every_operation = pytest.mark.parametrize("operation", OPERATIONS)


def subclasses(kind: type[GatewayError]) -> list[type[GatewayError]]:
    """All classes of errors below `kind`."""
    return [below for direct in kind.__subclasses__() for below in (direct, *subclasses(direct))]


@every_dialect
@every_operation
@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_a_peer_sends_raises(dialect: Dialect, operation: str, body: bytes) -> None:
    """Whatever a provider or client sends is read without raising, and every text that results can be encoded."""
    reader = dialect.stream_reader(operation)
    reader.feed([body, body])
    texts = [dialect.answer_text(operation, body), *dialect.prompt_text(operation, body)]
    for reading in (reader.reading(), dialect.read_answer(operation, body)):
        texts += [reading.text, reading.model or "", reading.response_id or ""]
        assert reading.usage is None or reading.usage.total_tokens == 0
    "\n".join(texts).encode()
    assert not dialect.is_usage_only(body)


@every_dialect
@every_operation
def test_unread_stream_has_nothing(dialect: Dialect, operation: str) -> None:
    """A reader can be asked before anything was fed; it then has no usage and no text, and shows its state."""
    reader = dialect.stream_reader(operation)
    reading = reader.reading()
    assert (reading.usage, reading.text, reading.error, reading.is_usage_final) == (None, "", None, True)
    assert reading.is_complete is reader.is_complete
    reader.feed([])
    assert reader.reading() == reading
    assert type(reader).__name__ in repr(reader)


@every_dialect
def test_every_error_has_a_body(dialect: Dialect) -> None:
    """Each error a client can see becomes a JSON object with its message, in a body and at the end of a stream."""
    kinds: list[type[GatewayError]] = [GatewayError, *subclasses(GatewayError)]
    for kind in kinds:
        error = kind("what went wrong\nand how to fix it")
        assert json.loads(dialect.error_body(error, "req_1"))["error"]["message"] == error.message
        for operation in OPERATIONS:
            event = dialect.stream_error(error, "req_1", operation, 3)
            assert event.endswith(b"\n\n")
            assert event.count(b"\n\n") == 1
            data = [line for line in event.splitlines() if line.startswith(b"data: ")]
            assert json.loads(data[0][6:])["error"]["message"] == error.message


@every_dialect
def test_names_agree(dialect: Dialect) -> None:
    """A dialect's name is its key in the table, and it shows itself by name."""
    assert DIALECTS[dialect.name] is dialect
    assert repr(dialect).lower() == f"<{dialect.name}>"


@every_dialect
def test_header_names_are_lower_case(dialect: Dialect) -> None:
    """Headers come with lower-case names, and the key goes into one header only."""
    headers = dialect.credential_headers("key-1")
    assert len(headers) == 1
    assert headers[0][1].endswith("key-1")
    assert all(name == name.lower() for name, _ in headers + dialect.default_headers())


@every_dialect
@pytest.mark.parametrize("base_path", ["", "/v1", "/gateway"])
def test_version_path_is_a_path(dialect: Dialect, base_path: str) -> None:
    """What replaces `/v1` starts with a slash, ends without one, and is stable once it names a version."""
    version_path = dialect.version_path(base_path)
    assert version_path.startswith("/")
    assert not version_path.endswith("/")
    assert dialect.version_path(version_path) == version_path


@every_dialect
def test_path_without_model_is_left_alone(dialect: Dialect) -> None:
    """A path that names no model has none, and stays as it is when a model is put into it."""
    assert dialect.model_in_path("files/f1") is None
    assert dialect.with_model_in_path("files/f1", "m") == "files/f1"
    assert dialect.rest_of("files/f1") == "files/f1"
    assert not dialect.is_stream_request("files/f1", "")


@pytest.mark.parametrize(
    "make", [lambda: PathUnknownError("m", parameter="p"), lambda: MethodForbiddenError("m", allowed=("GET",))]
)
@every_dialect
def test_body_holds_no_line_feed(dialect: Dialect, make: Callable[[], GatewayError]) -> None:
    """An error body is one line, so that it can be the data of an event."""
    assert b"\n" not in dialect.error_body(make(), "req_1")


@every_dialect
def test_operation_that_is_not_understood_reads_empty(dialect: Dialect) -> None:
    """Of an answer to an operation without tokens nothing is read but, at most, what is there."""
    body = b'{"id":"file-1","object":"file","bytes":120}'
    reading = dialect.read_answer("files", body)
    assert reading in (Reading(), Reading(response_id="file-1"))
    assert dialect.prompt_text("files", body) == []
    assert dialect.answer_text("files", body) == ""
    assert not dialect.is_countable("files")
    assert not dialect.can_include_usage("files")


@every_dialect
def test_error_body_tells_the_request(dialect: Dialect) -> None:
    """An error's body tells the request id wherever the API's shape has a place for it."""
    body = dialect.error_body(UpstreamBrokenError("the provider closed the connection"), "req_9")
    assert (b"req_9" in body) is (dialect.name != "openai")


@pytest.mark.parametrize(
    ("dialect", "path", "is_conversation"),
    [
        ("openai", "chat/completions", True),
        ("openai", "completions", True),
        ("openai", "responses", True),
        ("openai", "embeddings", False),
        ("openai", "audio/speech", False),
        ("anthropic", "messages", True),
        ("anthropic", "messages/count_tokens", True),
        ("gemini", "models/m:generateContent", True),
        ("gemini", "models/m:embedContent", False),
    ],
)
def test_conversations_are_told_from_all_else(dialect: str, path: str, *, is_conversation: bool) -> None:
    """By the operation: a caller's own model answers these."""
    assert (DIALECTS[dialect].operation(path) in CONVERSING) is is_conversation
