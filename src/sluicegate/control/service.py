"""All parts of a control process put together, running until told to end."""

import asyncio
import secrets
import signal
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import TYPE_CHECKING, Any

from structlog.typing import FilteringBoundLogger

from sluicegate.config.compile import Compiled
from sluicegate.config.problem import ConfigurationError
from sluicegate.control.beginning import Begun
from sluicegate.control.bodies import BodyKeeper
from sluicegate.control.channel import DrainChanged, Serving, WorkerReady
from sluicegate.control.clocks import Clocks
from sluicegate.control.configuration import Configuration
from sluicegate.control.counting_queue import CountingQueue
from sluicegate.control.known_tokens import KnownTokens
from sluicegate.control.limits.identity import node_id
from sluicegate.control.limits.limits import Limits
from sluicegate.control.limits.opening import checkpoints_of
from sluicegate.control.limits.teller import Teller
from sluicegate.control.link_server import LinkServer
from sluicegate.control.logs import Logs
from sluicegate.control.metrics.sources import Sources
from sluicegate.control.notices.warnings import Warnings
from sluicegate.control.offers import Offers
from sluicegate.control.prices.catalogue import bundled
from sluicegate.control.prices.directory import PriceDirectory, StoredOverrides
from sluicegate.control.prices.rates import RateWatch, needs_rates, rated
from sluicegate.control.readers import Readers
from sluicegate.control.storage import Storage, tenancy
from sluicegate.control.supervision import Supervision
from sluicegate.control.tenants.key_uses import KeyUses
from sluicegate.control.upkeep import Upkeep
from sluicegate.control.watch import Watcher, fingerprint, watch
from sluicegate.control.workers import Workers
from sluicegate.domain.segments import boot_id

if TYPE_CHECKING:
    from sluicegate.control.web import WebServer

_DRAIN_MARGIN = 2.0
"""Seconds beyond the drain time for which workers without a supervisor are waited for."""
_BEAT_SECONDS = 1.0
"""Between two signs of life; the supervisor looks for them every five."""


