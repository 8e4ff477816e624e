"""Anthropic's messages: what whole answers and streams say of themselves."""

import json
from typing import Any

import msgspec
import pytest

from sluicegate.dialects.anthropic_messages import MessageReader, ReportedUsage, read_message, usage_of
from sluicegate.domain.usage import Reading, Usage


def event(kind: str, **fields: Any) -> bytes:
    """The data of one event."""
    return json.dumps({"type": kind} | fields).encode()


def start(**usage: int | None) -> bytes:
    """The first event, with what it reports."""
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m-1",
        "content": [],
        "stop_reason": None,
    }
    return event("message_start", message=message | {"usage": usage})


def delta(**fields: Any) -> bytes:
    """A part of a content block."""
    return event("content_block_delta", index=0, delta=fields)


STOP = event("message_stop")


def end(reason: str | None = "end_turn", **usage: int | None) -> bytes:
    """The event with the cumulative counts."""
    return event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage=usage)


def read(*payloads: bytes) -> Reading:
    """What a reader understands of a stream fed event by event."""
    reader = MessageReader()
    for payload in payloads:
        reader.feed([payload])
    assert reader.is_complete is reader.reading().is_complete
    return reader.reading()


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (b'{"input_tokens":5,"output_tokens":2}', Usage(5, 2)),
        (
            b'{"input_tokens":5,"cache_creation_input_tokens":30,"cache_read_input_tokens":200,"output_tokens":2}',
            Usage(235, 2, cache_read_tokens=200, cache_write_tokens=30),
        ),
        (
            b'{"input_tokens":5,"cache_creation_input_tokens":30,"output_tokens":2,'
            b'"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20}}',
            Usage(35, 2, cache_write_tokens=30, cache_write_1h_tokens=20),
        ),
        (
            b'{"input_tokens":5,"cache_creation_input_tokens":null,"output_tokens":9,"output_tokens_details":{"thinking_tokens":6}}',
            Usage(5, 9, reasoning_tokens=6),
        ),
        (b'{"output_tokens":2}', Usage(0, 2)),
        (b'{"cache_read_input_tokens":2}', None),
        (b"{}", None),
    ],
)
def test_cache_is_added_to_the_input(reported: bytes, usage: Usage | None) -> None:
    """The API counts cached input apart; ours includes it."""
    assert usage_of(msgspec.json.decode(reported, type=ReportedUsage)) == usage
    assert usage_of(None) is None


def test_whole_message() -> None:
    """A whole message tells usage, model, id and why it ended."""
    body = (
        b'{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[{"type":"text","text":"hi"}],'
        b'"stop_reason":"max_tokens","usage":{"input_tokens":5,"output_tokens":2}}'
    )
    assert read_message(body) == Reading(
        usage=Usage(5, 2), model="m-1", response_id="msg_1", finish_reason="max_tokens"
    )
    assert read_message(b"no JSON") == Reading()


@pytest.mark.parametrize(
    ("error", "name"), [({"type": "overloaded_error", "message": "x"}, "overloaded_error"), ({"message": "x"}, "error")]
)
def test_error_is_named(error: dict[str, str], name: str) -> None:
    """An error is named whether it is the answer or an event of a stream."""
    assert read_message(json.dumps({"type": "error", "error": error}).encode()).error == name
    reading = read(start(input_tokens=5, output_tokens=1), event("error", error=error))
    assert (reading.error, reading.is_complete) == (name, False)
    assert read(event("error")).error == "error"


def test_whole_stream() -> None:
    """Input comes first, output last; a stream that ended with both needs no text."""
    reading = read(
        start(input_tokens=5, cache_read_input_tokens=100, cache_creation_input_tokens=0, output_tokens=1),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        event("ping"),
        delta(type="text_delta", text="hi"),
        event("content_block_stop", index=0),
        end(output_tokens=12),
        STOP,
    )
    assert reading == Reading(
        usage=Usage(105, 12, cache_read_tokens=100), model="m-1", response_id="msg_1", finish_reason="end_turn"
    )


def test_later_counts_replace_earlier_ones() -> None:
    """Counts are cumulative: the last non-null value of each holds, as after tools that the server ran."""
    reading = read(
        start(input_tokens=5, cache_read_input_tokens=8, cache_creation_input_tokens=None, output_tokens=1),
        end("tool_use", input_tokens=50, output_tokens=7, cache_read_input_tokens=None, cache_creation_input_tokens=3),
        end("end_turn", input_tokens=None, output_tokens=20),
    )
    assert reading.usage == Usage(61, 20, cache_read_tokens=8, cache_write_tokens=3)
    assert (reading.finish_reason, reading.is_complete) == ("end_turn", False)


def test_cut_stream_has_input_and_text() -> None:
    """A stream cut before its output was reported keeps its input and the text that must be counted."""
    reading = read(
        start(input_tokens=5, output_tokens=1),
        delta(type="thinking_delta", thinking="a"),
        delta(type="signature_delta", signature="xyz"),
        event("content_block_start", index=1, content_block={"type": "tool_use", "id": "t", "name": "f", "input": {}}),
        event("content_block_start", index=1),
        event("content_block_delta", index=1),
        delta(type="input_json_delta", partial_json='{"x":'),
        delta(type="text_delta", text="b"),
    )
    assert (reading.text, reading.is_usage_final, reading.is_complete) == ('af{"x":b', False, False)
    assert reading.usage is not None
    assert reading.usage.input_tokens == 5


def test_end_without_output_is_not_final() -> None:
    """A `message_delta` that reports no output leaves it to be counted; one that did is not undone by a later one."""
    begun = (start(input_tokens=5, output_tokens=1), delta(type="text_delta", text="a"))
    for empty in (end(), event("message_delta", delta={}), event("message_delta")):
        reading = read(*begun, empty, STOP)
        assert (reading.text, reading.is_usage_final) == ("a", False)
    assert read(*begun, end(output_tokens=3), end()).is_usage_final


def test_stream_without_any_usage() -> None:
    """Relatives that report nothing leave all to be counted, and nothing to be completed."""
    reading = read(
        event("message_start", message={"id": "m"}), event("message_start"), delta(type="text_delta", text="a"), STOP
    )
    assert (reading.usage, reading.is_usage_final, reading.text, reading.is_complete) == (None, True, "a", True)


def test_surprising_type_loses_no_text() -> None:
    """A field of a surprising type costs only itself, and what is no event is passed over."""
    payloads = (
        b"",
        b"[]",
        delta(type="text_delta", text="a", thinking=3),
        event("content_block_delta", index={}, delta={"text": "b"}),
    )
    assert read(*payloads).text == "ab"


def test_reader_shows_its_state() -> None:
    """A reader tells whether it is complete, whether its usage is final, and what it holds."""
    reader = MessageReader()
    reader.feed([delta(type="text_delta", text="abc"), end(output_tokens=3), STOP])
    assert repr(reader) == "<MessageReader final_usage=True <Findings complete=True <Capture bytes=3 dropped=0>>>"
