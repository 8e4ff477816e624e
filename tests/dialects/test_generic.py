"""The dialect of APIs nothing is known about."""

import json

import pytest

from sluicegate.dialects.allow import allowed_methods
from sluicegate.dialects.generic import Generic
from sluicegate.domain.errors import ModelUnknownError
from sluicegate.domain.usage import Reading, Usage

DIALECT = Generic()


@pytest.mark.parametrize("path", ["", "v1/anything", "model/x/converse"])
def test_everything_is_allowed(path: str) -> None:
    """Every path passes with every common method."""
    expected = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    assert set(allowed_methods(DIALECT.allow, path)) == expected


@pytest.mark.parametrize(
    ("base", "version"), [("", "/v1"), ("/v1", "/v1"), ("/api", "/api/v1"), ("/api/v2", "/api/v2"), ("/vx", "/vx/v1")]
)
def test_version_is_added_where_missing(base: str, version: str) -> None:
    """`/v1` follows the base URL's path, unless that ends in a version."""
    assert DIALECT.version_path(base) == version


def test_nothing_is_assumed() -> None:
    """Paths stay as they are; neither streams nor texts are known."""
    assert DIALECT.rest_of("v1/messages") == "v1/messages"
    assert DIALECT.operation("v2/chat") == "v2"
    assert DIALECT.model_in_path("model/x") is None
    assert DIALECT.with_model_in_path("model/x", "y") == "model/x"
    assert not DIALECT.is_countable("chat")
    assert not DIALECT.is_stream_request("model/x/converse-stream", "")
    assert not DIALECT.can_include_usage("chat")
    assert not DIALECT.is_usage_only(b'{"choices":[],"usage":{"prompt_tokens":1}}')
    assert DIALECT.prompt_text("chat", b'{"messages":["a"]}') == []
    assert DIALECT.answer_text("chat", b'{"choices":["a"]}') == ""
    assert DIALECT.credential_headers("k") == (("authorization", "Bearer k"),)
    assert DIALECT.default_headers() == ()


def test_error_has_what_most_clients_look_for() -> None:
    """An error has type, message, code and parameter, in a body and as the event that ends a stream."""
    error = ModelUnknownError("no such model", parameter="model")
    body = DIALECT.error_body(error, "req_1")
    detail = {"type": "not_found", "message": "no such model", "code": "model_not_found", "param": "model"}
    assert json.loads(body) == {"error": detail, "request_id": "req_1"}
    assert DIALECT.stream_error(error, "req_1", "x", 2) == b"event: error\ndata: " + body + b"\n\n"


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        (b'{"usage":{"prompt_tokens":5,"completion_tokens":2}}', Usage(5, 2)),
        (b'{"usage":{"input_tokens":5,"output_tokens":2}}', Usage(5, 2)),
        (
            b'{"usage":{"input_tokens":5,"output_tokens":2,"cache_read_input_tokens":30,"cache_creation_input_tokens":4}}',
            Usage(39, 2, cache_read_tokens=30, cache_write_tokens=4),
        ),
        (
            b'{"usage":{"inputTokens":5,"outputTokens":2,"cacheReadInputTokens":30,"cacheWriteInputTokens":4}}',
            Usage(39, 2, cache_read_tokens=30, cache_write_tokens=4),
        ),
        (
            b'{"usage":{"billed_units":{"input_tokens":1},"tokens":{"input_tokens":500,"output_tokens":9},"cached_tokens":400}}',
            Usage(500, 9, cache_read_tokens=400),
        ),
        (b'{"meta":{"tokens":{"input_tokens":5,"output_tokens":2}}}', Usage(5, 2)),
        (b'{"meta":{"page":1}}', None),
        (b'{"usage":{"requests":5}}', None),
        (b'{"usage":"much"}', None),
        (b"{}", None),
    ],
)
def test_common_shapes_of_usage_are_understood(body: bytes, usage: Usage | None) -> None:
    """Usage is read in the shapes of OpenAI, Anthropic, Bedrock and Cohere; without any, none is made up."""
    assert DIALECT.read_answer("x", body) == Reading(usage=usage)


def test_answer_names_itself() -> None:
    """Model, id and error are told where they have their usual names; no object says nothing."""
    reading = DIALECT.read_answer("x", b'{"id":"i","model":"m","error":"overloaded"}')
    assert reading == Reading(response_id="i", model="m", error="overloaded")
    assert DIALECT.read_answer("x", b"<html>") == Reading()


def test_last_usage_of_a_stream_holds() -> None:
    """The last usage among a stream's events holds; any end is a good one."""
    reader = DIALECT.stream_reader("x")
    reader.feed([b'{"id":"i","model":"m","usage":{"prompt_tokens":5}}', b'{"delta":"a"}', b'"usage"'])
    reader.feed([b'{"id":"i","model":"m","usage":{"prompt_tokens":5,"completion_tokens":2}}'])
    reader.feed([b'{"id":"i","model":"m","usage":null}'])
    assert reader.reading() == Reading(usage=Usage(5, 2), model="m", response_id="i")
    assert reader.is_complete
    assert repr(reader).startswith("<_UsageReader Usage(input_tokens=5, output_tokens=2")


def test_what_was_charged_is_told_whole_and_in_streams() -> None:
    """In the spellings of the OpenAI family."""
    payload = b'{"usage":{"prompt_tokens":5,"completion_tokens":2,"cost":0.0001}}'
    assert DIALECT.read_answer("x", payload).provider_cost == 100_000
    reader = DIALECT.stream_reader("x")
    reader.feed([payload])
    assert reader.reading().provider_cost == 100_000