class Service:
    """One control process from its beginning to its end. Must be made in a running event loop."""

    def __init__(
        self,
        begun: Begun,
        storage: Storage,
        *,
        counts: CountingQueue,
        clocks: Clocks,
        log: FilteringBoundLogger,
        logs: Logs,
        loaded: Callable[[], None] = lambda: None,
    ) -> None:
        """Put the parts together; nothing runs yet. `loaded` is called once all there is to the process is in memory.

        Raises KeyFileError, NodeIdError.
        """
        self._begun = begun
        self._clocks = clocks
        self._log = log
        self._logs = logs
        self._loaded = loaded
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        choice, data_dir = begun.choice, begun.choice.started.server.data_dir
        node = node_id(data_dir, random=secrets.token_bytes)
        self._warnings = self._warning(storage, node)
        self._workers = Workers(now=clocks.now, observe=self._warnings.circuits.changed)
        self._configuration = self._configuring()
        self._configuration.follow(self._on_change)
        self._tokens = KnownTokens(
            storage,
            node=node,
            started=choice.started,
            current=self._current,
            observe=self._warnings.degraded.observe,
            clocks=clocks,
            log=log,
        )
        self._teller = Teller(storage.ledger, log=log)
        self._limits = self._limiting(storage, node)
        self._readers = Readers(
            data_dir,
            storage.database,
            (self._tokens.resolution.uses, self._limits.settlement),
            node=node,
            current=self._current,
            clocks=clocks,
            chance=secrets.SystemRandom().random,
            log=log,
        )
        self._prices = self._pricing(storage)
        self._rate_watch = RateWatch(
            self._current, bundled, now=clocks.now, changed=lambda: self._reload("changed prices")
        )
        self._bodies = BodyKeeper(
            storage.database,
            settings=lambda: self._current().settings,
            now=clocks.unix_milliseconds,
            log=log,
        )
        self._counts = counts
        self._links = self._linking()
        self._tokens.resolution.speak_through(self._links)
        self._limits.speak_through(self._links)
        self._supervision = Supervision(reload=self._on_reload, lost=self._on_orphaned)
        self._key_uses = KeyUses()
        self._tenancy = tenancy(
            storage,
            now=clocks.unix,
            current=self._current,
            announcing=self._tokens.resolution.announcing,
            declared=self._tokens.with_id,
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
            boot=boot_id(self._clocks.unix_milliseconds(), secrets.randbits(32)),
            current=self._current,
            now=self._clocks.unix_milliseconds,
            log=self._log,
        )

    def _limiting(self, storage: Storage, node: str) -> Limits:
        """What lends workers what limits allow, and settles what they used."""
        started = self._begun.choice.started
        data_dir = started.server.data_dir
        return Limits(
            self._teller,
            node=node,
            data_dir=data_dir,
            checkpoints=checkpoints_of(started.settings, storage.database, data_dir, node=node, log=self._log),
            clock=self._clocks.monotonic,
            now=self._clocks.unix_milliseconds,
            log=self._log,
            observing=self._warnings.budgets,
        )

    def _tidying(self) -> Upkeep:
        """What looks after the database."""
        return Upkeep(
            self._tenancy,
            self._key_uses,
            retention=lambda: self._current().settings.issuing.retention_seconds,
            log=self._log,
            warn=self._warnings.withering.look,
        )

    def _configuring(self) -> Configuration:
        """The configuration in force, with the rates of its targets where a model asks for them."""
        begun, choice, now = self._begun, self._begun.choice, self._clocks.now
        return Configuration(
            started=choice.started,
            current=rated(choice.current, bundled, now()),
            load=lambda version: rated(begun.sources.load(version), bundled, now()),
            keep=begun.last_good.keep,
            now=now,
            log=self._log,
            refused=choice.refused,
        )

    def _current(self) -> Compiled:
        """The configuration in force."""
        return self._configuration.current

    def _linking(self) -> LinkServer:
        """Control's end of the workers' links."""
        return LinkServer(
            self._current().snapshot,
            directory=self._tokens.resolution.directory,
            feed=self._tokens.resolution.feed,
            counts=self._counts,
            lending=self._limits,
            prices=self._prices,
            keep=self._bodies.take,
            workers=self._workers,
            is_ready=lambda worker, process: self._supervision.tell(WorkerReady(worker, process)),
            log=self._log,
        )

    def _pricing(self, storage: Storage) -> PriceDirectory:
        """What answers workers what a model costs."""
        return PriceDirectory(
            settings=lambda: self._current().settings,
            overrides=StoredOverrides(storage.database),
            catalogue=bundled,
            changed=self.forget_prices,
            now=self._clocks.now,
            clock=self._clocks.monotonic,
            log=self._log,
        )

    def _management(self) -> "WebServer":
        """The management API, ready to be run."""
        # Only now: it takes as long to load as all the rest.
        make: Callable[..., WebServer] = import_module("sluicegate.control.management").management
        return make(
            configuration=self._configuration,
            workers=self._workers,
            consumers=self._readers.consumers,
            source=self._begun.sources.described,
            tenancy=self._tenancy,
            declared=self._tokens.declared,
            key_uses=self._key_uses,
            ledger=self._teller,
            offers=Offers(bundled),
            logs=self._logs,
            metrics=self._measuring(),
            started=lambda: self._supervision.tell(Serving()),
        )

    def _measuring(self) -> Sources:
        """What the metrics are read from."""
        return Sources(
            self._readers.tally,
            self._workers,
            self._configuration,
            self._teller,
            self._readers.consumers,
            self._readers.directory,
            sinks=self._readers.sink_counts,
            dispatched=self._readers.dispatched,
        )

    def forget_prices(self) -> None:
        """A price changed by itself."""
        self._links.forget_prices()
        if needs_rates(self._current().snapshot):
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
            if self._begun.is_outdated:
                self._on_reload()
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
        parts = (
            self._counts,
            self._tokens,
            self._limits,
            self._readers,
            self._bodies,
            self._prices,
            self._rate_watch,
            self._upkeep,
            self._warnings.notices,
        )
        return [self._watch(), self._beat(), *(part.run() for part in parts)]

    async def _beat(self) -> None:
        """Show the supervisor that the loop turns."""
        while True:
            self._begun.pulse.beat()
            await asyncio.sleep(_BEAT_SECONDS)

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
        self._links.change(new.snapshot, ())
        self._readers.change()
        self._workers.keep(provider.id for provider in new.snapshot.providers)
        self._links.forget_prices()
        self._tokens.change(old, new)
        if new.snapshot.drain_seconds != old.snapshot.drain_seconds:
            self._supervision.tell(DrainChanged(new.snapshot.drain_seconds))

    def _on_orphaned(self) -> None:
        """The supervisor is gone. The workers drain, and are served until they are done."""
        if not self._end.is_set():
            self._log.error("the supervisor is gone, ending")
            self._tasks.create_task(self._end_after_workers())

    async def _end_after_workers(self) -> None:
        longest = self._current().snapshot.drain_seconds + _DRAIN_MARGIN
        try:
            await asyncio.wait_for(self._links.all_gone(), longest)
        except TimeoutError:
            self._log.warning("workers did not end in time")
        self._end.set()
