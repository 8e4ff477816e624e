"""Answers in the shapes of the Anthropic Messages API: messages, count_tokens, errors."""

from functools import lru_cache
from typing import Any

from sluicegate.bench.mock.answers import Answer, Stream, Whole, named_event, stream, whole, words
from sluicegate.bench.mock.asked import Asked, Length, length_of
from sluicegate.bench.mock.openai import KEPT
from sluicegate.bench.mock.settings import MockSettings

_REQUEST_ID = "request-id: req_mock\r\n"
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error(status: int, message: str, retry_after: int = 0) -> Whole:
    """An error body as the Anthropic API writes it."""
    kind = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_mock"}
    extra = f"retry-after: {retry_after}\r\n" if retry_after else ""
    return whole(body, status=status, extra=_REQUEST_ID + extra)


def messages(asked: Asked, settings: MockSettings) -> Answer:
    """`POST /v1/messages`."""
    length = length_of(asked, settings)
    return _stream(asked.model, length) if asked.stream else _whole(asked.model, length)


def count_tokens(_asked: Asked, settings: MockSettings) -> Answer:
    """`POST /v1/messages/count_tokens`."""
    return whole({"input_tokens": settings.prompt_tokens}, extra=_REQUEST_ID)


def _message(model: str, content: list[dict[str, Any]], stop: str | None) -> dict[str, Any]:
    return {
        "id": "msg_mock",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
    }


def _input_usage(length: Length, output: int) -> dict[str, int]:
    # Tokens read from the cache are counted apart from `input_tokens`, not within them.
    return {
        "input_tokens": length.prompt_tokens - length.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": length.cached_tokens,
        "output_tokens": output,
    }


def _stop(length: Length) -> str:
    return "max_tokens" if length.is_cut else "end_turn"


@lru_cache(KEPT)
def _whole(model: str, length: Length) -> Whole:
    body = _message(model, [{"type": "text", "text": "".join(words(length.tokens))}], _stop(length))
    if length.usage:
        body["usage"] = _input_usage(length, length.tokens)
    return whole(body, extra=_REQUEST_ID, tokens=length.tokens)


@lru_cache(KEPT)
def _stream(model: str, length: Length) -> Stream:
    start = _message(model, [], None)
    end: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": _stop(length), "stop_sequence": None}}
    if length.usage:
        start["usage"] = _input_usage(length, 1)
        end["usage"] = {"output_tokens": length.tokens}
    payloads: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    ]
    lead = len(payloads)
    payloads += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
        for word in words(length.tokens)
    ]
    payloads += [{"type": "content_block_stop", "index": 0}, end, {"type": "message_stop"}]
    failure = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    return stream(
        [named_event(payload["type"], payload) for payload in payloads],
        tokens=length.tokens,
        lead=lead,
        failure=named_event("error", failure),
    )
