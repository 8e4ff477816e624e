"""OpenTelemetry's names for what models do."""

from typing import Any

import pytest

from sluicegate.events.sinks.genai import attributes, error_of, operation_of, provider_of, span_name
from tests.events.sinks.contract import exchange


def test_an_exchange_has_its_attributes() -> None:
    """What is required, what was answered, what was used; and ours beside."""
    assert attributes(exchange(session_id="s1"), {"openai": "api.openai.com"}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "smart",
        "gen_ai.response.model": "gpt-4.1",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.conversation.id": "s1",
        "server.address": "api.openai.com",
        "http.response.status_code": 200,
        "http.request.method": "POST",
        "url.path": "/v1/chat/completions",
        "sluicegate.request_id": exchange()["request_id"],
        "sluicegate.organization_id": "org_1",
        "sluicegate.project_id": "prj_1",
        "sluicegate.token_id": "tok_1",
        "sluicegate.cost_nano_usd": 1_500_000,
        "sluicegate.tags": ("night",),
    }


def test_parts_of_the_usage_have_their_names() -> None:
    """What was written to a cache has the two that are in use."""
    usage = {"input_tokens": 10, "output_tokens": 9, "cache_write_tokens": 7, "reasoning_tokens": 5}
    given = attributes(exchange(usage=usage), {})
    assert {name: value for name, value in given.items() if name.startswith("gen_ai.usage.")} == {
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 9,
        "gen_ai.usage.cache_write.input_tokens": 7,
        "gen_ai.usage.cache_creation.input_tokens": 7,
        "gen_ai.usage.reasoning.output_tokens": 5,
    }


def test_what_is_unknown_is_left_out() -> None:
    """But for what is required."""
    event: dict[str, Any] = {"kind": "exchange", "usage": None, "tags": [], "token": ""}
    assert attributes(event, {}) == {"gen_ai.operation.name": "unknown", "gen_ai.provider.name": "unknown"}
    assert span_name(event) == "unknown"


@pytest.mark.parametrize(
    ("event", "operation"),
    [
        ({"operation": "messages"}, "chat"),
        ({"operation": "generate"}, "generate_content"),
        ({"operation": "completions"}, "text_completion"),
        ({"operation": "embeddings"}, "embeddings"),
        ({"operation": "images"}, "images"),
    ],
)
def test_operations(event: dict[str, Any], operation: str) -> None:
    """By their well-known names, where they have one."""
    assert operation_of(event) == operation


@pytest.mark.parametrize(
    ("event", "provider"),
    [({"provider": "gemini"}, "gcp.gemini"), ({"provider": "mine"}, "mine"), ({"dialect": "anthropic"}, "anthropic")],
)
def test_providers(event: dict[str, Any], provider: str) -> None:
    """By their well-known names, else by ours, else by the API."""
    assert provider_of(event) == provider


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"status_code": 200}, ""),
        ({"status_code": 429}, "429"),
        ({"status_code": 502, "error": "upstream_unreachable"}, "upstream_unreachable"),
        ({"status_code": 200, "error": "upstream_cut"}, "upstream_cut"),
        ({"status_code": "?"}, ""),
    ],
)
def test_errors(event: dict[str, Any], error: str) -> None:
    """Our code where there is one, else the status."""
    assert error_of(event) == error
