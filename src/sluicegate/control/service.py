"""The rest of a control process: all parts put together, running until told to end."""

import asyncio
import gc
import secrets
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structlog.typing import FilteringBoundLogger

from sluicegate.config.compile import Compiled
from sluicegate.config.problem import ConfigurationError
from sluicegate.config.redis_address import RedisAddressError
from sluicegate.config.schema import Settings
from sluicegate.control.beginning import Begun
from sluicegate.control.channel import DrainChanged, Serving, WorkerReady
from sluicegate.control.configuration import Configuration
from sluicegate.control.consumers import Consumers
from sluicegate.control.counting import Counter
from sluicegate.control.counting_queue import CountingQueue
from sluicegate.control.key_file.declared import DeclaredKeys
from sluicegate.control.limits.identity import NodeIdError, node_id
from sluicegate.control.limits.limits import Limits
from sluicegate.control.limits.opening import check
from sluicegate.control.limits.teller import Teller
from sluicegate.control.link_server import LinkServer
from sluicegate.control.logs import Logs
from sluicegate.control.metrics.counting import metrics_consumer
from sluicegate.control.metrics.sources import Sources
from sluicegate.control.metrics.tally import Tally
from sluicegate.control.notices.warnings import Warnings
from sluicegate.control.offers import Offers
from sluicegate.control.prices.catalogue import bundled
from sluicegate.control.prices.directory import PriceDirectory, StoredOverrides
from sluicegate.control.prices.rates import needs_rates, rated
from sluicegate.control.resolution.resolution import Resolution
from sluicegate.control.resolution.stored import stored_resolution
from sluicegate.control.resolution.uses import Used
from sluicegate.control.retention import Retention
from sluicegate.control.secrets.key_ring import SealError
from sluicegate.control.sinks import Sinks
from sluicegate.control.storage import Storage, opened, tenancy
from sluicegate.control.supervision import Supervision
from sluicegate.control.tenants.credentials import credentials_of
from sluicegate.control.tenants.key_uses import KeyUses
from sluicegate.control.token_directory import Declared, DeclaredTokens, declared_with_id
from sluicegate.control.upkeep import Upkeep
from sluicegate.control.usage_log.keeping import UsageLog
from sluicegate.control.watch import Watcher, fingerprint, watch
from sluicegate.control.workers import Workers
from sluicegate.domain.default_limits import Defaults
from sluicegate.domain.segments import boot_id
from sluicegate.ledger.interface import LedgerUnavailableError, UnsuitableServerError
from sluicegate.store.address import PostgreSQLAddress
from sluicegate.store.errors import StoreError

if TYPE_CHECKING:
    from sluicegate.control.web import WebServer

_REASONS = (
    StoreError,
    SealError,
    ConfigurationError,
    NodeIdError,
    LedgerUnavailableError,
    RedisAddressError,
    UnsuitableServerError,
)
"""What may keep it from starting, and is told in one line."""
_DRAIN_MARGIN = 2.0
"""Seconds beyond the drain time for which workers without a supervisor are waited for."""


