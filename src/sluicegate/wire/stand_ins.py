"""Models that a request names beside its own, to be asked by its provider where that one fails, or as a tool of it.

`models` of OpenRouter and its kin (https://openrouter.ai/docs/guides/routing): names; `fallbacks` of Messages
(https://platform.claude.com/docs/en/api/messages): objects with a `model`. No other API has fields of these names.
Tools that are models have a `model` (`image_generation` of Responses, an advisor of Messages); no other tool has.
"""

from typing import Final

import msgspec

from sluicegate.wire.peek import field_span

_FIELDS: Final = ("models", "fallbacks")
_ESCAPE: Final = b"\\u"
"""Where there is none, names stand in the text as they are."""


def stand_ins(body: bytes) -> list[str]:
    """Their names; an empty one for each that cannot be read. Raises PeekError where a field is given twice."""
    found: list[str] = []
    for field in _FIELDS:
        if field.encode() not in body and _ESCAPE not in body:
            continue
        span = field_span(body, field)
        if span is not None:
            found += _names(body[span[0] : span[1]])
    if body.count(b'"model"') > 1 or _ESCAPE in body:
        span = field_span(body, "tools")
        if span is not None:
            found += _names(body[span[0] : span[1]], are_tools=True)
    return found


def _names(value: bytes, *, are_tools: bool = False) -> list[str]:
    try:
        entries = msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return [""]
    if entries is None:
        return []
    if not isinstance(entries, list):
        return [""]
    return [_name(one) for one in entries if not are_tools or (isinstance(one, dict) and "model" in one)]


def _name(entry: object) -> str:
    name = entry.get("model") if isinstance(entry, dict) else entry
    return name if isinstance(name, str) else ""
