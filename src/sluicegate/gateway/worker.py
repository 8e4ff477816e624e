"""A worker: one process of the data plane, put together here and nowhere else."""

import argparse
import asyncio
import faulthandler
import gc
import os
import secrets
import signal
import ssl
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from sluicegate import __version__
from sluicegate.dialects.table import DIALECTS
from sluicegate.domain.principal import Principal
from sluicegate.domain.segments import boot_id
from sluicegate.domain.snapshot import Snapshot
from sluicegate.gateway.connector import Connector, tls_context
from sluicegate.gateway.files import Files
from sluicegate.gateway.health import Health
from sluicegate.gateway.journal import Journal
from sluicegate.gateway.link import Link
from sluicegate.gateway.listener import Listener, listening_socket, server_tls
from sluicegate.gateway.plugins import Plugins
from sluicegate.gateway.services import Services
from sluicegate.gateway.sweep import Sweep
from sluicegate.gateway.turn import Turn
from sluicegate.wire.pulse import Pulse

COUNTING_STEPS = 15
"""Of 50 ms each, in which control may still count what was cut off at the end: it takes milliseconds, and control stays
until the workers are gone. Only where nothing was counted before it takes longer; then the length decides."""


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line a supervisor starts a worker with."""
    parser = argparse.ArgumentParser(prog="sluicegate.gateway", description="One worker of a node.")
    parser.add_argument("--worker", type=int, required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--link", required=True)
    parser.add_argument("--control", required=True)
    parser.add_argument("--events", type=Path, required=True)
    parser.add_argument("--lifeline", type=int)
    parser.add_argument("--pulse", type=Pulse.of)
    parser.add_argument("--tls-certificate")
    parser.add_argument("--tls-key")
    return parser.parse_args(arguments)


class Worker:
    """Holds the parts together and carries what control says to them."""

    def __init__(self, options: argparse.Namespace, loop: asyncio.AbstractEventLoop) -> None:
        """Build everything; nothing is open yet but the journal. Raises OSError."""
        salt = secrets.randbits(32)
        self._options = options
        self._loop = loop
        self._configured: asyncio.Future[None] = loop.create_future()
        self._stopping: asyncio.Future[None] = loop.create_future()
        self._connector = Connector(loop)
        turn = Turn(schedule=loop.call_soon)
        self._journal = Journal(
            options.events,
            options.worker,
            boot_id(int(time.time() * 1000), salt),
            schedule=turn.write_first,
            on_error=lambda state, reason: self._say(f"journal {state}: {reason}"),
        )
        self._services = services = Services(
            dialects=DIALECTS,
            opener=self._connector,
            control_socket=options.control,
            journal=self._journal,
            turn=turn,
            clock=time.monotonic,
            wall=time.time,
            salt=salt,
            version=__version__,
            plugins=Plugins(clock=time.monotonic, say=self._say),
        )
        services.connect(
            Link(
                options.link,
                worker=options.worker,
                pid=os.getpid(),
                listener=self,
                loop=loop,
                holder=self._journal.incarnation,
            ),
            loop,
        )
        self._listener = Listener(services)
        self._health = Health(services.providers, services.link, self._journal)
        self._sweep = Sweep(
            loop,
            clock=services.clock,
            sweepers=(
                self._listener.sweep,
                services.principals.sweep,
                services.link.sweep,
                services.budgets.borrower.sweep,
                services.prices.sweep,
                services.providers.sweep,
                services.control.pool.sweep,
                services.sweep,
                self._health.sweep,
                Files(self._say).sweep,
                lambda _now: self._journal.flush(),
                *((lambda _now: options.pulse.beat(),) if options.pulse is not None else ()),
            ),
        )

    async def run(self) -> None:
        """Serve until told to stop, then drain. Raises OSError where the address cannot be listened on."""
        options = self._options
        tls = self._certified()
        listening = listening_socket(options.host, options.port)
        self._watch_signals()
        self._services.link.start()
        await asyncio.wait((self._configured, self._stopping), return_when=asyncio.FIRST_COMPLETED)
        if not self._stopping.done():
            await self._listener.open(listening, tls)
            self._sweep.start()
            self._services.link.ready(self._services.snapshot.version)
            # What exists now lives as long as the process: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            await self._stopping
        await self._drain()

    async def _drain(self) -> None:
        services = self._services
        services.is_draining = True
        await self._listener.drain(services.snapshot.drain_seconds, wait=asyncio.sleep)
        for _ in range(COUNTING_STEPS):
            if not services.link.is_counting:
                break
            await asyncio.sleep(0.05)
        self._sweep.stop()
        services.prices.close()
        services.link.close()
        # One turn, in which the events that waited for a price are written without.
        await asyncio.sleep(0)
        self._connector.close()
        self._journal.close()

    def _watch_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop)
        if self._options.lifeline is not None:
            self._loop.add_reader(self._options.lifeline, self._lifeline)

    def _lifeline(self) -> None:
        """The supervisor is gone: nobody would restart or stop us. That is no second order to stop."""
        self._loop.remove_reader(self._options.lifeline)
        if not self._stopping.done():
            self._stop()

    def _stop(self) -> None:
        if self._stopping.done():
            os._exit(1)
        self._stopping.set_result(None)

    def configured(self, snapshot: Snapshot) -> None:
        """Run on this snapshot. The feed is whole again."""
        self._services.configure(snapshot)
        self._services.principals.feed_restored()
        self._services.budgets.borrower.link_restored()
        self._services.prices.link_restored()
        self._health.forget()
        if not self._configured.done():
            self._configured.set_result(None)
        else:
            self._read_certificates()
            self._services.link.ready(snapshot.version)

    def _certified(self) -> ssl.SSLContext | None:
        """What clients are spoken to with; None without TLS. Raises OSError, also where a certificate is not valid."""
        options = self._options
        return server_tls(options.tls_certificate, options.tls_key) if options.tls_certificate else None

    def _read_certificates(self) -> None:
        """Read the files anew: a certificate is renewed under its old name. What cannot be used leaves the old one."""
        tls_context.cache_clear()
        try:
            self._listener.tls = self._certified()
        except OSError as error:
            self._say(f"the certificate of server.tls cannot be used, the old one stays: {error}")

    def resolved(self, digest: bytes, principal: Principal | None) -> None:
        """Control's answer to a question about a token."""
        self._services.principals.learn(digest, principal)

    def forgotten(self, digests: tuple[bytes, ...]) -> None:
        """The change feed."""
        self._services.principals.forget(digests)

    def feed_true(self, as_of: float, lease: float) -> None:
        """How far the change feed can be believed."""
        self._services.principals.feed_true(as_of, lease)

    def recalled(self, accounts: tuple[str, ...]) -> None:
        """Others wait for what is held here of these accounts."""
        self._services.budgets.borrower.recalled(accounts)

    def prices_forgotten(self) -> None:
        """Prices have changed."""
        self._services.prices.forget()

    def link_lost(self) -> None:
        """Control went away; the supervisor brings it back."""
        self._services.principals.feed_cut(self._services.snapshot.authentication_grace)

    def _say(self, message: str) -> None:
        sys.stderr.write(f"worker {self._options.worker}: {message}\n")


def main(arguments: Sequence[str]) -> int:
    """Run a worker; the exit status."""
    options = parsed(arguments)
    faulthandler.register(signal.SIGUSR1)
    # A generation of 700 objects is collected within a few requests; most of what they make dies by reference count.
    gc.set_threshold(50_000, 20, 100)

    async def serve() -> None:
        await Worker(options, asyncio.get_running_loop()).run()

    try:
        uvloop.run(serve())
    except OSError as error:
        sys.stderr.write(f"worker {options.worker}: {error}\n")
        return 1
    return 0
