"""Generations go to Langfuse."""

import asyncio
import base64
import json

import pytest

from sluicegate.events.sinks.langfuse import attributes, cost_details, usage_details
from tests.events.sinks.contract import SECRET, connected, exchange, scripted


@pytest.mark.parametrize("path", ["", "api/public/otel/v1/traces"])
def test_spans_are_posted_with_a_login(path: str) -> None:
    """To its OTLP path, whether or not the address has it, with both keys by HTTP Basic."""

    async def story() -> None:
        async with scripted() as server, connected("langfuse", server.url + path) as sink:
            await sink.deliver([exchange()])
        assert server.paths == ["/api/public/otel/v1/traces"]
        heads = server.requests[0][0]
        assert base64.b64decode(heads["authorization"].removeprefix("Basic ")).decode() == f"pk-lf-1:{SECRET}"
        assert heads["x-langfuse-ingestion-version"] == "4"
        spans = server.documents()[0]["resourceSpans"][0]["scopeSpans"][0]["spans"]
        keys = {each["key"] for each in spans[0]["attributes"]}
        assert {"langfuse.observation.type", "gen_ai.request.model"} <= keys

    asyncio.run(story())


def test_an_exchange_is_a_generation() -> None:
    """With model, tokens, cost and first byte, and the trace's name and tags."""
    given = attributes(exchange(session_id="s1"))
    assert json.loads(str(given.pop("langfuse.observation.usage_details"))) == {
        "input": 60,
        "output": 20,
        "input_cache_read": 40,
        "total": 120,
    }
    assert json.loads(str(given.pop("langfuse.observation.cost_details"))) == {"total": 0.0015}
    assert given == {
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": "gpt-4.1",
        "langfuse.observation.completion_start_time": "2026-11-21T10:00:00.333Z",
        "langfuse.trace.name": "chat smart",
        "langfuse.trace.tags": ("night",),
        "langfuse.trace.metadata.project_id": "prj_1",
        "langfuse.trace.metadata.organization_id": "org_1",
        "session.id": "s1",
    }


def test_a_clients_trace_keeps_its_name() -> None:
    """The gateway is but a part of it."""
    given = attributes(exchange(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
    assert "langfuse.trace.name" not in given


def test_a_failure_is_an_error() -> None:
    """With its kind; what is not known is left out."""
    given = attributes({"timestamp": "2026-11-21T10:00:00Z", "status_code": 502, "error": "upstream_unreachable"})
    assert given["langfuse.observation.level"] == "ERROR"
    assert given["langfuse.observation.status_message"] == "upstream_unreachable"
    assert "langfuse.observation.completion_start_time" not in given
    assert usage_details({}) == ""
    assert cost_details({}) == ""
