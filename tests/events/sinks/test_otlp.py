"""Spans go to an OpenTelemetry collector."""

import asyncio
from typing import Any

import pytest

from sluicegate.events.sinks.base import PermanentError
from sluicegate.events.sinks.http import Answer
from sluicegate.events.sinks.otlp import rejected_spans, traces_url
from tests.events.sinks.contract import Scripted, answer, connected, exchange, scripted

UNSAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
SAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b7-01"


def deliver(*answers: bytes, path: str = "", **settings: Any) -> Scripted:
    """Post two exchanges; what the collector got."""

    async def story() -> Scripted:
        async with scripted(*answers) as server, connected("otlp", server.url + path, **settings) as sink:
            await sink.deliver([exchange(1), exchange(2)])
            assert repr(sink) == "<Otlp <Poster 127.0.0.1>>"
        return server

    return asyncio.run(story())


def test_spans_are_posted() -> None:
    """As JSON, to the collector's usual path, from the service that is named, with the headers that are set."""
    server = deliver(service_name="gate", headers={"x-tenant": "t1"})
    assert server.paths == ["/v1/traces"]
    heads = server.requests[0][0]
    assert (heads["content-type"], heads["x-tenant"]) == ("application/json", "t1")
    (resource,) = server.documents()[0]["resourceSpans"]
    assert resource["resource"]["attributes"][0]["value"] == {"stringValue": "gate"}
    (scope,) = resource["scopeSpans"]
    keys = {each["key"] for each in scope["spans"][0]["attributes"]}
    assert {"gen_ai.operation.name", "gen_ai.request.model", "server.address"} <= keys
    assert len(scope["spans"]) == 2


def posted(**settings: Any) -> list[int]:
    """How many spans each request has, of a batch with one trace that is sampled and one that is not, and of a batch
    with nothing but the latter."""
    unsampled = exchange(1, traceparent=UNSAMPLED)

    async def story() -> list[int]:
        async with scripted() as server, connected("otlp", server.url, **settings) as sink:
            await sink.deliver([unsampled, exchange(2, traceparent=SAMPLED)])
            await sink.deliver([unsampled])
        return [len(each["resourceSpans"][0]["scopeSpans"][0]["spans"]) for each in server.documents()]

    return asyncio.run(story())


def test_traces_that_nobody_samples_get_no_span() -> None:
    """Where there is no other, nothing is posted; `unsampled` makes spans of them all."""
    assert posted() == [1]
    assert posted(unsampled=True) == [2, 1]


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/", "http://c:4318/v1/traces"),
        ("https://c/otel/v1/traces?key=1", "https://c/otel/v1/traces?key=1"),
    ],
)
def test_an_address_without_a_path_is_the_collectors(url: str, full: str) -> None:
    """Any other is taken as it is."""
    assert traces_url(url) == full


def test_rejected_spans_are_given_up() -> None:
    """A partial success may not be tried again, and does not say which spans it means."""
    said = b'{"partialSuccess": {"rejectedSpans": "1", "errorMessage": "secret"}}'
    with pytest.raises(PermanentError, match=r"^1 of 2 spans were rejected$"):
        deliver(answer(200, said))


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (b"", 0),
        (b"{}", 0),
        (b'{"partialSuccess": null}', 0),
        (b'{"partialSuccess": {}}', 0),
        (b'{"partialSuccess": {"rejectedSpans": 3}}', 3),
        (b'{"partialSuccess": {"rejectedSpans": "many"}}', 0),
        (b"\xff", 0),
    ],
)
def test_what_a_yes_says(body: bytes, count: int) -> None:
    """A document that is not understood rejects nothing."""
    assert rejected_spans(Answer(200, body)) == count
