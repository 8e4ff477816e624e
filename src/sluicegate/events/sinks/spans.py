"""Exchanges as OpenTelemetry spans, in the JSON of OTLP. Pure.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids in hexadecimal, 64-bit integers as text.

A span's ids follow from the request's id: whoever gets an exchange twice has one span. Its parent is the client's
span, where the event has the client's `traceparent` (https://www.w3.org/TR/trace-context/#traceparent-header); a client
that does not sample its trace wants no span in it, as OpenTelemetry's own sampler by the parent has it
(https://opentelemetry.io/docs/specs/otel/trace/sdk/#parentbased).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sluicegate import __version__
from sluicegate.events.sinks import genai
from sluicegate.events.sinks.base import Event
from sluicegate.events.sinks.times import times_of

Attributes = Mapping[str, genai.Value]

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_SAMPLED = 0x01
"""Of a trace's flags: whoever began it records it."""
_IS_REMOTE = 0x300
"""Of a span's flags: that its parent is of another process, and that this is said (trace.proto's `SpanFlags`)."""
_CLIENT = 3
"""SPAN_KIND_CLIENT, which calls of a model are."""
_FAILED = 2
"""STATUS_CODE_ERROR."""


def document(batch: Sequence[Event], *, service: str, attributes_of: Callable[[Event], Attributes]) -> dict[str, Any]:
    """An `ExportTraceServiceRequest` with one span for each event."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _pairs({"service.name": service, "service.version": __version__})},
                "scopeSpans": [
                    {
                        "scope": {"name": "sluicegate", "version": __version__},
                        "spans": [span(event, attributes_of(event)) for event in batch],
                    }
                ],
            }
        ]
    }


def span(event: Event, attributes: Attributes) -> dict[str, Any]:
    """One exchange's span."""
    times = times_of(event)
    trace = trace_of(event)
    made: dict[str, Any] = {
        "traceId": trace.trace_id,
        "spanId": _hexadecimal(f"span {event.get('request_id', '')}", 16),
        "name": genai.span_name(event),
        "kind": _CLIENT,
        "startTimeUnixNano": str(times.began * 1000),
        "endTimeUnixNano": str(times.ended * 1000),
        "attributes": _pairs(attributes),
    }
    if trace.parent:
        made["parentSpanId"] = trace.parent
        made["flags"] = trace.flags | _IS_REMOTE
        if trace.state:
            made["traceState"] = trace.state
    if times.first_byte is not None:
        made["events"] = [{"timeUnixNano": str(times.first_byte * 1000), "name": "first_byte"}]
    error = genai.error_of(event)
    if error:
        made["status"] = {"code": _FAILED, "message": error}
    return made


@dataclass(frozen=True, slots=True)
class Trace:
    """What a span is a part of: `parent` and `state` are empty where the client named none."""

    trace_id: str
    parent: str = ""
    flags: int = _SAMPLED
    state: str = ""

    @property
    def is_sampled(self) -> bool:
        """Whether whoever began the trace records it."""
        return bool(self.flags & _SAMPLED)


def trace_of(event: Event) -> Trace:
    """The client's trace, or one of the request's own."""
    found = _TRACEPARENT.fullmatch(str(event.get("traceparent", "")))
    if found and found[1].strip("0") and found[2].strip("0"):
        return Trace(found[1], found[2], int(found[3], 16), str(event.get("tracestate", "")))
    return Trace(_hexadecimal(f"trace {event.get('request_id', '')}", 32))


def _hexadecimal(text: str, digits: int) -> str:
    return sha256(text.encode()).hexdigest()[:digits]


def _pairs(attributes: Attributes) -> list[dict[str, Any]]:
    return [{"key": name, "value": _typed(value)} for name, value in attributes.items()]


def _typed(value: genai.Value) -> dict[str, Any]:
    # Before numbers: True is one.
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, tuple):
        return {"arrayValue": {"values": [{"stringValue": each} for each in value]}}
    return {"stringValue": value}
