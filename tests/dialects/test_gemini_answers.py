"""Gemini's answers: what whole ones, streams and arrays say of themselves."""

import json
from typing import Any

import msgspec
import pytest

from sluicegate.dialects.gemini_answers import ContentReader, ReportedUsage, array_items, read_content, usage_of
from sluicegate.domain.usage import Reading, Usage


def partial(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """One partial answer."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if reason := fields.pop("reason", None):
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "modelVersion": "m-1", "responseId": "r1"} | fields


def counts(prompt: int, candidates: int) -> dict[str, dict[str, int]]:
    """A usage report."""
    return {"usageMetadata": {"promptTokenCount": prompt, "candidatesTokenCount": candidates}}


def encoded(value: object) -> bytes:
    """A value as the provider writes it."""
    return json.dumps(value).encode()


def read(*answers: dict[str, Any]) -> Reading:
    """What a reader understands of a stream of partial answers."""
    reader = ContentReader()
    reader.feed([encoded(answer) for answer in answers])
    assert reader.is_complete is reader.reading().is_complete
    return reader.reading()


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (b'{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13}', Usage(9, 4)),
        (
            b'{"promptTokenCount":90,"cachedContentTokenCount":64,"candidatesTokenCount":4,"thoughtsTokenCount":30}',
            Usage(90, 34, cache_read_tokens=64, reasoning_tokens=30),
        ),
        (b'{"promptTokenCount":9,"toolUsePromptTokenCount":100,"candidatesTokenCount":4}', Usage(109, 4)),
        (
            b'{"promptTokenCount":9,"promptTokensDetails":[{"modality":"TEXT","tokenCount":2},{"modality":"AUDIO","tokenCount":7}],'
            b'"candidatesTokenCount":4,"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":4},{"modality":"AUDIO"}]}',
            Usage(9, 4, input_audio_tokens=7, output_audio_tokens=4),
        ),
        (b'{"promptTokenCount":9}', Usage(9)),
        (b'{"totalTokenCount":9}', None),
        (b"{}", None),
    ],
)
def test_usage_metadata(reported: bytes, usage: Usage | None) -> None:
    """The prompt includes what was cached but not what tools added; candidates do not include thoughts."""
    assert usage_of(msgspec.json.decode(reported, type=ReportedUsage)) == usage
    assert usage_of(None) is None


def test_whole_answer() -> None:
    """A whole answer tells usage, model, id and why it ended; it is complete and its text is not captured."""
    body = encoded(partial({"text": "hi"}, reason="MAX_TOKENS", **counts(5, 2)))
    assert read_content(body) == Reading(usage=Usage(5, 2), model="m-1", response_id="r1", finish_reason="MAX_TOKENS")
    assert read_content(encoded(partial({"text": "hi"}))) == Reading(model="m-1", response_id="r1")
    assert read_content(b"no JSON") == Reading()


def test_error_is_named() -> None:
    """An error is named by its status, in an answer and in a stream."""
    error = {"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED"}}
    assert read_content(encoded(error)).error == "RESOURCE_EXHAUSTED"
    assert read(partial({"text": "a"}), error).error == "RESOURCE_EXHAUSTED"
    assert read({"error": {}}).error == "error"


def test_stream_counts_are_cumulative() -> None:
    """The last counts hold; a partial answer without any takes nothing back."""
    reading = read(
        partial({"text": "a"}, **counts(5, 1)),
        partial({"text": "b"}, reason="STOP", **counts(5, 3)),
        {"usageMetadata": {"totalTokenCount": 8}},
    )
    assert reading == Reading(usage=Usage(5, 3), model="m-1", response_id="r1", finish_reason="STOP")


def test_stream_without_counts_has_its_text() -> None:
    """Texts, calls and written code are captured; media, and parts of surprising types, are not."""
    reading = read(
        partial({"text": "a ", "thought": True}, {"inlineData": {"data": "AA"}}),
        partial({"functionCall": {"name": "f", "args": {"x": 1}}}),
        partial({"functionCall": {}}, {"executableCode": {"language": "PYTHON", "code": " p"}}, {"executableCode": {}}),
        partial({"text": 5}, {"text": " kept"}),
        {"candidates": [{"index": 0}, {"content": {"role": "model"}}]},
    )
    assert reading.text == 'a f{"x": 1} p kept'
    assert (reading.usage, reading.is_complete) == (None, False)


def test_end_is_the_last_answer_with_a_reason() -> None:
    """A stream is complete once an answer has its reason to end; one refused for its prompt has no more to come."""
    assert not read().is_complete
    assert not read(partial({"text": "a"})).is_complete
    assert read(partial({"text": "a"}), partial(reason="STOP")).is_complete
    assert not read(partial(reason="STOP"), partial({"text": "goes on"})).is_complete
    refused = read({"promptFeedback": {"blockReason": "SAFETY"}})
    assert (refused.is_complete, refused.finish_reason) == (True, "SAFETY")
    assert not read({"promptFeedback": {"safetyRatings": []}}).is_complete


@pytest.mark.parametrize(
    ("body", "items"),
    [
        (b'[{"a":1},\r\n {"b":2}]', [{"a": 1}, {"b": 2}]),
        (b' [{"a":1}\n,\n{"b":', [{"a": 1}]),
        (b'["\\ud83d"]', ["?"]),
        (b"[]", []),
        (b"[", []),
        (b"[" * 50_000, []),
        (b'{"a":1}', None),
        (b"", None),
    ],
)
def test_array_is_read_as_far_as_it_got(body: bytes, items: list[object] | None) -> None:
    """The whole items of a growing array are read, also where it was cut; what is no array is none."""
    assert array_items(body) == items


def test_array_is_one_answer() -> None:
    """An array of partial answers tells the last counts, and whether it got to its end."""
    first, last = partial({"text": "a"}, **counts(5, 1)), partial({"text": "b"}, reason="STOP", **counts(5, 3))
    whole = encoded([first, last])
    assert read_content(whole) == Reading(usage=Usage(5, 3), model="m-1", response_id="r1", finish_reason="STOP")
    cut = read_content(whole[: len(encoded([first])) + 5])
    assert (cut.usage, cut.is_complete, cut.text) == (Usage(5, 1), False, "")


def test_interactions() -> None:
    """Interactions report the same in words of their own, whole or in their last event."""
    usage = {
        "total_input_tokens": 9,
        "total_cached_tokens": 3,
        "total_output_tokens": 4,
        "total_thought_tokens": 6,
        "total_tool_use_tokens": 20,
    }
    done = {"id": "i1", "model": "m-1", "status": "completed", "usage": usage}
    expected = Reading(
        usage=Usage(29, 10, cache_read_tokens=3, reasoning_tokens=6),
        model="m-1",
        response_id="i1",
        finish_reason="completed",
    )
    assert read_content(encoded(done)) == expected
    events = ({"interaction": {"id": "i1", "status": "in_progress"}}, {"interaction": done})
    assert read(*events) == expected
    cut = read(events[0])
    assert (cut.usage, cut.is_complete) == (None, False)
    assert read({"id": "i1", "usage": {}}).usage is None


def test_reader_shows_its_state() -> None:
    """A reader tells whether it is complete, and what it holds."""
    reader = ContentReader()
    reader.feed([encoded(partial({"text": "abc"}))])
    assert repr(reader) == "<ContentReader usage=None <Findings complete=False <Capture bytes=3 dropped=0>>>"
