"""Answers in the shapes of the Gemini API: generateContent, streamGenerateContent, countTokens, embeddings, errors."""

from functools import lru_cache
from typing import Any

from sluicegate.bench.mock.answers import (
    EVENT_STREAM,
    JSON_TYPE,
    Answer,
    Stream,
    Whole,
    compact,
    data_event,
    stream,
    whole,
    words,
)
from sluicegate.bench.mock.asked import Length
from sluicegate.bench.mock.openai import KEPT

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_DIMENSIONS = 8


def error(status: int, message: str, retry_after: int = 0) -> Whole:
    """An error body as the Gemini API writes it."""
    body = {"code": status, "message": message, "status": _STATUSES.get(status, "UNKNOWN"), "details": []}
    extra = f"retry-after: {retry_after}\r\n" if retry_after else ""
    return whole({"error": body}, status=status, extra=extra)


def answer(model: str, action: str, length: Length, as_events: bool) -> Answer | None:
    """`POST /v1beta/models/{model}:{action}`; None for an action we do not know.

    A stream is one of server-sent events with `?alt=sse`, and otherwise one JSON list that grows.
    """
    match action:
        case "generateContent":
            return _whole(model, length)
        case "streamGenerateContent":
            return _stream(model, length, as_events)
        case "countTokens":
            return whole({"totalTokens": length.prompt_tokens})
        case "embedContent":
            return whole({"embedding": _EMBEDDING})
        case "batchEmbedContents":
            return whole({"embeddings": [_EMBEDDING]})
    return None


_EMBEDDING = {"values": [((number * 37) % 101 - 50) / 64 for number in range(_DIMENSIONS)]}


def models() -> Whole:
    """`GET /v1beta/models`."""
    methods = ["generateContent", "countTokens"]
    return whole({"models": [{"name": "models/gemini-3-flash", "supportedGenerationMethods": methods}]})


def _content(model: str, text: str, length: Length, *, output: int, finish: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    body: dict[str, Any] = {"candidates": [candidate], "modelVersion": model, "responseId": "mock"}
    if length.usage:
        body["usageMetadata"] = {
            "promptTokenCount": length.prompt_tokens,
            "candidatesTokenCount": output,
            "totalTokenCount": length.prompt_tokens + output,
            "cachedContentTokenCount": length.cached_tokens,
        }
    return body


def _finish(length: Length) -> str:
    return "MAX_TOKENS" if length.is_cut else "STOP"


@lru_cache(KEPT)
def _whole(model: str, length: Length) -> Whole:
    text = "".join(words(length.tokens))
    body = _content(model, text, length, output=length.tokens, finish=_finish(length))
    return whole(body, tokens=length.tokens)


@lru_cache(KEPT)
def _stream(model: str, length: Length, as_events: bool) -> Stream:
    last = length.tokens
    payloads = [
        # Usage is cumulative: each part reports all that was produced so far.
        _content(model, word, length, output=number, finish=_finish(length) if number == last else None)
        for number, word in enumerate(words(length.tokens), 1)
    ] or [_content(model, "", length, output=0, finish=_finish(length))]
    failure = {"error": {"code": 503, "message": "the mock failed half-way", "status": "UNAVAILABLE", "details": []}}
    if as_events:
        events = [data_event(payload) for payload in payloads]
        return stream(events, tokens=last, lead=0, failure=data_event(failure), content_type=EVENT_STREAM)
    parts = [("[" if not number else ",\r\n") + compact(payload) for number, payload in enumerate(payloads)]
    parts[-1] += "]"
    return stream(
        [part.encode() for part in parts],
        tokens=last,
        lead=0,
        failure=f",\r\n{compact(failure)}]".encode(),
        content_type=JSON_TYPE,
    )
