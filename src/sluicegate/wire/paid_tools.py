"""Tools that a provider runs by itself, for a fee beside the tokens: a search of the web costs cents a call.

OpenAI's Responses name them by the `type` of a tool (`web_search`, `file_search`, `code_interpreter`,
`image_generation`), its chat by `web_search_options`; Anthropic by types with a date (`web_search_20250305`,
`web_fetch_…`, `code_execution_…`); Gemini by a member (`googleSearch`, `google_maps`); xAI by `search_parameters`, and
OpenRouter by `plugins`.
"""

import json
from typing import Any, Final

import msgspec

_FIELDS: Final = ("web_search_options", "search_parameters", "plugins")
_TYPES: Final = ("web_search", "web_fetch", "x_search", "file_search", "code_interpreter", "code_execution")
_OTHER_TYPES: Final = ("image_generation", "google_search", "googleSearch", "google_maps", "googleMaps")

MARKS: Final = tuple(
    [f'"{name}"'.encode() for name in _FIELDS] + [f'"{name}'.encode() for name in (*_TYPES, *_OTHER_TYPES)]
)
"""Without one of these bytes there is no such tool; with one there may be."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def paid_tool(body: bytes) -> str | None:
    """The first tool of a JSON request that costs a fee of its own; None where there is none."""
    if not any(map(body.__contains__, MARKS)):
        return None
    request = _read(body)
    for name in _FIELDS:
        if request.get(name):
            return name
    tools = request.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        found = _name_of(tool)
        if found is not None:
            return found
    return None


def _name_of(tool: Any) -> str | None:
    if not isinstance(tool, dict):
        return None
    kind = tool.get("type")
    names = [kind] if isinstance(kind, str) else list(tool)
    return next((name for name in names if name.startswith((*_TYPES, *_OTHER_TYPES))), None)


def _read(body: bytes) -> dict[str, Any]:
    try:
        return _decode(body)
    except ValueError:
        # Half of a surrogate pair, which msgspec refuses and providers may not.
        try:
            read = json.loads(body)
        except ValueError:
            return {}
        return read if isinstance(read, dict) else {}
