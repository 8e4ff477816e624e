"""Events go on an EventBridge bus."""

import asyncio
from typing import Any

import msgspec
import pytest

from sluicegate.events.sinks.base import Event, PartialError, TooLargeError
from tests.events.sinks.contract import Scripted, answer, connected, exchange, scripted

NOTICE = {"kind": "notice", "id": "n1", "event": "budget.threshold", "timestamp": "2026-11-21T10:00:00Z"}


def deliver(batch: list[Event], *results: dict[str, Any], **settings: Any) -> Scripted:
    """Put events on a bus that answers so."""

    async def story() -> Scripted:
        failed = sum("ErrorCode" in result for result in results)
        said = answer(200, msgspec.json.encode({"FailedEntryCount": failed, "Entries": results}))
        async with scripted(said) as server, connected("eventbridge", server.url, **settings) as sink:
            await sink.deliver(batch)
        return server

    return asyncio.run(story())


def test_events_are_entries() -> None:
    """Named for their kind, a notice for itself; on the bus and from the source that are named."""
    batch: list[Event] = [exchange(1), NOTICE]
    server = deliver(batch, {"EventId": "1"}, {"EventId": "2"}, bus="llm", source="gate")
    first, second = server.documents()[0]["Entries"]
    assert server.requests[0][0]["x-amz-target"] == "AWSEvents.PutEvents"
    assert (first["DetailType"], second["DetailType"]) == ("exchange", "budget.threshold")
    assert (first["Source"], first["EventBusName"], first["Time"]) == ("gate", "llm", 1_795_255_200)
    assert msgspec.json.decode(first["Detail"]) == exchange(1)


def test_each_entry_has_its_result() -> None:
    """What may pass is sent again, what cannot is refused, and what is not spoken of is sent again."""
    with pytest.raises(PartialError) as caught:
        deliver(
            [exchange(number) for number in range(4)],
            {"EventId": "1"},
            {"ErrorCode": "ThrottlingException", "ErrorMessage": "x"},
            {"ErrorCode": "MalformedDetail"},
        )
    assert caught.value.again == (1, 3)
    assert caught.value.refused == {2: "refused by EventBridge"}


def test_too_much_is_not_sent() -> None:
    """The service's bound is known."""
    with pytest.raises(TooLargeError):
        deliver([exchange(1, session_id="x" * 300_000)])


def test_it_tells_where_it_puts_them() -> None:
    """Bus and region."""

    async def story() -> None:
        async with connected("eventbridge", "http://127.0.0.1:1/") as sink:
            assert repr(sink) == "<EventBridge default <Service events eu-west-1>>"

    asyncio.run(story())
