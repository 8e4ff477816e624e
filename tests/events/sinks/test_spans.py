"""Exchanges as spans, in OTLP's JSON."""

from typing import Any

import pytest

from sluicegate import __version__
from sluicegate.events.sinks.spans import Trace, document, span, trace_of
from tests.events.sinks.contract import exchange

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_span_has_times_and_ids() -> None:
    """Nanoseconds as text; ids in hexadecimal that follow from the request's."""
    made = span(exchange(), {})
    assert (made["name"], made["kind"]) == ("chat smart", 3)
    assert made["startTimeUnixNano"] == "1795255200123000000"
    assert made["endTimeUnixNano"] == "1795255200935400000"
    assert made["events"] == [{"timeUnixNano": "1795255200333200000", "name": "first_byte"}]
    assert (len(made["traceId"]), len(made["spanId"])) == (32, 16)
    assert span(exchange(), {}) == made
    assert span(exchange(2), {})["traceId"] != made["traceId"]
    assert "status" not in made
    assert "parentSpanId" not in made


def test_failures_are_marked() -> None:
    """With their kind; what had no first byte has no event."""
    made = span(exchange(status_code=502, error="upstream_unreachable", first_byte_ms=None), {})
    assert made["status"] == {"code": 2, "message": "upstream_unreachable"}
    assert "events" not in made


def test_a_client_is_the_parent() -> None:
    """Where the event has its `traceparent`: a remote one, with the trace's flags and state."""
    made = span(exchange(traceparent=f"00-{TRACE}-{PARENT}-01", tracestate="a=1,b=2"), {})
    assert (made["traceId"], made["parentSpanId"]) == (TRACE, PARENT)
    assert (made["flags"], made["traceState"]) == (0x301, "a=1,b=2")
    assert "traceState" not in span(exchange(traceparent=f"00-{TRACE}-{PARENT}-01"), {})


def test_without_a_client_there_is_no_state() -> None:
    """It belongs to the client's trace."""
    made = span(exchange(tracestate="a=1"), {})
    assert not {"traceState", "flags", "parentSpanId"} & made.keys()


@pytest.mark.parametrize(("flags", "is_sampled"), [("00", False), ("01", True), ("02", False), ("ff", True)])
def test_a_client_says_whether_its_trace_is_sampled(flags: str, *, is_sampled: bool) -> None:
    """By the lowest bit; without a client, it is."""
    assert trace_of(exchange(traceparent=f"00-{TRACE}-{PARENT}-{flags}")).is_sampled is is_sampled
    assert trace_of(exchange()).is_sampled


@pytest.mark.parametrize(
    "text",
    ["", "00-x-y-01", f"ff-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01"],
)
def test_a_parent_that_is_none(text: str) -> None:
    """Is passed over: https://www.w3.org/TR/trace-context/#traceparent-header-field-values."""
    trace = trace_of({"request_id": "r", "traceparent": text})
    assert trace.trace_id != TRACE
    assert trace.parent == ""


def test_later_versions_of_a_parent_are_understood() -> None:
    """Whatever they add at the end."""
    assert trace_of({"traceparent": f"01-{TRACE}-{PARENT}-01-more"}) == Trace(TRACE, PARENT)


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        ("a", {"stringValue": "a"}),
        (7, {"intValue": "7"}),
        (True, {"boolValue": True}),
        (0.5, {"doubleValue": 0.5}),
        (("a", "b"), {"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}}),
    ],
)
def test_values_say_their_kind(value: Any, typed: dict[str, Any]) -> None:
    """64-bit integers are text."""
    assert span(exchange(), {"x": value})["attributes"] == [{"key": "x", "value": typed}]


def test_a_document_names_the_service() -> None:
    """One span for each event, all of one scope."""
    made = document([exchange(1), exchange(2)], service="gate", attributes_of=lambda event: {"n": event["request_id"]})
    (resource,) = made["resourceSpans"]
    assert resource["resource"]["attributes"] == [
        {"key": "service.name", "value": {"stringValue": "gate"}},
        {"key": "service.version", "value": {"stringValue": __version__}},
    ]
    (scope,) = resource["scopeSpans"]
    assert scope["scope"] == {"name": "sluicegate", "version": __version__}
    assert [each["attributes"][0]["value"]["stringValue"][-1] for each in scope["spans"]] == ["1", "2"]
