"""What reads the journal of this node."""

import asyncio
from typing import Literal

from sluicegate.control.access import Acting
from sluicegate.control.context import Reached
from sluicegate.control.routes.body import Shown
from sluicegate.control.routes.route import Route


class ConsumerShown(Shown):
    """How one fares. Totals are since the control process began.

    `backlog_bytes` are in the journal and not read; `lag_seconds` is the most that an event waits by now, null before
    it has caught up once; `last_error` is the kind of failure that it is in, null where it works. Damages are parts of
    the journal that hold no event. An optional one gives way before the disk fills: what it has set aside is in its
    file of dead letters.
    """

    name: str
    is_optional: bool
    backlog_bytes: int
    lag_seconds: float | None
    events_total: int
    errors_total: int
    damages_total: int
    set_aside_total: int
    last_error: str | None


class DispatchedShown(Shown):
    """How a sink stands that is left to dispatchers.

    `source` is null where none has begun. `local`: `backlog_bytes` of this node's journal are not read, the oldest
    event among them ended `lag_seconds` ago, and `is_running` is whether its dispatcher does. `redis`: of the stream
    that the sink `stream` fills, `lag_entries` were taken by no dispatcher, `pending_entries` were and are not
    delivered. `error` is the kind of failure where it cannot be told.
    """

    sink: str
    source: Literal["local", "redis"] | None
    is_running: bool | None
    stream: str | None
    backlog_bytes: int | None
    lag_seconds: float | None
    lag_entries: int | None
    pending_entries: int | None
    error: str | None


class ConsumersShown(Shown):
    """Those of this node's control process, and the sinks that others feed, by name."""

    data: list[ConsumerShown]
    dispatched: list[DispatchedShown]


async def list_consumers(actor: Acting, context: Reached) -> ConsumersShown:
    """How each consumer of this node's events fares. For managers of all organisations."""
    # How many events there were tells what others do.
    actor.require_all_organizations()
    standings, dispatched = await asyncio.gather(context.consumers.standings(), context.metrics.dispatched())
    return ConsumersShown(
        dispatched=[
            DispatchedShown(
                sink=one.sink,
                source=one.source,
                is_running=one.is_running,
                stream=one.stream,
                backlog_bytes=one.backlog_bytes,
                lag_seconds=one.lag_seconds,
                lag_entries=one.group.lag if one.group else None,
                pending_entries=one.group.pending if one.group else None,
                error=one.error,
            )
            for one in dispatched
        ],
        data=[
            ConsumerShown(
                name=standing.name,
                is_optional=standing.is_optional,
                backlog_bytes=standing.backlog_bytes,
                lag_seconds=standing.lag_seconds,
                events_total=standing.events_total,
                errors_total=standing.errors_total,
                damages_total=standing.damages_total,
                set_aside_total=standing.set_aside_total,
                last_error=standing.last_error,
            )
            for standing in standings
        ],
    )


ROUTES = (Route("GET", "/admin/consumers", "viewer", list_consumers, 200, ConsumersShown),)
