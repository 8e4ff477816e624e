"""OpenTelemetry's names for what models do: the one place that has them, as they are still in development.

https://github.com/open-telemetry/semantic-conventions-genai
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sluicegate.events.sinks.base import Event

Value = str | int | float | bool | tuple[str, ...]

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_write.input_tokens"
CACHE_CREATION_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
"""The same under the conventions' present name; both are in use."""
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
CONVERSATION = "gen_ai.conversation.id"
ERROR = "error.type"
SERVER = "server.address"

_OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        "chat": "chat",
        "messages": "chat",
        "responses": "chat",
        "generate": "generate_content",
        "completions": "text_completion",
        "embeddings": "embeddings",
    }
)
"""Ours to theirs; others keep our name, as any name may be used for what has none."""

_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "gemini": "gcp.gemini",
        "mistral": "mistral_ai",
        "xai": "x_ai",
        "azure": "azure.ai.openai",
        "bedrock": "aws.bedrock",
        "vertex": "gcp.vertex_ai",
    }
)
"""Where theirs is not the same as ours."""

_OURS: Mapping[str, str] = MappingProxyType(
    {
        "request_id": "sluicegate.request_id",
        "organization_id": "sluicegate.organization_id",
        "project_id": "sluicegate.project_id",
        "token": "sluicegate.token_id",
        "deployment": "sluicegate.deployment",
        "cost": "sluicegate.cost_nano_usd",
        "attempts": "sluicegate.attempts",
        "is_estimated": "sluicegate.is_estimated",
        "user_id": "user.id",
        "session_id": CONVERSATION,
        "status_code": "http.response.status_code",
        "method": "http.request.method",
        "endpoint": "url.path",
        "tags": "sluicegate.tags",
    }
)
"""What there is no name for, and what has one beyond models."""


def operation_of(event: Event) -> str:
    """What was asked for."""
    operation = str(event.get("operation") or "unknown")
    return _OPERATIONS.get(operation, operation)


def provider_of(event: Event) -> str:
    """Who was asked."""
    name = str(event.get("provider") or event.get("dialect") or "unknown")
    return _PROVIDERS.get(name, name)


def error_of(event: Event) -> str:
    """The kind of what went wrong: our code, or the status; empty where nothing did."""
    if event.get("error"):
        return str(event["error"])
    status = event.get("status_code", 0)
    return str(status) if isinstance(status, int) and status >= 400 else ""


def span_name(event: Event) -> str:
    """`chat gpt-4.1`."""
    return f"{operation_of(event)} {event.get('requested_model') or event.get('model') or ''}".rstrip()


def attributes(event: Event, servers: Mapping[str, str]) -> dict[str, Value]:
    """The attributes of an exchange's span. `servers` are the hosts of providers, by our names for these."""
    usage: Mapping[str, Any] = event.get("usage") or {}
    given: dict[str, Any] = {
        OPERATION: operation_of(event),
        PROVIDER: provider_of(event),
        REQUEST_MODEL: event.get("requested_model") or event.get("model"),
        RESPONSE_MODEL: event.get("model"),
        RESPONSE_ID: event.get("response_id"),
        FINISH_REASONS: (event["finish_reason"],) if event.get("finish_reason") else None,
        INPUT_TOKENS: usage.get("input_tokens"),
        OUTPUT_TOKENS: usage.get("output_tokens"),
        CACHE_READ_TOKENS: usage.get("cache_read_tokens"),
        CACHE_WRITE_TOKENS: usage.get("cache_write_tokens"),
        CACHE_CREATION_TOKENS: usage.get("cache_write_tokens"),
        REASONING_TOKENS: usage.get("reasoning_tokens"),
        SERVER: servers.get(str(event.get("provider", ""))),
        ERROR: error_of(event),
    }
    given |= {name: event.get(ours) for ours, name in _OURS.items()}
    return {name: _value(value) for name, value in given.items() if value is not None and value not in ("", (), [])}


def _value(value: Any) -> Value:
    if isinstance(value, list | tuple):
        return tuple(map(str, value))
    return value if isinstance(value, str | int | float) else str(value)
