"""Tools that a provider runs by itself: the model reads what they find, however much, and all of it again at each step.

Most cost a fee beside the tokens: a search of the web costs cents a call.

OpenAI's Responses name them by the `type` of a tool (`web_search`, `file_search`, `code_interpreter`,
`image_generation`), its chat by `web_search_options`; Anthropic by types with a date (`web_search_20250305`,
`web_fetch_…`, `code_execution_…`); Gemini by a member (`googleSearch`, `google_maps`); xAI by `search_parameters`, and
OpenRouter by `plugins` and types of its own. Tools of servers elsewhere (MCP) and pages at an address are read for
their tokens alone.
"""

import json
from typing import Any, Final

import msgspec

_FIELDS: Final = ("web_search_options", "search_parameters", "plugins", "enable_search")
_TYPES: Final = (
    *("web_search", "web_fetch", "x_search", "file_search", "code_interpreter", "code_execution", "browser_search"),
    *("image_generation", "google_search", "googleSearch", "google_maps", "googleMaps", "enterpriseWebSearch"),
    *("codeExecution", "fileSearch", "collections_search", "retrieval", "builtin_function", "openrouter:"),
)
_FREE_FIELDS: Final = ("mcp_servers",)
_FREE_TYPES: Final = ("mcp", "mcp_toolset", "url_context", "urlContext")

MARKS: Final = tuple(
    [f'"{name}"'.encode() for name in (*_FIELDS, *_FREE_FIELDS, *_FREE_TYPES)]
    + [f'"{name}'.encode() for name in _TYPES]
)
"""Without one of these bytes there is no such tool; with one there may be."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def paid_tool(body: bytes) -> str | None:
    """The first tool of a JSON request that costs a fee of its own; None where there is none. No letter is escaped."""
    return _first(body, _FIELDS, _TYPES)


def own_tool(body: bytes) -> str | None:
    """The first tool of a JSON request that the provider runs, be it free of charge; None where there is none."""
    return _first(body, (*_FIELDS, *_FREE_FIELDS), _TYPES, _FREE_TYPES)


def _first(body: bytes, fields: tuple[str, ...], types: tuple[str, ...], exact: tuple[str, ...] = ()) -> str | None:
    if not any(map(body.__contains__, MARKS)):
        return None
    request = _read(body)
    for name in fields:
        if request.get(name):
            return name
    tools = request.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        found = _name_of(tool, types, exact)
        if found is not None:
            return found
    return None


def _name_of(tool: Any, types: tuple[str, ...], exact: tuple[str, ...]) -> str | None:
    if not isinstance(tool, dict):
        return None
    kind = tool.get("type")
    names = [kind] if isinstance(kind, str) else list(tool)
    return next((name for name in names if name.startswith(types) or name in exact), None)


def _read(body: bytes) -> dict[str, Any]:
    try:
        return _decode(body)
    except (ValueError, RecursionError):
        # Half of a surrogate pair, which msgspec refuses and providers may not.
        try:
            read = json.loads(body)
        except (ValueError, RecursionError):
            return {}
        return read if isinstance(read, dict) else {}
