"""Whether a stream begins with an error: every API's own, behind comments and pings, cut anywhere."""

import pytest

from sluicegate.dialects.first_event import UNDECIDED, first_failure

PING = b'event: ping\ndata: {"type": "ping"}\n\n'
COMMENT = b": OPENROUTER PROCESSING\n\n"

ERRORS = {
    "anthropic, overloaded": (
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
        529,
    ),
    "anthropic, limited": (b'event: error\ndata: {"type":"error","error":{"type":"rate_limit_error"}}\n\n', 429),
    "anthropic, its own": (b'event: error\ndata: {"type":"error","error":{"type":"api_error"}}\n\n', 500),
    "anthropic, ours": (b'event: error\ndata: {"type":"error","error":{"type":"invalid_request_error"}}\n\n', 400),
    "openrouter": (b'data: {"error":{"code":502,"message":"Provider returned error"}}\n\n', 502),
    "openrouter, named": (b'data: {"id":"g","error":{"code":"server_error"},"choices":[{"delta":{}}]}\n\n', 500),
    "vllm": (b'data: {"error": {"message": "x", "type": "BadRequestError", "code": 400}}\n\n', 400),
    "openai": (b'data: {"error":{"message":"x","type":"server_error","code":null}}\n\n', 500),
    "openai, limited": (b'data: {"error":{"type":"requests","code":"rate_limit_exceeded"}}\n\n', 429),
    "responses": (b'event: error\ndata: {"type":"error","code":"server_error","message":"x"}\n\n', 500),
    "responses, ours": (b'event: error\ndata: {"type":"error","code":"invalid_prompt","error":null}\n\n', 400),
    "gemini": (b'data: {"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}\r\n\r\n', 503),
    "gemini, limited": (b'data: {"error":{"status":"RESOURCE_EXHAUSTED"}}\r\n\r\n', 429),
    "a text": (b'data: {"error":"model overloaded"}\n\n', 400),
    "a code that is none": (b'data: {"error":{"code":true,"status":200,"type":["x"]}}\n\n', 400),
}

STREAMS = {
    "chat": b'data: {"id":"c","choices":[{"delta":{"content":"hi"}}]}\n\n',
    "chat about errors": b'data: {"choices":[{"delta":{"content":"say \\"error\\": ping"}}]}\n\n',
    "chat with a field": b'data: {"choices":[],"error":null}\n\n',
    "responses": b'event: response.created\ndata: {"type":"response.created","response":{"error":null}}\n\n',
    "anthropic": b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":1}}}\n\n',
    "gemini": b'data: {"candidates":[{"content":{"parts":[{"text":"shopping"}]}}]}\r\n\r\n',
    "done": b"data: [DONE]\n\n",
    "no JSON": b'data: "error" ping\n\n',
    "a list": b'data: ["error"]\n\n',
}

BEFORE = {
    "nothing": b"",
    "a ping": PING,
    "pings": PING * 3,
    "a comment": COMMENT,
    "both": COMMENT * 4 + PING + COMMENT,
}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize(("error", "status"), ERRORS.values(), ids=ERRORS)
def test_an_error_is_found_as_soon_as_it_is_whole(before: bytes, error: bytes, status: int) -> None:
    """With the status that it would have as a whole answer; nothing is decided before its end."""
    raw = before + error
    for end in range(len(raw)):
        found = first_failure(raw[:end])
        assert found == UNDECIDED or (found == status and raw[end:] in (b"\n", b"\r\n", b"\n\r\n"))
    assert first_failure(raw) == status
    assert first_failure(raw + STREAMS["chat"]) == status


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_an_ordinary_stream_is_none(before: bytes, stream: bytes) -> None:
    """Also one whose text is about errors; decided with its first event, whatever follows."""
    raw = before + stream
    for end in range(len(raw)):
        assert first_failure(raw[:end]) in (UNDECIDED, 0)
    assert first_failure(raw[: len(before)]) == UNDECIDED
    assert first_failure(raw) == 0
    for error, _ in ERRORS.values():
        assert first_failure(raw + error) == 0