class Service:
    """One control process from its beginning to its end. Must be made in a running event loop."""

    def __init__(
        self,
        begun: Begun,
        storage: Storage,
        *,
        executor: ThreadPoolExecutor,
        log: FilteringBoundLogger,
        logs: Logs,
        loaded: Callable[[], None] = lambda: None,
    ) -> None:
        """Put the parts together; nothing runs yet. `executor` has one thread, for counting.

        `loaded` is called once all there is to the process is in memory.

        Raises KeyFileError, NodeIdError.
        """
        self._begun = begun
        self._log = log
        self._logs = logs
        self._loaded = loaded
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        choice = begun.choice
        node = node_id(choice.started.server.data_dir, random=secrets.token_bytes)
        self._warnings = self._warning(storage, node)
        self._workers = Workers(now=_now, observe=self._warnings.circuits.changed)
        self._consumers = Consumers()
        self._configuration = self._configuring(begun)
        self._tokens = DeclaredTokens(choice.current.tokens)
        self._configuration.follow(self._on_change)
        settings, data_dir = choice.started.settings, choice.started.server.data_dir
        self._keys = _declared_keys(settings, changed=self._forget_keys, defaults=self._limit_defaults, log=log)
        declared: list[Declared] = [self._tokens]
        if self._keys is not None:
            declared.append(self._keys)
        self._resolution = self._resolving(storage, declared)
        self._teller = Teller(storage.ledger, log=log)
        self._limits = self._limiting(node)
        self._sinks = self._feeding(data_dir)
        self._usage_log = UsageLog(
            storage.database,
            data_dir,
            self._consumers,
            node=node,
            settings=lambda: self._configuration.current.settings.request_log,
            clock=time.monotonic,
            now=_unix_milliseconds,
            log=log,
        )
        self._consumers.add(self._resolution.uses)
        self._consumers.add(self._limits.settlement)
        self._prices = self._pricing(storage)
        self._links = self._linking(executor)
        self._resolution.speak_through(self._links)
        self._limits.speak_through(self._links)
        self._supervision = Supervision(reload=self._on_reload, lost=self._on_orphaned)
        self._retention = Retention(
            data_dir,
            settings=lambda: self._configuration.current.settings.events,
            now=_now,
            log=log,
            checkpoints=self._consumers.checkpoints,
        )
        self._tally = Tally()
        self._counting = metrics_consumer(self._tally, data_dir, clock=time.monotonic, log=log)
        self._consumers.add(self._counting)
        self._declared = declared
        self._key_uses = KeyUses()
        self._tenancy = tenancy(
            storage,
            now=_unix,
            current=lambda: self._configuration.current,
            announcing=self._resolution.announcing,
            declared=partial(declared_with_id, declared),
        )
        self._upkeep = self._tidying()
        self._web: WebServer | None = None

    def __repr__(self) -> str:
        """Tell what is configured and who is there."""
        return f"<Service {self._configuration!r} {self._workers!r}>"

    def _warning(self, storage: Storage, node: str) -> Warnings:
        """What people are warned of."""
        return Warnings(
            self._begun.choice.started.server.data_dir,
            storage.database,
            node=node,
            boot=boot_id(_unix_milliseconds(), secrets.randbits(32)),
            current=lambda: self._configuration.current,
            now=_unix_milliseconds,
            log=self._log,
        )

    def _limiting(self, node: str) -> Limits:
        """What lends workers what limits allow, and settles what they used."""
        return Limits(
            self._teller,
            node=node,
            data_dir=self._begun.choice.started.server.data_dir,
            clock=time.monotonic,
            now=_unix_milliseconds,
            log=self._log,
            observing=self._warnings.budgets,
        )

    def _tidying(self) -> Upkeep:
        """What looks after the database."""
        return Upkeep(
            self._tenancy,
            self._key_uses,
            retention=lambda: self._configuration.current.settings.issuing.retention_seconds,
            log=self._log,
            warn=self._warnings.withering.look,
        )

    def _configuring(self, begun: Begun) -> Configuration:
        """The configuration in force, with the rates of its targets where a model asks for them."""
        choice = begun.choice
        return Configuration(
            started=choice.started,
            current=rated(choice.current, bundled, _now()),
            load=lambda version: rated(begun.sources.load(version), bundled, _now()),
            keep=begun.last_good.keep,
            now=_now,
            log=self._log,
            refused=choice.refused,
        )

    def _linking(self, executor: ThreadPoolExecutor) -> LinkServer:
        """Control's end of the workers' links."""
        return LinkServer(
            self._configuration.current.snapshot,
            directory=self._resolution.directory,
            feed=self._resolution.feed,
            counts=CountingQueue(
                Counter().count, executor=executor, call_soon=self._loop.call_soon_threadsafe, log=self._log
            ),
            lending=self._limits,
            prices=self._prices,
            workers=self._workers,
            is_ready=lambda worker, process: self._supervision.tell(WorkerReady(worker, process)),
            log=self._log,
        )

    def _pricing(self, storage: Storage) -> PriceDirectory:
        """What answers workers what a model costs."""
        return PriceDirectory(
            settings=lambda: self._configuration.current.settings,
            overrides=StoredOverrides(storage.database),
            catalogue=bundled,
            changed=self.forget_prices,
            now=lambda: datetime.now(UTC),
            clock=time.monotonic,
            log=self._log,
        )

    def _resolving(self, storage: Storage, declared: Sequence[Declared]) -> Resolution:
        """What answers workers whose a token is."""
        key_ring, log = storage.key_ring, self._log
        return stored_resolution(
            storage.database,
            declared=declared,
            credentials=lambda session, projects: credentials_of(session, key_ring, projects, log=log),
            data_dir=self._begun.choice.started.server.data_dir,
            is_shared=isinstance(storage.database.address, PostgreSQLAddress),
            clock=time.monotonic,
            now=_unix_milliseconds,
            log=log,
            observe=self._observe,
            defaults=self._limit_defaults,
        )

    def _management(self) -> "WebServer":
        """The management API, ready to be run."""
        # Only now: it takes as long to load as all the rest.
        make: Callable[..., WebServer] = import_module("sluicegate.control.management").management
        return make(
            configuration=self._configuration,
            workers=self._workers,
            consumers=self._consumers,
            source=self._begun.sources.described,
            tenancy=self._tenancy,
            declared=self._declared,
            key_uses=self._key_uses,
            ledger=self._teller,
            offers=Offers(bundled),
            logs=self._logs,
            metrics=self._measuring(),
            started=lambda: self._supervision.tell(Serving()),
        )

    def _feeding(self, data_dir: Path) -> Sinks:
        """What sends events to other systems."""
        return Sinks(
            data_dir,
            self._consumers,
            current=lambda: self._configuration.current,
            clock=time.monotonic,
            now=_unix,
            chance=secrets.SystemRandom().random,
            log=self._log,
        )

    def _measuring(self) -> Sources:
        """What the metrics are read from."""
        return Sources(
            self._tally,
            self._workers,
            self._configuration,
            self._teller,
            self._consumers,
            self._begun.choice.started.server.data_dir / "events",
            sinks=self._sinks.counts,
        )

    def forget_prices(self) -> None:
        """A price changed by itself."""
        self._links.forget_prices()
        if needs_rates(self._configuration.current.snapshot):
            # For the rates in it. Asked for, as all settings are the same.
            self._tasks.create_task(self._reload("changed prices"))

    async def run(self) -> None:
        """Serve workers and the management API until told to end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._end.set)
        self._loop.add_signal_handler(signal.SIGHUP, self._on_reload)
        async with self._tasks:
            listener = await self._loop.create_unix_server(self._links, sock=self._begun.link)
            await self._loop.create_connection(lambda: self._supervision, sock=self._begun.channel)
            self._tasks.create_task(self._manage())
            lasting = [self._tasks.create_task(task) for task in self._lasting()]
            await self._end.wait()
            await self._limits.finish()
            for task in lasting:
                task.cancel()
            listener.close()
            self._links.close()
            if self._web is not None:
                self._web.end()

    async def _manage(self) -> None:
        """Serve the management API once it is loaded. Whoever connects before waits as long."""
        # In a thread: workers are served meanwhile.
        web = await asyncio.to_thread(self._management)
        if not self._end.is_set():
            self._web = web
            self._loaded()
            await web.serve(sockets=[self._begun.web])

    def _lasting(self) -> list[Coroutine[Any, Any, None]]:
        """What goes on until the end."""
        tasks = [self._watch(), self._retention.run(), self._resolution.run(), self._upkeep.run(), self._limits.run()]
        tasks += [self._prices.run(), self._counting.run(), self._usage_log.run(), self._warnings.notices.run()]
        tasks.append(self._sinks.run())
        if self._keys is not None:
            tasks += [self._keys.follow(), self._keys.keep_written()]
        return tasks

    def _limit_defaults(self) -> Defaults:
        return self._configuration.current.limit_defaults

    def _forget_keys(self, digests: tuple[bytes, ...]) -> None:
        """The key file was edited."""
        self._resolution.announce(digests)

    def _observe(self, events: Sequence[Used]) -> None:
        """Note the uses of the key file's tokens, and what was admitted without the ledger."""
        self._warnings.degraded.observe(events)
        if self._keys is not None:
            for event in events:
                self._keys.record(event.token, event.metadata.total_tokens, _unix())

    async def _watch(self) -> None:
        file = self._begun.sources.file
        if file is not None:
            watcher = Watcher(self._begun.seen)
            await watch(
                lambda: fingerprint(file), watcher, changed=lambda: self._reload("changed file", is_asked_for=False)
            )

    async def _reload(self, cause: str, *, is_asked_for: bool = True) -> None:
        try:
            await self._configuration.reload(cause=cause, is_asked_for=is_asked_for)
        except ConfigurationError:
            # Logged, and kept for whoever asks.
            return

    def _on_reload(self) -> None:
        self._tasks.create_task(self._reload("SIGHUP"))

    def _on_change(self, old: Compiled, new: Compiled) -> None:
        self._logs.apply(new.settings.log)
        forgotten = self._tokens.replace(new.tokens)
        self._links.change(new.snapshot, ())
        self._sinks.change()
        self._workers.keep(provider.id for provider in new.snapshot.providers)
        self._links.forget_prices()
        self._resolution.announce(forgotten if new.limit_defaults == old.limit_defaults else None)
        if new.snapshot.drain_seconds != old.snapshot.drain_seconds:
            self._supervision.tell(DrainChanged(new.snapshot.drain_seconds))

    def _on_orphaned(self) -> None:
        """The supervisor is gone. The workers drain, and are served until they are done."""
        if not self._end.is_set():
            self._log.error("the supervisor is gone, ending")
            self._tasks.create_task(self._end_after_workers())

    async def _end_after_workers(self) -> None:
        longest = self._configuration.current.snapshot.drain_seconds + _DRAIN_MARGIN
        try:
            await asyncio.wait_for(self._links.all_gone(), longest)
        except TimeoutError:
            self._log.warning("workers did not end in time")
        self._end.set()


