"""Langfuse: a generation for each exchange, by OTLP (https://langfuse.com/integrations/native/opentelemetry)."""

import base64
import json
from typing import Any

from sluicegate.config.schema import SinkSettings
from sluicegate.events.sinks import genai
from sluicegate.events.sinks.base import Event, Surroundings
from sluicegate.events.sinks.http import Poster
from sluicegate.events.sinks.otlp import Otlp
from sluicegate.events.sinks.spans import trace_of
from sluicegate.events.sinks.times import iso, times_of

_CLOUD = "https://cloud.langfuse.com"
_PATH = "/api/public/otel/v1/traces"
_NANO = 1_000_000_000


def make(settings: SinkSettings, surroundings: Surroundings) -> Otlp:
    """The sink of these settings."""
    login = f"{settings.text('public_key')}:{settings.text('secret_key')}"
    url = (settings.text("url") or _CLOUD).rstrip("/")
    return Otlp(
        Poster(url if url.endswith(_PATH) else url + _PATH, timeout=settings.timeout, now=surroundings.now),
        headers={
            "authorization": f"Basic {base64.b64encode(login.encode()).decode()}",
            # Without it, spans show up minutes later.
            "x-langfuse-ingestion-version": "4",
        },
        service=settings.service_name,
        has_unsampled=settings.unsampled,
        attributes_of=lambda event: genai.attributes(event, surroundings.servers) | attributes(event),
    )


def attributes(event: Event) -> dict[str, genai.Value]:
    """What Langfuse has names of its own for."""
    error = genai.error_of(event)
    first = times_of(event).first_byte
    given: dict[str, Any] = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": event.get("model"),
        "langfuse.observation.usage_details": usage_details(event),
        "langfuse.observation.cost_details": cost_details(event),
        "langfuse.observation.completion_start_time": None if first is None else iso(first),
        "langfuse.observation.level": "ERROR" if error else None,
        "langfuse.observation.status_message": error,
        # A trace of the client's has a name, which this would replace.
        "langfuse.trace.name": None if trace_of(event).parent else genai.span_name(event),
        "langfuse.trace.tags": tuple(map(str, event.get("tags") or ())),
        "langfuse.trace.metadata.project_id": event.get("project_id"),
        "langfuse.trace.metadata.organization_id": event.get("organization_id"),
        "session.id": event.get("session_id"),
    }
    return {name: value for name, value in given.items() if value}


def usage_details(event: Event) -> str:
    """Tokens as JSON, each counted once: Langfuse adds up what it is given."""
    usage = event.get("usage")
    if not usage:
        return ""
    read, written = usage.get("cache_read_tokens", 0), usage.get("cache_write_tokens", 0)
    details = {
        "input": max(0, usage.get("input_tokens", 0) - read - written),
        "output": usage.get("output_tokens", 0),
        "input_cache_read": read,
        "input_cache_creation": written,
    }
    total = usage.get("input_tokens", 0) + usage.get("output_tokens", 0)
    return json.dumps({name: count for name, count in details.items() if count} | {"total": total})


def cost_details(event: Event) -> str:
    """Dollars as JSON."""
    cost = event.get("cost")
    return "" if cost is None else json.dumps({"total": cost / _NANO})
