"""Chat and completions: what whole answers and streams say of themselves."""

import json
from typing import Any

import pytest

from sluicegate.dialects.capture import LARGEST_TEXT
from sluicegate.dialects.openai_chat import ChatReader, is_usage_chunk, read_chat
from sluicegate.domain.usage import Reading, Usage

DONE = b"[DONE]"


def chunk(delta: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """One chunk as OpenAI sends it."""
    choice = {"index": 0, "delta": delta or {}, "logprobs": None, "finish_reason": fields.pop("finish_reason", None)}
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": [choice]}
    return json.dumps(body | {"usage": None} | fields).encode()


USAGE = chunk(choices=[], usage={"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10})


def read(*payloads: bytes) -> Reading:
    """What a reader understands of a stream fed in one go."""
    reader = ChatReader()
    reader.feed(list(payloads))
    return reader.reading()


def test_whole_answer() -> None:
    """A whole answer tells usage, model, id and why it ended."""
    body = (
        b'{"id":"c1","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"content":"hi"},'
        b'"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}'
    )
    assert read_chat(body) == Reading(usage=Usage(5, 2), model="m-1", response_id="c1", finish_reason="length")


def test_error_inside_a_200() -> None:
    """An error object is told whatever the status was (OpenRouter)."""
    assert read_chat(b'{"error":{"code":502,"message":"upstream"}}').error == "502"


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>"])
def test_no_object_is_an_empty_reading(body: bytes) -> None:
    """What is no JSON object says nothing."""
    assert read_chat(body) == Reading()


def test_surprising_type_costs_only_its_field() -> None:
    """A wrong type in one place loses neither usage nor text elsewhere."""
    body = b'{"id":5,"model":"m","choices":"none","usage":{"prompt_tokens":5,"completion_tokens":"2"}}'
    assert read_chat(body) == Reading(usage=Usage(5), model="m")
    assert read(chunk({"content": "a", "tool_calls": 3}), chunk({"content": "b"}, id=9)).text == "ab"


def test_stream_with_usage_has_no_text() -> None:
    """A stream that reports its usage is complete with it; its text need not be kept."""
    reading = read(
        chunk({"role": "assistant", "content": ""}), chunk({"content": "hi"}), chunk(finish_reason="stop"), USAGE, DONE
    )
    assert reading == Reading(usage=Usage(7, 3), model="m-1", response_id="chatcmpl-1", finish_reason="stop")


def test_stream_without_usage_has_its_text() -> None:
    """Content, reasoning, refusals, calls, old function calls and transcripts are captured to be counted."""
    reading = read(
        chunk({"role": "assistant", "content": "Hel"}),
        chunk({"content": "lo"}),
        chunk({"reasoning_content": " thinks", "reasoning": " thinks"}),
        chunk({"reasoning": " more"}),
        chunk({"refusal": " no"}),
        chunk({"tool_calls": [{"index": 0, "id": "t", "function": {"name": " f", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"x":'}}, {"index": 1}]}),
        chunk({"tool_calls": [{"index": 2, "type": "custom", "custom": {"name": " c"}}]}),
        chunk({"function_call": {"name": " g", "arguments": "{}"}}),
        chunk({"audio": {"id": "a", "data": "AAAA"}}),
        chunk({"audio": {"transcript": " said"}}),
        chunk(finish_reason="tool_calls"),
        DONE,
    )
    assert reading.text == 'Hello thinks more no f{"x": c g{} said'
    assert (reading.usage, reading.is_complete, reading.finish_reason) == (None, True, "tool_calls")


def test_mistral_parts_are_captured() -> None:
    """Content in parts, of text and of thinking, is text too."""
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "a"}, {"type": "reference"}]},
        {"type": "thinking", "thinking": "b"},
        {"type": "text", "text": "c"},
    ]
    assert read(chunk({"content": parts})).text == "abc"


def test_completions_text_is_captured() -> None:
    """The older API streams `text`."""
    assert (
        read(b'{"choices":[{"text":"on","index":0,"finish_reason":null}]}', b'{"choices":[{"text":"ce"}]}').text
        == "once"
    )


def test_groq_reports_usage_in_its_own_place() -> None:
    """Groq's last chunk has usage under `x_groq`."""
    last = chunk(finish_reason="stop", x_groq={"id": "r", "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
    assert read(chunk({"content": "a"}, x_groq={"id": "r"}), last, DONE).usage == Usage(7, 3)


def test_last_usage_wins() -> None:
    """Servers that report usage in every chunk count up; one that holds no count takes nothing back."""
    first = chunk(usage={"prompt_tokens": 7, "completion_tokens": 1})
    last = chunk(usage={"prompt_tokens": 7, "completion_tokens": 9}, finish_reason="stop")
    assert read(first, last, chunk(usage={})).usage == Usage(7, 9)


def test_end_is_known() -> None:
    """A stream is complete with `[DONE]`, or once each choice that began has its reason to end; not before."""
    assert not read().is_complete
    assert not read(chunk({"content": "a"})).is_complete
    assert read(DONE).is_complete
    assert read(chunk(finish_reason="stop")).is_complete
    ended = {"index": 0, "delta": {}, "finish_reason": "stop"}
    begun = {"index": 1, "delta": {"content": "b"}, "finish_reason": None}
    assert not read(chunk(choices=[ended, begun])).is_complete
    assert read(chunk(choices=[ended, begun]), chunk(choices=[begun | {"finish_reason": "stop"}])).is_complete


def test_error_in_a_stream_is_told() -> None:
    """A provider's error after its 200 is named, and the stream is not complete."""
    reading = read(chunk({"content": "a"}), b'{"error":{"type":"server_error","message":"oops"}}')
    assert (reading.error, reading.is_complete, reading.text) == ("server_error", False, "a")


def test_what_is_no_chunk_is_passed_over() -> None:
    """Payloads that are no JSON object do not disturb the rest."""
    assert read(b"", b"ping", b"[1]", chunk({"content": "a"})).text == "a"


def test_text_is_bounded() -> None:
    """A huge stream keeps a bounded text and says how much is missing."""
    reader = ChatReader()
    for _ in range(5):
        reader.feed([chunk({"content": "x" * (LARGEST_TEXT // 4)})])
    reading = reader.reading()
    assert len(reading.text) == LARGEST_TEXT
    assert reading.text_dropped == LARGEST_TEXT // 4
    assert "complete=False" in repr(reader)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (USAGE, True),
        (b'{"usage":{"prompt_tokens":1,"completion_tokens":1}}', True),
        (chunk({"content": "a"}, usage={"prompt_tokens": 1}), False),
        (chunk(choices=[]), False),
        (b'{"choices":[],"prompt_filter_results":[]}', False),
        (b'{"choices":[],"usage":{"prompt_tokens":1},"error":{"message":"x"}}', False),
        (DONE, False),
        (b"", False),
    ],
)
def test_usage_chunk_is_told_from_others(payload: bytes, expected: bool) -> None:
    """Only a chunk that brings usage and nothing else may be kept from a client that did not ask."""
    assert is_usage_chunk(payload) is expected


@pytest.mark.parametrize("cost", ["NaN", "Infinity", "-Infinity", "1e400", '"0.1"', "[]", "true", "9" * 400])
def test_a_cost_that_makes_no_sense_costs_no_count(cost: str) -> None:
    """The tokens beside it are read; a cost that is no amount is none."""
    body = b'{"usage":{"prompt_tokens":9,"completion_tokens":4,"cost":%b}}' % cost.encode()
    assert (read_chat(body).usage, read_chat(body).provider_cost) == (Usage(9, 4), None)
