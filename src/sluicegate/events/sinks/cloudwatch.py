"""AWS CloudWatch Logs: each event a line of a log stream.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html: in the order of time, within
24 hours, at most 10,000 and 1 MiB with 26 bytes more for each. Group and stream are made where they are missing.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from sluicegate.config.schema import SinkSettings
from sluicegate.events.sinks.aws import AwsError, Service, service
from sluicegate.events.sinks.base import (
    ALL_KINDS,
    Event,
    PartialError,
    Surroundings,
    TooLargeError,
    TransientError,
)
from sluicegate.events.sinks.http import Answer, decoded
from sluicegate.events.sinks.times import times_of

MOST_BYTES = 1_048_576
_EVENT_BYTES = 26
_DAY = 24 * 3600 * 1000 - 1
"""Milliseconds that one request may span."""
_MISSING = "ResourceNotFoundException"
_THERE = "ResourceAlreadyExistsException"


class _Rejected(Struct, frozen=True, rename="camel"):
    too_new_log_event_start_index: int | None = None
    too_old_log_event_end_index: int | None = None
    expired_log_event_end_index: int | None = None

    def indices(self, count: int) -> list[int]:
        """Those of the request's events that were rejected; the ends are not among them."""
        first = max(self.too_old_log_event_end_index or 0, self.expired_log_event_end_index or 0)
        last = count if self.too_new_log_event_start_index is None else self.too_new_log_event_start_index
        return [*range(min(first, count)), *range(max(first, last), count)]


class _Put(Struct, frozen=True, rename="camel"):
    rejected_log_events_info: _Rejected | None = None


def make(settings: SinkSettings, surroundings: Surroundings) -> "CloudWatch":
    """The sink of these settings."""
    return CloudWatch(
        service(settings, surroundings, name="logs", target="Logs_20140328"),
        group=settings.text("log_group"),
        stream=settings.log_stream,
    )


class CloudWatch:
    """Puts events into one log stream."""

    kinds = ALL_KINDS
    most_events = 10_000

    def __init__(self, client: Service, *, group: str, stream: str) -> None:
        """Nothing is connected yet."""
        self._service = client
        self._group = group
        self._stream = stream

    def __repr__(self) -> str:
        """Tell which stream."""
        return f"<CloudWatch {self._group}/{self._stream} {self._service!r}>"

    async def deliver(self, batch: Sequence[Event]) -> None:
        """Put a batch, as far as it lies within a day; the rest comes again at once."""
        lines = sorted(
            (times_of(event).began // 1000, index, msgspec.json.encode(event).decode())
            for index, event in enumerate(batch)
        )
        together = [line for line in lines if line[0] <= lines[0][0] + _DAY]
        if sum(len(text.encode()) + _EVENT_BYTES for _, _, text in together) > MOST_BYTES:
            raise TooLargeError("more than CloudWatch Logs takes")
        rejected = await self._put([{"timestamp": at, "message": text} for at, _, text in together])
        refused = {together[place][1]: "too old or too new for CloudWatch Logs" for place in rejected}
        again = [index for _, index, _ in lines[len(together) :]]
        if refused or again:
            raise PartialError("a part was put", again=again, refused=refused, retry_after=0.0)

    async def close(self) -> None:
        """Close all connections."""
        await self._service.close()

    async def _put(self, events: list[dict[str, int | str]]) -> list[int]:
        """Put events in the order of time; return the places of those that were rejected."""
        request = {"logGroupName": self._group, "logStreamName": self._stream, "logEvents": events}
        try:
            answer = await self._service.call("PutLogEvents", request)
        except AwsError as error:
            if str(error) != _MISSING:
                raise
            answer = await self._put_anew(request)
        rejected = decoded(answer, _Put).rejected_log_events_info
        return rejected.indices(len(events)) if rejected else []

    async def _put_anew(self, request: dict[str, Any]) -> Answer:
        """Put events where group or stream were missing."""
        await self._make_stream()
        try:
            return await self._service.call("PutLogEvents", request)
        except AwsError as error:
            if str(error) != _MISSING:
                raise
            # What was made is not known everywhere at once, and somebody may delete it again: no fault of the events.
            raise TransientError(_MISSING) from error

    async def _make_stream(self) -> None:
        group = {"logGroupName": self._group}
        stream = {**group, "logStreamName": self._stream}
        if not await self._made("CreateLogStream", stream):
            await self._made("CreateLogGroup", group)
            if not await self._made("CreateLogStream", stream):
                raise TransientError(_MISSING)

    async def _made(self, action: str, document: dict[str, str]) -> bool:
        """Whether it is there now, made by us or by somebody else just before: batches are put at the same time."""
        try:
            await self._service.call(action, document)
        except AwsError as error:
            if str(error) not in (_THERE, _MISSING):
                raise
            return str(error) == _THERE
        return True
