"""`sluicegate dispatcher`: feed one sink from a process of its own, and send again what was given up."""

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Never

import typer

from sluicegate.cli.db import ConfigFile, DataDir, load_or_exit

if TYPE_CHECKING:
    import asyncio

    from structlog.typing import FilteringBoundLogger as Log

    from sluicegate.config.compile import Compiled
    from sluicegate.config.schema import SinkSettings
    from sluicegate.control.metrics.dispatcher import DispatcherMetrics
    from sluicegate.events.sinks.engine import Engine

app = typer.Typer(
    invoke_without_command=True,
    no_args_is_help=True,
    help="Feed one sink from a process of its own, until it is told to stop.",
)

GIVEN_UP_AGAIN = 1
"""Exit status of `replay` where some of the events became dead letters anew, or could not be read."""
REFUSED = 2
"""Exit status where nothing was begun: an invalid configuration, no such sink, one that somebody else feeds."""


class Source(StrEnum):
    """Where events come from."""

    LOCAL = "local"
    REDIS = "redis"


_Sink = Annotated[str, typer.Option("--sink", help="Name of the sink, under `sinks` in the configuration.")]
_From = Annotated[
    Source, typer.Option("--from", help="This machine's data directory, or the stream that a sink of type redis fills.")
]
_Stream = Annotated[
    str | None, typer.Option("--stream", help="Which sink of type redis, where there are several.", show_default=False)
]
_AbandonedAfter = Annotated[
    float,
    typer.Option(min=1, help="Seconds without a sign of life after which another replica's events are taken over."),
]

_MetricsPort = Annotated[
    int | None,
    typer.Option("--metrics-port", min=0, max=65535, help="Serve /metrics there; 0 takes a free one, which is logged."),
]
_MetricsHost = Annotated[str, typer.Option("--metrics-host", help="Address to serve /metrics at.")]
_Place = tuple[str, int] | None
"""Where metrics are served, if at all."""


