"""The texts inside requests and answers that a tokenizer would see, found by the names their fields have in all APIs.

Images, audio and other data are not text and are passed over; objects a model reads or writes as JSON (arguments of a
call, a tool's definition) are written out compactly.
"""

import json
from typing import Final

_TEXT_FIELDS: Final = (
    "name",
    "instructions",
    "system",
    "system_instruction",
    "title",
    "text",
    "content",
    "parts",
    "thinking",
    "reasoning_content",
    "reasoning",
    "summary",
    "refusal",
    "transcript",
    "message",
    "delta",
    "query",
    "code",
    "input",
    "output",
    "function",
    "function_call",
    "tool_calls",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "action",
    "arguments",
    "args",
    "response",
)
"""Fields that hold text, or what holds text, in the order in which they are read."""

_OBJECT_FIELDS: Final = frozenset({"arguments", "args", "response", "input"})
"""Fields whose value, where it is an object, reaches the model as JSON (Anthropic's `input` of a tool's use)."""

_DEEPEST = 24
"""Levels of nesting that are followed; no API nests text deeper."""

_ONE_WORD = " the"
"""Stands for one token of a prompt given as token numbers: a word that is one token in every vocabulary."""


def text_of(value: object) -> str:
    """All text in one message, content part, item or list of them, one line for each piece."""
    pieces: list[str] = []
    _collect(value, pieces, _DEEPEST)
    return "\n".join(pieces)


def json_text(value: object) -> str:
    """A definition or argument object as compact JSON, as models are given it."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return ""


def texts_of(values: object) -> list[str]:
    """One text for each item of a list, or one for a single value; none for None."""
    if isinstance(values, list) and not _is_token_list(values):
        return [text_of(value) for value in values]
    return [] if values is None else [text_of(values)]


def json_texts(values: object) -> list[str]:
    """One JSON text for each item of a list, such as a request's tools."""
    return [json_text(value) for value in values] if isinstance(values, list) else []


def field(value: object, name: str) -> object:
    """A field of a decoded object; None where it, or the object, is none."""
    return value.get(name) if isinstance(value, dict) else None


def _collect(value: object, pieces: list[str], depth: int) -> None:
    if isinstance(value, str):
        if value:
            pieces.append(value)
    elif isinstance(value, list) and depth:
        if _is_token_list(value):
            pieces.append(_ONE_WORD * len(value))
            return
        for item in value:
            _collect(item, pieces, depth - 1)
    elif isinstance(value, dict) and depth:
        _collect_fields(value, pieces, depth - 1)


def _is_token_list(values: list[object]) -> bool:
    """Whether a prompt is given as token numbers (completions, embeddings)."""
    return bool(values) and all(type(value) is int for value in values)


def _collect_fields(value: dict[str, object], pieces: list[str], depth: int) -> None:
    for name in _TEXT_FIELDS:
        if name in value:
            part = value[name]
            if name in _OBJECT_FIELDS and isinstance(part, dict):
                pieces.append(json_text(part))
            else:
                _collect(part, pieces, depth)
    source = value.get("source")
    if isinstance(source, dict) and source.get("type") in {"text", "content"}:
        # A plain-text document (Anthropic): its data is text, unlike that of an image.
        _collect(source.get("data") or source.get("content"), pieces, depth)
