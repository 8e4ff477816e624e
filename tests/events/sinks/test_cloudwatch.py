"""Events are lines of a CloudWatch log stream."""

import asyncio
from typing import Any

import msgspec
import pytest

from sluicegate.events.sinks.aws import AwsError
from sluicegate.events.sinks.base import Event, PartialError, TooLargeError, TransientError
from tests.events.sinks.contract import Scripted, answer, connected, exchange, scripted

MISSING = answer(400, b'{"__type": "ResourceNotFoundException"}')
THERE = answer(400, b'{"__type": "ResourceAlreadyExistsException"}')
DENIED = answer(400, b'{"__type": "AccessDeniedException"}')
YES = answer(200, b"{}")


def at(moment: str, number: int = 1, **more: Any) -> Event:
    """An exchange of this time."""
    return exchange(number, timestamp=moment, **more)


def deliver(batch: list[Event], *answers: bytes) -> Scripted:
    """Put events into a stream that answers so; what it was asked."""
    server: list[Scripted] = []

    async def story() -> None:
        async with scripted(*answers, then=lambda body: YES) as one, connected("cloudwatch", one.url) as sink:
            server.append(one)
            assert repr(sink) == "<CloudWatch gateway/sluicegate <Service logs eu-west-1>>"
            await sink.deliver(batch)

    asyncio.run(story())
    return server[0]


def actions(server: Scripted) -> list[str]:
    """The names of what was asked."""
    return [heads["x-amz-target"].removeprefix("Logs_20140328.") for heads, _ in server.requests]


def test_events_are_put_in_the_order_of_time() -> None:
    """Whatever their order was; with milliseconds."""
    server = deliver([at("2026-11-21T10:00:01Z", 2), at("2026-11-21T10:00:00.5Z", 1)])
    (document,) = server.documents()
    assert (document["logGroupName"], document["logStreamName"]) == ("gateway", "sluicegate")
    assert [each["timestamp"] for each in document["logEvents"]] == [1_795_255_200_500, 1_795_255_201_000]
    assert msgspec.json.decode(document["logEvents"][0]["message"])["request_id"][-1] == "1"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((MISSING, YES), ["CreateLogStream"]),
        ((MISSING, THERE), ["CreateLogStream"]),
        ((MISSING, MISSING, YES, YES), ["CreateLogStream", "CreateLogGroup", "CreateLogStream"]),
        ((MISSING, MISSING, THERE, YES), ["CreateLogStream", "CreateLogGroup", "CreateLogStream"]),
        ((MISSING, MISSING, THERE, THERE), ["CreateLogStream", "CreateLogGroup", "CreateLogStream"]),
    ],
)
def test_what_is_missing_is_made(answers: tuple[bytes, ...], expected: list[str]) -> None:
    """The stream, the group too, unless somebody else has just made it; then the events are put."""
    assert actions(deliver([exchange()], *answers)) == ["PutLogEvents", *expected, "PutLogEvents"]


@pytest.mark.parametrize("answers", [(MISSING, YES, MISSING), (MISSING, MISSING, YES, MISSING)])
def test_what_was_made_and_is_not_found_yet_is_no_fault_of_the_events(answers: tuple[bytes, ...]) -> None:
    """They are sent again: the service does not know at once, everywhere, what was made."""
    with pytest.raises(TransientError, match=r"^ResourceNotFoundException$"):
        deliver([exchange()], *answers)


@pytest.mark.parametrize("answers", [(DENIED,), (MISSING, DENIED), (MISSING, MISSING, DENIED), (MISSING, YES, DENIED)])
def test_what_may_not_be_made_is_refused(answers: tuple[bytes, ...]) -> None:
    """With the name of the error."""
    with pytest.raises(AwsError, match=r"^AccessDeniedException$"):
        deliver([exchange()], *answers)


def test_one_request_spans_a_day() -> None:
    """What is later comes again at once."""
    with pytest.raises(PartialError) as caught:
        deliver([at("2026-11-21T10:00:00Z"), at("2026-11-19T10:00:00Z"), at("2026-11-20T09:59:59.999Z")])
    assert (caught.value.again, caught.value.refused, caught.value.retry_after) == ((0,), {}, 0.0)


@pytest.mark.parametrize(
    ("info", "refused"),
    [
        ({"tooOldLogEventEndIndex": 1}, [2]),
        ({"expiredLogEventEndIndex": 2, "tooOldLogEventEndIndex": 1}, [2, 1]),
        ({"tooNewLogEventStartIndex": 2}, [0]),
        ({"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}, [2, 0]),
        ({"tooOldLogEventEndIndex": 9}, [2, 1, 0]),
    ],
)
def test_rejected_events_are_told_apart(info: dict[str, int], refused: list[int]) -> None:
    """By their places in the order of time, told by those in the batch."""
    batch = [at(f"2026-11-21T10:00:0{3 - number}Z", number) for number in range(3)]
    with pytest.raises(PartialError) as caught:
        deliver(batch, answer(200, msgspec.json.encode({"rejectedLogEventsInfo": info})))
    assert list(caught.value.refused) == refused
    assert caught.value.again == ()


def test_nothing_rejected() -> None:
    """An empty report is none."""
    deliver([exchange()], answer(200, b'{"rejectedLogEventsInfo": {}}'))


def test_too_much_is_not_sent() -> None:
    """The service's bound is known."""
    with pytest.raises(TooLargeError):
        deliver([exchange(1, session_id="x" * 1_100_000)])
