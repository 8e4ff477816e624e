"""Feeding the configured sinks while the node runs: for each a consumer of the journal, begun and ended on a reload."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from structlog.typing import FilteringBoundLogger

from sluicegate.config.compile import Compiled
from sluicegate.config.schema import SinkSettings
from sluicegate.control.consumers import Consumers
from sluicegate.control.metrics.sources import SinkCounts
from sluicegate.control.resolution.trouble import Trouble
from sluicegate.domain.events import Exchange, Notice
from sluicegate.domain.snapshot import Snapshot
from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.checkpoint_store import FileStore
from sluicegate.events.consumer import Consumer, Standing, Yielding
from sluicegate.events.reader import Batch, SegmentReader
from sluicegate.events.segments import is_abandoned
from sluicegate.events.sinks.base import Surroundings
from sluicegate.events.sinks.engine import Engine
from sluicegate.events.sinks.feeding import checkpoint_path, checkpoints_of_sinks, consumer_name, most_behind
from sluicegate.events.sinks.table import opened
from sluicegate.events.tail import ALL_EVENTS

_LARGEST: Final = 1000
"""Events that are made ready at once: some ten milliseconds, for which nobody else is served."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds between two attempts to open a sink: doubled each time."""

Told = Exchange | Notice


@dataclass(slots=True)
class _Fed:
    """A sink that is being fed, by a task that ends only when it is cancelled; not yet where there is no engine."""

    settings: SinkSettings
    task: asyncio.Task[None]
    engine: Engine | None = None


class _Unopened:
    """Stands among the consumers for a sink that cannot be opened so far: what it is to get is kept."""

    def __init__(self, name: str, reader: SegmentReader) -> None:
        """`name` is that of its consumer."""
        self.name = name
        self.checkpoint = Checkpoint()
        self._reader = reader
        self._errors = 0
        self._error = ""

    def __repr__(self) -> str:
        """Tell how often it was tried."""
        return f"<_Unopened {self.name} {self._errors} times {self._error}>"

    def failed(self, error: OSError) -> None:
        """Once more."""
        self._errors += 1
        self._error = type(error).__name__

    def standing(self) -> Standing:
        """How it fares. Raises OSError where the segments cannot be listed."""
        backlog = self._reader.unread_bytes(self.checkpoint)
        return Standing(self.name, backlog, None, 0, self._errors, 0, 0, self._error or None, is_optional=True)


class _Feeding:
    """Stands among the consumers for a sink that is open: what is wrong with its deliveries is wrong with it."""

    def __init__(self, consumer: Consumer[Told], engine: Engine) -> None:
        """`engine` sends what `consumer` reads."""
        self.name = consumer.name
        self._consumer = consumer
        self._engine = engine

    def __repr__(self) -> str:
        """Tell whose both are."""
        return f"<_Feeding {self._consumer!r} {self._engine!r}>"

    @property
    def checkpoint(self) -> Checkpoint:
        """That of the consumer."""
        return self._consumer.checkpoint

    def standing(self) -> Standing:
        """How it fares. A delivery that is tried again is no failure of the consumer, which waits for it."""
        told = self._consumer.standing()
        return msgspec.structs.replace(told, last_error=told.last_error or self._engine.trouble or None)


