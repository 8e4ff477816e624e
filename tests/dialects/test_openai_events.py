"""Responses, images and audio: what whole answers and typed events say of themselves."""

import json
from typing import Any

import pytest

from sluicegate.dialects.openai_events import EventReader, read_response
from sluicegate.domain.usage import Reading, Usage

REPORT = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 16},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 29,
}
USAGE = Usage(20, 9, cache_read_tokens=16, reasoning_tokens=4)


def event(kind: str, **fields: Any) -> bytes:
    """The data of one typed event."""
    return json.dumps({"type": kind, "sequence_number": 1} | fields).encode()


def response(status: str, **fields: Any) -> dict[str, Any]:
    """A response object."""
    return {
        "id": "resp_1",
        "object": "response",
        "model": "m-1",
        "status": status,
        "error": None,
        "usage": None,
    } | fields


def read(*payloads: bytes) -> Reading:
    """What a reader understands of a stream fed event by event."""
    reader = EventReader()
    for payload in payloads:
        reader.feed([payload])
    assert reader.is_complete is reader.reading().is_complete
    return reader.reading()


def test_whole_response() -> None:
    """A response tells usage with its parts, model, id and status."""
    body = json.dumps(response("completed", usage=REPORT)).encode()
    assert read_response(body) == Reading(usage=USAGE, model="m-1", response_id="resp_1", finish_reason="completed")


def test_incomplete_response_tells_why() -> None:
    """The reason of an incomplete response is its reason to end."""
    body = json.dumps(response("incomplete", incomplete_details={"reason": "max_output_tokens"})).encode()
    assert read_response(body).finish_reason == "max_output_tokens"


def test_failed_response_is_an_error() -> None:
    """A response that failed is an error even with status 200."""
    body = json.dumps(response("failed", error={"code": "server_error", "message": "x"})).encode()
    assert (read_response(body).error, read_response(body).finish_reason) == ("server_error", "failed")


def test_image_and_transcription() -> None:
    """Images and transcriptions report usage in the same words; no object says nothing."""
    image = (
        b'{"created":1,"data":[{"b64_json":"AA"}],"usage":{"input_tokens":50,"output_tokens":80,"total_tokens":130}}'
    )
    assert read_response(image) == Reading(usage=Usage(50, 80))
    assert read_response(b'{"text":"hi","usage":{"type":"duration","seconds":3}}').usage == Usage()
    assert read_response(b"plain text") == Reading()


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("response.completed", "completed", "completed"),
        ("response.incomplete", "incomplete", "content_filter"),
        ("response.failed", "failed", "failed"),
    ],
)
def test_last_event_completes_a_stream(kind: str, status: str, reason: str) -> None:
    """Each of the three last events ends a stream, and brings its usage."""
    details = {"reason": "content_filter"} if status == "incomplete" else None
    last = event(kind, response=response(status, usage=REPORT, incomplete_details=details))
    created = event("response.created", response=response("in_progress"))
    reading = read(created, event("response.output_text.delta", delta="hi"), last)
    assert reading == Reading(usage=USAGE, model="m-1", response_id="resp_1", finish_reason=reason)


def test_cut_stream_has_its_text() -> None:
    """All deltas of text and the names of called functions are captured; base64 and other items are not."""
    reading = read(
        event("response.created", response=response("in_progress")),
        event("response.reasoning_summary_text.delta", delta="thinks "),
        event("response.output_item.added", item={"type": "message", "id": "i"}),
        event("response.output_text.delta", delta="says "),
        event("response.output_text.done", text="says "),
        event("response.refusal.delta", delta="no "),
        event("response.output_item.added", item={"type": "function_call", "name": "f "}),
        event("response.function_call_arguments.delta", delta="{}"),
        event("response.output_item.done", item={"type": "function_call", "name": "f "}),
        event("response.audio.delta", delta="AAAA"),
        event("response.unknown.delta", delta={"new": "shape"}),
    )
    assert reading.text == "thinks says no f {}"
    assert (reading.is_complete, reading.usage, reading.finish_reason) == (False, None, None)
    assert (reading.model, reading.response_id) == ("m-1", "resp_1")


def test_surprising_type_loses_no_text() -> None:
    """An event whose other fields have surprising types still brings its text."""
    assert read(event("response.output_text.delta", delta="kept", item="?", code={})).text == "kept"


def test_transcription_and_image_streams() -> None:
    """Audio and images report usage on their last event itself."""
    done = event("transcript.text.done", text="hi", usage={"type": "tokens", "input_tokens": 14, "output_tokens": 2})
    reading = read(event("transcript.text.delta", delta="hi"), done)
    assert (reading.usage, reading.is_complete, reading.text) == (Usage(14, 2), True, "")
    image = event("image_generation.completed", b64_json="AA", usage={"input_tokens": 5, "output_tokens": 6})
    assert read(image).usage == Usage(5, 6)
    assert read(event("speech.audio.delta", delta="AAAA")).text == ""


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (event("error", code="rate_limit_exceeded", message="x", param=None), "rate_limit_exceeded"),
        (event("error", error={"type": "server_error", "message": "x"}), "server_error"),
        (event("error", message="x"), "error"),
        (event("response.failed", response=response("failed", error={"code": "server_error"})), "server_error"),
    ],
)
def test_error_in_a_stream_is_told(payload: bytes, name: str) -> None:
    """A provider's error after its 200 is named."""
    assert read(payload).error == name


def test_what_is_no_event_is_passed_over() -> None:
    """Payloads that are no JSON object, and a `[DONE]` that does not belong here, do not disturb the rest."""
    reading = read(b"", b"[DONE]", event("response.output_text.delta", delta="a"), b"3")
    assert (reading.text, reading.is_complete) == ("a", False)


def test_reader_shows_its_state() -> None:
    """A reader tells whether it is complete, and what it holds."""
    reader = EventReader()
    reader.feed([event("response.output_text.delta", delta="abc")])
    assert repr(reader) == "<EventReader usage=None <Findings complete=False <Capture bytes=3 dropped=0>>>"


def test_what_was_charged_is_told_whole_and_in_streams() -> None:
    """xAI reports it with the usage of a response, others with that of an event."""
    charged = REPORT | {"cost_in_usd_ticks": 318_319_000}
    body = response("completed", usage=charged)
    assert read_response(json.dumps(body).encode()).provider_cost == 31_831_900
    created = event("response.created", response=response("in_progress"))
    assert read(created, event("response.completed", response=body)).provider_cost == 31_831_900
    assert read(event("image_generation.completed", usage=charged)).provider_cost == 31_831_900
    assert (
        read(created, event("response.completed", response=response("completed", usage=REPORT))).provider_cost is None
    )
