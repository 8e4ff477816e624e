"""Sinks that are left to dispatchers: how far these have come, as far as this node can see. Nobody looks but who asks.

Rule 1. One of this machine keeps its place in the journal in a file; all others take from the stream that a sink of
        type `redis` fills, as a group of the sink's name. What neither is there for has no dispatcher yet.
Rule 2. What cannot be asked is told as such, and holds up nothing else for longer than PATIENCE.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from sluicegate.config.schema import SinkSettings
from sluicegate.events.checkpoint import Checkpoint, CheckpointDamagedError, CheckpointFile
from sluicegate.events.locks import is_locked
from sluicegate.events.reader import Batch, SegmentReader
from sluicegate.events.sinks.feeding import checkpoint_path, lock_path
from sluicegate.events.stream_group import GroupStanding, StreamUnavailableError
from sluicegate.events.tail import Lines, Withheld

PATIENCE: Final = 2.0
"""Seconds for a server to tell; whoever scrapes waits for ten."""
_LOOKED_AT: Final = 256
"""Events among which the oldest is looked for: at least one of each writer, of which there are a few."""

Groups = Mapping[str, GroupStanding]
AskGroups = Callable[[SinkSettings], Awaitable[Groups]]
"""How all groups of a stream stand; may raise StreamUnavailableError."""


class Dispatched(Struct, frozen=True):
    """How a sink stands that dispatchers feed; of one with dispatchers of both kinds there are two.

    `source` is None where no dispatcher has begun. `local`: `backlog_bytes` of the journal are not read, the oldest
    event among them ended `lag_seconds` ago, and `is_running` is whether its dispatcher does. `redis`: `group` reads
    the stream that the sink `stream` fills. `error` is the kind of failure where it cannot be told.
    """

    sink: str
    source: Literal["local", "redis"] | None
    stream: str | None = None
    backlog_bytes: int | None = None
    lag_seconds: float | None = None
    group: GroupStanding | None = None
    is_running: bool | None = None
    error: str | None = None


class _Ended(Struct, frozen=True, tag_field="kind", tag="exchange"):
    """When an exchange was over."""

    request_id: str
    timestamp: datetime
    duration_ms: float = 0.0

    @property
    def at(self) -> float:
        """Unix seconds."""
        return self.timestamp.timestamp() + self.duration_ms / 1_000


class _Noticed(Struct, frozen=True, tag_field="kind", tag="notice"):
    """When a notice was written."""

    id: str
    timestamp: datetime

    @property
    def request_id(self) -> str:
        """By which a line is known among others."""
        return self.id

    @property
    def at(self) -> float:
        """Unix seconds."""
        return self.timestamp.timestamp()


_MOMENTS: Final[Lines[_Ended | _Noticed]] = msgspec.json.Decoder(_Ended | _Noticed | Withheld)


async def groups_of(settings: SinkSettings) -> Groups:
    """Ask the server of a sink of type `redis`. Raises StreamUnavailableError."""
    # Only where there is such a sink, whose feeding has loaded it: the library is large.
    module = await asyncio.to_thread(import_module, "sluicegate.events.sinks.redis")
    stream = module.stream_of(settings)
    try:
        groups: Groups = await stream.standings()
    finally:
        await stream.close()
    return groups


class Dispatchers:
    """Those of this node's configuration."""

    def __init__(
        self,
        data_dir: Path,
        *,
        sinks: Callable[[], Mapping[str, SinkSettings]],
        now: Callable[[], float],
        ask: AskGroups = groups_of,
        patience: float = PATIENCE,
    ) -> None:
        """`sinks` gives those of the configuration in force, `now` Unix seconds."""
        self._data_dir = data_dir
        self._sinks = sinks
        self._now = now
        self._ask = ask
        self._patience = patience

    def __repr__(self) -> str:
        """Tell whose they are."""
        return f"<Dispatchers {sorted(_left(self._sinks()))}>"

    async def standings(self) -> tuple[Dispatched, ...]:
        """How each sink stands that is left to them, by name."""
        sinks = self._sinks()
        left = _left(sinks)
        if not left:
            return ()
        local = await asyncio.to_thread(self._local, left)
        streams = [name for name, settings in sinks.items() if settings.type == "redis"]
        groups = dict(zip(streams, await asyncio.gather(*(self._told(sinks[name]) for name in streams)), strict=True))
        found = [one for name in left for one in (*local[name], *_of_streams(name, groups, has_own=bool(local[name])))]
        known = {one.sink for one in found}
        found += [Dispatched(name, None) for name in left if name not in known]
        return tuple(sorted(found, key=lambda one: one.sink))

    async def _told(self, settings: SinkSettings) -> Groups | str:
        """How they stand, or the kind of failure."""
        try:
            async with asyncio.timeout(self._patience):
                return await self._ask(settings)
        except (StreamUnavailableError, TimeoutError) as error:
            return type(error).__name__

    def _local(self, names: list[str]) -> dict[str, list[Dispatched]]:
        """By name, those that keep their place in the journal."""
        paths = {name: checkpoint_path(self._data_dir, name) for name in names}
        return {name: [self._behind(name, path)] if path.exists() else [] for name, path in paths.items()}

    def _behind(self, name: str, path: Path) -> Dispatched:
        try:
            checkpoint = _kept(path)
            reader = SegmentReader(self._data_dir / "events")
            backlog = reader.unread_bytes(checkpoint)
            lag = self._lag(reader, checkpoint) if backlog else 0.0
            is_running = is_locked(lock_path(self._data_dir, name)) is True
        except OSError as error:
            return Dispatched(name, "local", error=type(error).__name__)
        return Dispatched(name, "local", backlog_bytes=backlog, lag_seconds=lag, is_running=is_running)

    def _lag(self, reader: SegmentReader, checkpoint: Checkpoint) -> float | None:
        """The age of the oldest event behind a checkpoint; None where there is none that can be read yet."""
        batch: Batch[_Ended | _Noticed] = reader.read_as(_MOMENTS, checkpoint, _LOOKED_AT)
        events = batch.events
        return max(0.0, self._now() - min(event.at for event in events)) if events else None


def _left(sinks: Mapping[str, SinkSettings]) -> list[str]:
    return [name for name, settings in sinks.items() if settings.run_by == "dispatcher"]


def _kept(path: Path) -> Checkpoint:
    """A place in the journal. Raises OSError."""
    try:
        return CheckpointFile(path).load()
    except CheckpointDamagedError:
        # So it will be for the dispatcher: everything is still to be read.
        return Checkpoint()


def _of_streams(name: str, groups: Mapping[str, Groups | str], *, has_own: bool) -> Iterator[Dispatched]:
    """A sink as all streams know it. One that has a place in the journal is not looked for where nobody answers."""
    for stream, told in groups.items():
        if isinstance(told, str):
            if stream != name and not has_own:
                yield Dispatched(name, "redis", stream, error=told)
        elif name in told:
            yield Dispatched(name, "redis", stream, group=told[name])
