"""Answers in the shapes of the OpenAI API: chat completions, completions, responses, embeddings, models, errors."""

import base64
import struct
from functools import lru_cache
from typing import Any

import msgspec

from sluicegate.bench.mock.answers import Answer, Stream, Whole, data_event, named_event, stream, whole, words
from sluicegate.bench.mock.asked import Asked, Length, length_of
from sluicegate.bench.mock.settings import MockSettings

KEPT = 512
"""Answers kept of each kind: few distinct ones are asked for, and the oldest may go."""

CREATED = 1_760_000_000
"""Answers carry no clock, so that they are the same byte for byte every time."""

_DEFAULT_DIMENSIONS = 8
_DONE = b"data: [DONE]\n\n"
_REQUEST_ID = "x-request-id: req_mock\r\n"
_MODELS = ("mock-model", "gpt-4o-mini", "claude-sonnet-4-5", "gemini-3-flash")


def error(status: int, message: str, retry_after: int = 0) -> Whole:
    """An error body as the OpenAI API writes it."""
    kind = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}.get(
        status, "server_error" if status >= 500 else "invalid_request_error"
    )
    body = {"error": {"message": message, "type": kind, "param": None, "code": None}}
    extra = f"retry-after: {retry_after}\r\n" if retry_after else ""
    return whole(body, status=status, extra=_REQUEST_ID + extra)


def chat(asked: Asked, settings: MockSettings) -> Answer:
    """`POST /v1/chat/completions`."""
    length = length_of(asked, settings)
    if asked.stream:
        return _chat_stream(asked.model, length, asked.wants_usage_chunk)
    return _chat_whole(asked.model, length)


def completions(asked: Asked, settings: MockSettings) -> Answer:
    """`POST /v1/completions`."""
    length = length_of(asked, settings)
    if asked.stream:
        return _completion_stream(asked.model, length, asked.wants_usage_chunk)
    return _completion_whole(asked.model, length)


def responses(asked: Asked, settings: MockSettings) -> Answer:
    """`POST /v1/responses`."""
    length = length_of(asked, settings)
    return _response_stream(asked.model, length) if asked.stream else _response_whole(asked.model, length)


def embeddings(asked: Asked, settings: MockSettings) -> Answer:
    """`POST /v1/embeddings`: one vector per input, as numbers or in base64 as the SDK prefers."""
    raw = bytes(asked.input).strip()
    count = _count_of_inputs(raw)
    return _embeddings(
        asked.model, count, asked.dimensions or _DEFAULT_DIMENSIONS, asked.encoding_format, length_of(asked, settings)
    )


@lru_cache(1)
def models() -> Whole:
    """`GET /v1/models`: one object that both families of SDKs read."""
    data = [
        {"id": name, "object": "model", "created": CREATED, "owned_by": "mock", "type": "model", "display_name": name}
        | {"created_at": "2025-10-09T08:53:20Z"}
        for name in _MODELS
    ]
    return whole({"object": "list", "data": data, "has_more": False, "first_id": _MODELS[0], "last_id": _MODELS[-1]})


def failure_event(message: str) -> bytes:
    """The event that ends a broken stream."""
    return data_event({"error": {"message": message, "type": "server_error", "param": None, "code": None}})


def _finish(length: Length) -> str:
    return "length" if length.is_cut else "stop"


def _usage(length: Length) -> dict[str, Any]:
    return {
        "prompt_tokens": length.prompt_tokens,
        "completion_tokens": length.tokens,
        "total_tokens": length.prompt_tokens + length.tokens,
        "prompt_tokens_details": {"cached_tokens": length.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


@lru_cache(KEPT)
def _chat_whole(model: str, length: Length) -> Whole:
    message = {"role": "assistant", "content": "".join(words(length.tokens)), "refusal": None}
    body: dict[str, Any] = {
        "id": "chatcmpl-mock",
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(length)}],
    }
    if length.usage:
        body["usage"] = _usage(length)
    return whole(body, extra=_REQUEST_ID, tokens=length.tokens)


@lru_cache(KEPT)
def _chat_stream(model: str, length: Length, wants_usage: bool) -> Stream:
    frame = {"id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": CREATED, "model": model}
    reports = wants_usage and length.usage
    if reports:
        frame["usage"] = None

    def choice(delta: dict[str, str], finish: str | None = None) -> bytes:
        return data_event(
            frame | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}
        )

    events = [choice({"role": "assistant", "content": ""})]
    events += [choice({"content": word}) for word in words(length.tokens)]
    events.append(choice({}, _finish(length)))
    if reports:
        events.append(data_event(frame | {"choices": [], "usage": _usage(length)}))
    events.append(_DONE)
    return stream(events, tokens=length.tokens, lead=1, failure=failure_event("the mock failed half-way"))


