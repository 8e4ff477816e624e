"""OpenTelemetry's own messages read what is posted: no name is unknown to them, no value of another type."""

import asyncio
import base64
from typing import Any

import msgspec
import pytest
from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, SpanFlags, Status

from tests.events.sinks.contract import connected, exchange, scripted

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
IDS = ("traceId", "spanId", "parentSpanId")


def understood(document: Any) -> ExportTraceServiceRequest:
    """Read OTLP's JSON, which is that of Protocol Buffers but for ids in hexadecimal; whatever is unknown fails."""
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in IDS & span.keys():
                    span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return ParseDict(document, ExportTraceServiceRequest())


def posted(kind: str, *events: dict[str, Any]) -> list[Span]:
    """The spans that a sink of this type makes of events, as a collector reads them."""

    async def story() -> Any:
        async with scripted() as server, connected(kind, server.url) as sink:
            await sink.deliver(list(events))
        (document,) = server.documents()
        return document

    (resource,) = understood(asyncio.run(story())).resource_spans
    assert {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"] == "sluicegate"
    (scope,) = resource.scope_spans
    return list(scope.spans)


@pytest.mark.parametrize("kind", ["otlp", "langfuse"])
def test_spans_are_understood(kind: str) -> None:
    """With parent, flags and state of the client's trace; with attributes, times, an event and a status."""
    parent, state = f"00-{TRACE}-{PARENT}-01", "a=1,b=2"
    first, second = posted(kind, exchange(1, traceparent=parent, tracestate=state), exchange(2, status_code=502))
    assert (first.trace_id.hex(), first.parent_span_id.hex(), first.trace_state) == (TRACE, PARENT, state)
    remote = SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
    assert first.flags == remote | 0x01
    assert (first.kind, first.name, first.status.code) == (
        Span.SPAN_KIND_CLIENT,
        "chat smart",
        Status.STATUS_CODE_UNSET,
    )
    assert first.end_time_unix_nano - first.start_time_unix_nano == 812_400_000
    assert [each.name for each in first.events] == ["first_byte"]
    attributes = {each.key: each.value for each in first.attributes}
    assert attributes["gen_ai.usage.input_tokens"].int_value == 100
    assert attributes["gen_ai.response.finish_reasons"].array_value.values[0].string_value == "stop"
    assert (len(second.trace_id), len(second.span_id), second.parent_span_id, second.flags) == (16, 8, b"", 0)
    assert (second.status.code, second.trace_id != first.trace_id) == (Status.STATUS_CODE_ERROR, True)


def test_an_unknown_name_would_be_found() -> None:
    """The messages are strict."""
    document = msgspec.json.decode(b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"parentId": "x"}]}]}]}')
    with pytest.raises(ParseError, match="parentId"):
        understood(document)
