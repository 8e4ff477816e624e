"""Feeding one sink from a process of its own, until told to end: from this machine's journal, or a Redis stream.

Rule 1. What is under way at the end may take a while to be finished. Then it is given up, and delivered again by
        whoever comes next.
Rule 2. The journal has one reader for each sink, as there is one checkpoint; a stream has any number.
Rule 3. What lags so far behind that the journal would delete what it has not read sets its oldest events aside.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from structlog.typing import FilteringBoundLogger

from sluicegate.domain.events import Exchange, Notice
from sluicegate.events.checkpoint_store import CheckpointStore
from sluicegate.events.consumer import PAUSE, Consumer, Yielding
from sluicegate.events.reader import Batch, SegmentReader
from sluicegate.events.redis_reader import ABANDONED_AFTER, StreamReader
from sluicegate.events.redis_stream import RedisStream
from sluicegate.events.sinks.base import Event
from sluicegate.events.sinks.engine import Engine
from sluicegate.events.sinks.feeding import consumer_name
from sluicegate.events.tail import ALL_EVENTS

GRACE = 20.0
"""Seconds for what is under way at the end: two attempts of most sinks."""
_BATCH = 1000
"""Events between two checkpoints: so many come again after a crash."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


async def feed_from_journal(
    engine: Engine,
    reader: SegmentReader,
    checkpoints: CheckpointStore,
    *,
    most_bytes: int,
    end: asyncio.Event,
    clock: Callable[[], float],
    log: FilteringBoundLogger,
    interval: float = PAUSE,
    grace: float = GRACE,
    tell: Callable[[Consumer[Exchange | Notice]], None] | None = None,
) -> None:
    """Deliver what workers of this machine write, from the checkpoint on, until `end` is set.

    Beyond `most_bytes` of unread events the oldest become dead letters. `interval` is in seconds, between two looks.
    `tell` is given the consumer before it begins.
    """
    parked = asyncio.Event()

    async def park() -> None:
        parked.set()
        await asyncio.Event().wait()

    async def handle(batch: Batch[Exchange | Notice]) -> None:
        # Here the checkpoint of the batch before is stored.
        if end.is_set():
            await park()
        await engine.deliver([msgspec.to_builtins(event) for event in batch.events])

    async def set_aside(batch: Batch[Exchange | Notice]) -> None:
        await engine.set_aside([msgspec.to_builtins(event) for event in batch.events])

    async def pause(seconds: float) -> None:
        if end.is_set():
            await park()
        await _reached(end, seconds)

    consumer: Consumer[Exchange | Notice] = Consumer(
        consumer_name(engine.name),
        reader,
        ALL_EVENTS,
        handle,
        checkpoints,
        clock=clock,
        log=log,
        largest_batch=_BATCH,
        pause=pause,
        interval=interval,
        yielding=Yielding(lambda: most_bytes, set_aside),
    )
    if tell is not None:
        tell(consumer)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(consumer.run())
        await end.wait()
        if not await _reached(parked, grace):
            log.warning("given up what was being delivered: it is delivered again at the next start")
        running.cancel()


async def feed_from_stream(
    engine: Engine,
    stream: RedisStream,
    *,
    replica: str,
    end: asyncio.Event,
    log: FilteringBoundLogger,
    abandoned_after: float = ABANDONED_AFTER,
    grace: float = GRACE,
) -> None:
    """Deliver this replica's share of a stream until `end` is set; all replicas of a sink are one group.

    What a replica has not been heard of for `abandoned_after` seconds is taken over by another; `grace` is how many
    seconds what is under way at the end may take.
    """

    async def deliver(lines: Sequence[bytes]) -> None:
        events = _events(lines)
        if len(events) < len(lines):
            log.error("entries that are no events are passed over", entries=len(lines) - len(events))
        await engine.deliver(events)

    reader = StreamReader(
        stream, group=engine.name, name=replica, deliver=deliver, log=log, abandoned_after=abandoned_after
    )
    await reader.run(end, grace=grace)


def _events(lines: Sequence[bytes]) -> list[Event]:
    events: list[Event] = []
    for line in lines:
        try:
            # Who adds them may have left out what nearly all of them are.
            events.append({"kind": "exchange", **_decode(line)})
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    return events


async def _reached(event: asyncio.Event, seconds: float) -> bool:
    """Wait so long; whether the event came."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