class Sinks:
    """Those of the configuration in force that the gateway itself runs."""

    def __init__(
        self,
        data_dir: Path,
        consumers: Consumers,
        *,
        current: Callable[[], Compiled],
        clock: Callable[[], float],
        now: Callable[[], float],
        chance: Callable[[], float],
        log: FilteringBoundLogger,
        open_sink: Callable[..., Engine] = opened,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`clock` gives monotonic seconds, `now` Unix seconds, `chance` a number in [0, 1). Nothing runs yet.

        `pause` waits for so many seconds until a sink that cannot be opened is tried again.
        """
        self._open_sink = open_sink
        self._pause = pause
        self._data_dir = data_dir
        self._consumers = consumers
        self._current = current
        self._clock = clock
        self._now = now
        self._chance = chance
        self._log = log
        self._changed = asyncio.Event()
        self._is_new = True
        self._fed: dict[str, _Fed] = {}

    def __repr__(self) -> str:
        """Tell which are fed."""
        return f"<Sinks {sorted(self._fed)}>"

    def change(self) -> None:
        """Another configuration is in force."""
        self._changed.set()

    def counts(self) -> tuple[SinkCounts, ...]:
        """What became of each sink's events."""
        return tuple(counted(name, fed.engine) for name, fed in sorted(self._fed.items()) if fed.engine is not None)

    async def run(self) -> None:
        """Feed for ever."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    self._changed.clear()
                    await self._follow(tasks)
                    self._is_new = False
                    await self._changed.wait()
        finally:
            for name in [*self._fed]:
                await self._end(name)

    async def _follow(self, tasks: asyncio.TaskGroup) -> None:
        """End what is configured no more, or otherwise, and begin what is not there yet."""
        compiled = self._current()
        wanted = {name: one for name, one in compiled.settings.sinks.items() if one.run_by == "gateway"}
        for name, fed in [*self._fed.items()]:
            if wanted.get(name) != fed.settings:
                await self._end(name)
        for name, settings in wanted.items():
            if name not in self._fed:
                feeding = self._feed(name, settings, is_new=self._is_new)
                self._fed[name] = _Fed(settings, tasks.create_task(feeding, name=consumer_name(name)))
        await asyncio.to_thread(self._forget, frozenset(compiled.settings.sinks))

    async def _feed(self, name: str, settings: SinkSettings, *, is_new: bool) -> None:
        """Open a sink, at the latest when that works, and feed it for ever. `is_new`: the node has just begun."""
        directory = self._data_dir / "events"
        reader = SegmentReader(directory)
        beginning = partial(left_by_others, directory, reader) if is_new else reader.end
        store = FileStore(checkpoint_path(self._data_dir, name), log=self._log, beginning=beginning)
        unopened = _Unopened(consumer_name(name), reader)
        self._consumers.add(unopened)
        trouble = Trouble("a sink cannot be used", self._log.bind(sink=name))
        seconds = FIRST_PAUSE
        while True:
            try:
                # First, so that whatever is written from now on is kept for it.
                unopened.checkpoint = await store.load()
                engine = await self._opened(name, settings)
                break
            except OSError as error:
                trouble.began(error)
                unopened.failed(error)
            await self._pause(seconds)
            seconds = min(2 * seconds, LONGEST_PAUSE)
        trouble.ended()
        self._fed[name].engine = engine
        consumer = self._consumer(name, settings, engine, reader, store)
        self._consumers.add(_Feeding(consumer, engine))
        await consumer.run()

    async def _opened(self, name: str, settings: SinkSettings) -> Engine:
        """The sink. Raises OSError."""
        surroundings = Surroundings(self._now, dict(_servers(self._current().snapshot)))
        open_it = partial(
            self._open_sink,
            name,
            settings,
            data_dir=self._data_dir,
            surroundings=surroundings,
            chance=self._chance,
            log=self._log,
        )
        # In a thread: what it loads takes long.
        return await asyncio.to_thread(open_it)

    async def _end(self, name: str) -> None:
        fed = self._fed.pop(name)
        fed.task.cancel()
        await asyncio.wait((fed.task,))
        self._consumers.remove(consumer_name(name))
        if fed.engine is None:
            return
        # Whatever it raises: to leave one sink must not end the others, and the process with them.
        (error,) = await asyncio.gather(fed.engine.close(), return_exceptions=True)
        if error is not None:
            self._log.error("a sink cannot be closed", sink=name, reason=str(error) or type(error).__name__)

    def _consumer(
        self, name: str, settings: SinkSettings, engine: Engine, reader: SegmentReader, store: FileStore
    ) -> Consumer[Told]:
        async def deliver(batch: Batch[Told]) -> None:
            await engine.deliver([msgspec.to_builtins(event) for event in batch.events])

        async def set_aside(batch: Batch[Told]) -> None:
            await engine.set_aside([msgspec.to_builtins(event) for event in batch.events])

        return Consumer(
            consumer_name(name),
            reader,
            ALL_EVENTS,
            deliver,
            store,
            clock=self._clock,
            log=self._log,
            largest_batch=min(_LARGEST, max(100, settings.batch.count * settings.concurrency)),
            interval=settings.batch.seconds,
            yielding=Yielding(lambda: most_behind(self._current().settings.events.retention_bytes), set_aside),
        )

    def _forget(self, configured: frozenset[str]) -> None:
        """Let go of what sinks that are no more had not read: it would be kept for nobody."""
        for name, path in checkpoints_of_sinks(self._data_dir).items():
            if name in configured:
                continue
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                # What it had not read is kept until the journal's bound: no reason to stop the others.
                self._log.error("a sink that is no more cannot be forgotten", sink=name, reason=error.strerror)
            else:
                self._log.info("a sink is configured no more", sink=name)


def left_by_others(directory: Path, reader: SegmentReader) -> Checkpoint:
    """Behind everything but what workers wrote that live: where a sink begins that the node knows from its start.

    What they wrote before anybody looked is of this start, too. Raises OSError.
    """
    ends = reader.end().incarnations
    gone = {name: end for name, end in ends.items() if is_abandoned(directory, name, end.number)}
    return Checkpoint(gone)


def _servers(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """The hosts of providers; of several deployments, the last."""
    for provider in snapshot.providers:
        yield provider.name, provider.origin.host


def counted(name: str, engine: Engine) -> SinkCounts:
    """What became of a sink's events."""
    counts = engine.counts
    return SinkCounts(
        name,
        queued=counts.queued,
        sent=counts.sent,
        dropped=counts.dropped,
        dead=counts.dead,
        retries=counts.retries,
    )