@lru_cache(KEPT)
def _completion_whole(model: str, length: Length) -> Whole:
    body: dict[str, Any] = _completion(model, "".join(words(length.tokens)), _finish(length))
    if length.usage:
        body["usage"] = _usage(length)
    return whole(body, extra=_REQUEST_ID, tokens=length.tokens)


@lru_cache(KEPT)
def _completion_stream(model: str, length: Length, wants_usage: bool) -> Stream:
    events = [data_event(_completion(model, word, None)) for word in words(length.tokens)]
    events.append(data_event(_completion(model, "", _finish(length))))
    if wants_usage and length.usage:
        events.append(data_event(_completion(model, "", None) | {"choices": [], "usage": _usage(length)}))
    events.append(_DONE)
    return stream(events, tokens=length.tokens, lead=0, failure=failure_event("the mock failed half-way"))


def _completion(model: str, text: str, finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
    return {
        "id": "cmpl-mock",
        "object": "text_completion",
        "created": CREATED,
        "model": model,
        "choices": [choice],
    }


def _response(model: str, length: Length, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    is_over = status != "in_progress"
    usage = {
        "input_tokens": length.prompt_tokens,
        "input_tokens_details": {"cached_tokens": length.cached_tokens},
        "output_tokens": length.tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": length.prompt_tokens + length.tokens,
    }
    return {
        "id": "resp_mock",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": None,
        "max_output_tokens": None,
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "metadata": {},
        "usage": usage if is_over and length.usage else None,
    }


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def _message(status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "msg_mock", "type": "message", "status": status, "role": "assistant", "content": content}


@lru_cache(KEPT)
def _response_whole(model: str, length: Length) -> Whole:
    status = "incomplete" if length.is_cut else "completed"
    output = [_message(status, [_text_part("".join(words(length.tokens)))])]
    return whole(_response(model, length, status, output), extra=_REQUEST_ID, tokens=length.tokens)


@lru_cache(KEPT)
def _response_stream(model: str, length: Length) -> Stream:
    status = "incomplete" if length.is_cut else "completed"
    text = "".join(words(length.tokens))
    item = {"output_index": 0, "item_id": "msg_mock", "content_index": 0}
    done = _message(status, [_text_part(text)])
    payloads: list[dict[str, Any]] = [
        {"type": "response.created", "response": _response(model, length, "in_progress", [])},
        {"type": "response.in_progress", "response": _response(model, length, "in_progress", [])},
        {"type": "response.output_item.added", "output_index": 0, "item": _message("in_progress", [])},
        {"type": "response.content_part.added", **item, "part": _text_part("")},
    ]
    lead = len(payloads)
    payloads += [
        {"type": "response.output_text.delta", **item, "delta": word, "logprobs": []} for word in words(length.tokens)
    ]
    payloads += [
        {"type": "response.output_text.done", **item, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **item, "part": _text_part(text)},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {"type": f"response.{status}", "response": _response(model, length, status, [done])},
    ]
    events = [
        named_event(payload["type"], payload | {"sequence_number": number}) for number, payload in enumerate(payloads)
    ]
    failure = {"type": "error", "code": "server_error", "message": "the mock failed half-way", "param": None}
    return stream(
        events,
        tokens=length.tokens,
        lead=lead,
        failure=named_event("error", failure | {"sequence_number": len(payloads)}),
    )


def _count_of_inputs(raw: bytes) -> int:
    """How many inputs there are: a string or a list of token numbers is one, a list of either is many."""
    if not raw.startswith(b"["):
        return 1
    items = msgspec.json.decode(raw, type=list[Any])
    return 1 if items and isinstance(items[0], int) else len(items)


@lru_cache(KEPT)
def _embeddings(model: str, count: int, dimensions: int, encoding: str, length: Length) -> Whole:
    vector = [((number * 37) % 101 - 50) / 64 for number in range(dimensions)]
    packed = base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode()
    value: list[float] | str = packed if encoding == "base64" else vector
    body: dict[str, Any] = {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": value} for index in range(count)],
        "model": model,
    }
    if length.usage:
        body["usage"] = {"prompt_tokens": length.prompt_tokens, "total_tokens": length.prompt_tokens}
    return whole(body, extra=_REQUEST_ID)