def run(begun: Begun, *, log: FilteringBoundLogger, logs: Logs) -> int:
    """Run until told to end; the exit status. What keeps it from starting is told in one line, without a traceback."""
    try:
        asyncio.run(_run(begun, log, logs))
    except _REASONS as error:
        log.error("control cannot start", reason=str(error))
        return 2
    return 0


async def _run(begun: Begun, log: FilteringBoundLogger, logs: Logs) -> None:
    choice = begun.choice
    if choice.refused is not None:
        log.error("configuration refused, the last good one is used", problems=str(choice.refused))
    executor = ThreadPoolExecutor(1, thread_name_prefix="count")
    try:
        async with opened(choice.started, now=_unix) as storage:
            await check(storage.ledger, log=log)
            await Service(begun, storage, executor=executor, log=log, logs=logs, loaded=_freeze).run()
    finally:
        executor.shutdown(cancel_futures=True)


def _freeze() -> None:
    """What exists now lives as long as the process: the collector need not look at it again."""
    gc.collect()
    gc.freeze()


def _declared_keys(
    settings: Settings,
    *,
    changed: Callable[[tuple[bytes, ...]], None],
    defaults: Callable[[], Defaults],
    log: FilteringBoundLogger,
) -> DeclaredKeys | None:
    """The keys of the configured file, loaded; None where there is none. Raises KeyFileError."""
    if settings.key_file is None:
        return None
    keys = DeclaredKeys(
        Path(settings.key_file), now=_unix, log=log, changed=changed, defaults=defaults, model=settings.key_file_model
    )
    keys.load()
    return keys


def _unix_milliseconds() -> int:
    return int(_unix() * 1000)


def _unix() -> float:
    return _now().timestamp()


def _now() -> datetime:
    return datetime.now(UTC)
