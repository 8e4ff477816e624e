"""Tools that cost a fee beside the tokens."""

import pytest

from sluicegate.wire.paid_tools import own_tool, paid_tool


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"tools":[{"type":"function","name":"f"},{"type":"web_search"}]}', "web_search"),
        (b'{"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":5}]}', "web_search_20250305"),
        (b'{"tools":[{"type":"code_interpreter","container":{"type":"auto"}}]}', "code_interpreter"),
        (b'{"tools":[{"type":"image_generation"}]}', "image_generation"),
        (b'{"tools":[{"googleSearch":{}}]}', "googleSearch"),
        (b'{"tools":[{"google_maps":{}}]}', "google_maps"),
        (b'{"web_search_options":{"search_context_size":"low"}}', "web_search_options"),
        (b'{"search_parameters":{"mode":"auto"}}', "search_parameters"),
        (b'{"plugins":[{"id":"web"}]}', "plugins"),
        (b'{"tools":[{"type":"web_search"}],"user":"\\ud800"}', "web_search"),
        (b'{"tools":[{"codeExecution":{}}]}', "codeExecution"),
        (b'{"tools":[{"type":"builtin_function","function":{"name":"$web_search"}}]}', "builtin_function"),
        (b'{"enable_search":true}', "enable_search"),
        (b'{"tools":[{"type":"openrouter:web_search"}]}', "openrouter:web_search"),
    ],
)
def test_a_tool_with_a_fee_is_found(body: bytes, name: str) -> None:
    """In the words of each API, also where a text has half a character."""
    assert paid_tool(body) == own_tool(body) == name


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"tools":[{"type":"mcp","server_label":"a","server_url":"https://x"}]}', "mcp"),
        (b'{"mcp_servers":[{"type":"url","url":"https://x"}]}', "mcp_servers"),
        (b'{"tools":[{"urlContext":{}}]}', "urlContext"),
    ],
)
def test_a_tool_without_a_fee_is_the_providers_own_as_well(body: bytes, name: str) -> None:
    """It brings what the model is to read."""
    assert (paid_tool(body), own_tool(body)) == (None, name)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"tools":[{"type":"function","function":{"name":"web_search"}}]}',
        b'{"tools":[{"name":"web_search","input_schema":{}}],"messages":[{"role":"user","content":"web_search"}]}',
        b'{"messages":[{"role":"user","content":"\\"web_search\\""}]}',
        b'{"tools":{"web_search":1},"web_search_options":null,"plugins":[]}',
        b'{"tools":["web_search"]}',
        b'["web_search"]',
        b'"web_search',
        b'{"model":1,"a":"web_search","b":' + b"[" * 100_000,
    ],
)
def test_other_tools_cost_their_tokens(body: bytes) -> None:
    """Functions of the caller's own, whatever their names; texts; what is no request."""
    assert paid_tool(body) is None
    assert own_tool(body) is None
