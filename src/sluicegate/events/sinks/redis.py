"""Events into a Redis stream, from which any number of dispatchers read them, on this machine or others."""

from collections.abc import Sequence

import msgspec

from sluicegate.config import redis_address
from sluicegate.config.schema import SinkSettings
from sluicegate.events.redis_stream import RedisStream
from sluicegate.events.sinks.base import ALL_KINDS, Event, Surroundings, TransientError
from sluicegate.events.stream_group import StreamUnavailableError

MOST_EVENTS = 1000
"""In one round trip: some megabyte, and what is twice in the stream where it was lost."""

_encode = msgspec.json.Encoder().encode


class RedisSink:
    """One stream. Whatever the server says is transient: no event is at fault."""

    kinds = ALL_KINDS
    most_events = MOST_EVENTS

    def __init__(self, stream: RedisStream, *, most_entries: int) -> None:
        """Beyond about `most_entries` the stream loses its oldest, read or not."""
        self._stream = stream
        self._most_entries = most_entries

    def __repr__(self) -> str:
        """Tell which stream."""
        return f"<RedisSink {self._stream!r}>"

    async def deliver(self, batch: Sequence[Event]) -> None:
        """Add these events in their order. Where it fails, some may be in the stream all the same."""
        try:
            await self._stream.add([_encode(event) for event in batch], most=self._most_entries)
        except StreamUnavailableError as error:
            raise TransientError(str(error)) from error

    async def close(self) -> None:
        """Let go of all connections."""
        await self._stream.close()


def stream_of(settings: SinkSettings) -> RedisStream:
    """The stream that a sink of type `redis` adds to."""
    return RedisStream(redis_address.parse(settings.text("address")), settings.stream)


def make(settings: SinkSettings, surroundings: Surroundings) -> RedisSink:
    """The sink of these settings."""
    del surroundings
    return RedisSink(stream_of(settings), most_entries=settings.most)