@app.callback()
def dispatch(
    context: typer.Context,
    sink: _Sink,
    source: _From = Source.LOCAL,
    stream: _Stream = None,
    abandoned_after: _AbandonedAfter = 60,
    metrics_port: _MetricsPort = None,
    metrics_host: _MetricsHost = "127.0.0.1",
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Feed one sink until SIGTERM or SIGINT: exit status 0 once it was stopped, 2 where it cannot begin."""
    if context.invoked_subcommand is not None:
        return
    compiled = load_or_exit(config, data_dir)
    _check_left_to_us(sink, _sink_or_exit(compiled, sink))
    place = None if metrics_port is None else (metrics_host, metrics_port)
    if source is Source.LOCAL:
        _dispatch_local(compiled, sink, place)
    else:
        _dispatch_stream(compiled, sink, _stream_or_exit(compiled, sink, stream), abandoned_after, place)


@app.command()
def replay(sink: _Sink, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Send a sink's dead letters again: exit status 0, or 1 if some were given up again. The gateway may run."""
    import asyncio

    from sluicegate.events.sinks.dead_letters import dead_letters_path
    from sluicegate.events.sinks.table import dead_letters

    compiled = load_or_exit(config, data_dir)
    settings = _sink_or_exit(compiled, sink)
    directory = compiled.server.data_dir

    async def work(shown: "DispatcherMetrics", engine: "Engine", end: "asyncio.Event", log: "Log") -> None:
        del shown
        log.info("dead letters are sent again")
        letters = dead_letters(sink, settings, data_dir=directory, now=_now)
        replaying = asyncio.ensure_future(letters.replay(engine.deliver_again))
        ending = asyncio.ensure_future(end.wait())
        await asyncio.wait((replaying, ending), return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not replaying.done():
            replaying.cancel()
            await asyncio.wait((replaying,))
            typer.echo("interrupted: what was not sent is kept, and all of it is sent the next time", err=True)
            raise typer.Exit(GIVEN_UP_AGAIN)
        try:
            typer.echo(f"{replaying.result()} events sent again, {engine.counts.dead} of them given up again")
        except OSError as error:
            typer.echo(f"dead letters cannot be read, all of them are sent the next time: {error}", err=True)
            raise typer.Exit(GIVEN_UP_AGAIN) from None
        if letters.damaged:
            damage = f"{dead_letters_path(directory, sink)}.damaged"
            typer.echo(f"{letters.damaged} lines cannot be read, they are kept in {damage}", err=True)
        if engine.counts.dead or letters.damaged:
            raise typer.Exit(GIVEN_UP_AGAIN)

    if not dead_letters_path(directory, sink).parent.is_dir():
        typer.echo(f"no dead letters of {sink}")
        return
    with _only_one(dead_letters_path(directory, sink).with_suffix(".lock"), f"dead letters of {sink} are being sent"):
        _run(compiled, sink, work)


def _dispatch_local(compiled: "Compiled", sink: str, place: _Place) -> None:
    import time

    from sluicegate.events.checkpoint_store import FileStore
    from sluicegate.events.dispatcher import feed_from_journal
    from sluicegate.events.reader import SegmentReader
    from sluicegate.events.sinks.feeding import checkpoint_path, lock_path, most_behind

    directory = compiled.server.data_dir
    if not (directory / "events").is_dir():
        _refuse(f"no events: {directory / 'events'} is not a directory; name the gateway's with --data-dir")
    checkpoint = checkpoint_path(directory, sink)

    async def work(shown: "DispatcherMetrics", engine: "Engine", end: "asyncio.Event", log: "Log") -> None:
        await feed_from_journal(
            engine,
            SegmentReader(directory / "events"),
            FileStore(checkpoint, log=log),
            most_bytes=most_behind(compiled.settings.events.retention_bytes),
            end=end,
            clock=time.monotonic,
            log=log,
            interval=compiled.settings.sinks[sink].batch.seconds,
            tell=shown.consumers.add,
        )

    checkpoint.parent.mkdir(mode=0o700, exist_ok=True)
    with _only_one(lock_path(directory, sink), f"a dispatcher of {sink} runs already on this data directory"):
        _run(compiled, sink, work, place)


def _dispatch_stream(
    compiled: "Compiled", sink: str, source: "SinkSettings", abandoned_after: float, place: _Place
) -> None:
    import secrets
    import socket
    from functools import partial

    from sluicegate.events.dispatcher import feed_from_stream
    from sluicegate.events.sinks.redis import stream_of

    # Of one machine, and of all the containers that may have its name.
    replica = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"

    async def work(shown: "DispatcherMetrics", engine: "Engine", end: "asyncio.Event", log: "Log") -> None:
        stream = stream_of(source)
        shown.follow(partial(stream.standing, engine.name))
        try:
            await feed_from_stream(engine, stream, replica=replica, end=end, log=log, abandoned_after=abandoned_after)
        finally:
            await stream.close()

    _run(compiled, sink, work, place)


def _run(
    compiled: "Compiled",
    sink: str,
    work: "Callable[[DispatcherMetrics, Engine, asyncio.Event, Log], Awaitable[None]]",
    place: _Place = None,
) -> None:
    """Open the sink, and work until that is done or the process is told to end; serve metrics at `place` meanwhile."""
    import asyncio
    import random
    import signal
    import sys
    import time

    from sluicegate.control.logs import Logs
    from sluicegate.control.metrics.dispatcher import DispatcherMetrics, served
    from sluicegate.events.sinks.base import Surroundings
    from sluicegate.events.sinks.table import opened

    logs = Logs(sys.stderr, process="dispatcher", clock=time.monotonic, settings=compiled.settings.log)
    logs.install()
    log = logs.logger.bind(sink=sink)
    servers = {provider.name: provider.origin.host for provider in compiled.snapshot.providers}

    async def run() -> None:
        end = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, end.set)
        engine = opened(
            sink,
            compiled.settings.sinks[sink],
            data_dir=compiled.server.data_dir,
            surroundings=Surroundings(now=_now, servers=servers),
            chance=random.random,
            log=log,
        )
        shown, counts = DispatcherMetrics(engine), engine.counts

        def tell_end() -> None:
            log.info("dispatcher ended", sent=counts.sent, dead=counts.dead, filtered=counts.filtered)

        async with AsyncExitStack() as stack:
            stack.callback(tell_end)
            stack.push_async_callback(engine.close)
            if place is not None:
                try:
                    port = await stack.enter_async_context(served(*place, shown.answer))
                except OSError as error:
                    _refuse(f"metrics cannot be served at {place[0]}, port {place[1]}: {error.strerror}")
                log.info("metrics are served", host=place[0], port=port)
            log.info("dispatcher started")
            await work(shown, engine, end, log)

    asyncio.run(run())


def _sink_or_exit(compiled: "Compiled", name: str) -> "SinkSettings":
    settings = compiled.settings.sinks.get(name)
    if settings is None:
        known = ", ".join(sorted(compiled.settings.sinks)) or "there are none"
        _refuse(f"the configuration has no sink {name}; it has: {known}")
    return settings


def _check_left_to_us(name: str, settings: "SinkSettings") -> None:
    """Leave where the gateway feeds it: each event would go there twice."""
    if settings.run_by != "dispatcher":
        _refuse(f"the gateway itself feeds {name}; to leave it to dispatchers, set sinks.{name}.run_by: dispatcher")


def _stream_or_exit(compiled: "Compiled", sink: str, named: str | None) -> "SinkSettings":
    """The sink that fills the stream."""
    streams = {name: each for name, each in compiled.settings.sinks.items() if each.type == "redis" and name != sink}
    if named is not None:
        streams = {name: each for name, each in streams.items() if name == named}
    if len(streams) != 1:
        wanted = f"of the name {named}" if named else "but one, or --stream"
        _refuse(f"there must be another sink of type redis {wanted}, whose stream is read")
    return next(iter(streams.values()))


@contextmanager
def _only_one(path: Path, otherwise: str) -> Iterator[None]:
    """Hold the lock of this file, or leave."""
    import time

    from sluicegate.events.locks import is_taken

    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not is_taken(file, pause=time.sleep):
            _refuse(otherwise)
        yield
    finally:
        os.close(file)


def _refuse(reason: str) -> Never:
    typer.echo(reason, err=True)
    raise typer.Exit(REFUSED)


def _now() -> float:
    from datetime import UTC, datetime

    return datetime.now(UTC).timestamp()
