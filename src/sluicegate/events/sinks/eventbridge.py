"""AWS EventBridge: each event an entry (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html).

Its `DetailType` is the event's kind, or a notice's own name; its `Detail` is the event.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from sluicegate.config.schema import SinkSettings
from sluicegate.events.sinks.aws import PASSING, Service, service
from sluicegate.events.sinks.base import ALL_KINDS, Event, PartialError, Surroundings, TooLargeError
from sluicegate.events.sinks.http import decoded
from sluicegate.events.sinks.times import times_of

MOST_BYTES = 262_144
"""Of all entries of one request, counted as the API reference does."""
_TIME_BYTES = 14


class _Result(Struct, frozen=True, rename="pascal"):
    event_id: str | None = None
    error_code: str | None = None


class _Results(Struct, frozen=True, rename="pascal"):
    entries: list[_Result] = field(default_factory=list)
    failed_entry_count: int = 0


def make(settings: SinkSettings, surroundings: Surroundings) -> "EventBridge":
    """The sink of these settings."""
    return EventBridge(
        service(settings, surroundings, name="events", target="AWSEvents"), bus=settings.bus, source=settings.source
    )


class EventBridge:
    """Puts events on one bus."""

    kinds = ALL_KINDS
    most_events = 10

    def __init__(self, client: Service, *, bus: str, source: str) -> None:
        """Nothing is connected yet."""
        self._service = client
        self._bus = bus
        self._source = source

    def __repr__(self) -> str:
        """Tell which bus."""
        return f"<EventBridge {self._bus} {self._service!r}>"

    async def deliver(self, batch: Sequence[Event]) -> None:
        """Put a batch. Of what comes back, each entry's own result counts."""
        entries = [self._entry(event) for event in batch]
        if sum(map(_size, entries)) > MOST_BYTES:
            raise TooLargeError("more than EventBridge takes")
        answer = decoded(await self._service.call("PutEvents", {"Entries": entries}), _Results)
        failed = {index: result.error_code for index, result in enumerate(answer.entries) if result.error_code}
        again = [index for index, code in failed.items() if code in PASSING]
        refused = {index: "refused by EventBridge" for index in failed if index not in again}
        # What is not spoken of has not arrived, as far as anybody knows.
        again += range(len(answer.entries), len(batch))
        if again or refused:
            raise PartialError(f"{len(again) + len(refused)} of {len(batch)} failed", again=again, refused=refused)

    async def close(self) -> None:
        """Close all connections."""
        await self._service.close()

    def _entry(self, event: Event) -> dict[str, Any]:
        return {
            "Source": self._source,
            "DetailType": str(event.get("event") or event.get("kind") or "event"),
            "Detail": msgspec.json.encode(event).decode(),
            "EventBusName": self._bus,
            "Time": times_of(event).began // 1_000_000,
        }


def _size(entry: dict[str, Any]) -> int:
    """As https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html counts."""
    return _TIME_BYTES + sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))
