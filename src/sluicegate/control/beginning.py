"""The first part of a control process: which configuration to run on, and the supervisor's word to begin.

It is all that is loaded before the supervisor is told how many workers to start, so that they start while the rest is
being loaded.
"""

import argparse
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sluicegate.config.compile import Compiled
from sluicegate.config.layers import Demo, Overrides
from sluicegate.config.problem import ConfigurationError
from sluicegate.control.channel import DEMO_VARIABLE, Plan, Refused
from sluicegate.control.last_good import LastGood, is_same
from sluicegate.control.loading import Sources
from sluicegate.control.supervision import introduce
from sluicegate.control.watch import Fingerprint, fingerprint
from sluicegate.dialects.base import Dialect
from sluicegate.wire.pulse import Pulse


@dataclass(frozen=True, slots=True)
class Choice:
    """What a control process runs on. `refused` says why that is not what the sources hold now, where it is not."""

    started: Compiled
    """What the node was started with: what takes a restart to change is as it says."""
    current: Compiled
    refused: ConfigurationError | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """What the rest of the process builds on. `seen` is the configuration file as it was just before it was loaded.

    `is_outdated`: a reload was asked for that it may not know of.
    """

    sources: Sources
    choice: Choice
    seen: Fingerprint
    last_good: LastGood
    channel: socket.socket
    pulse: Pulse
    link: socket.socket
    web: socket.socket
    is_outdated: bool = False


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line, as `supervisor/commands.py` writes it."""
    parser = argparse.ArgumentParser("sluicegate.control", allow_abbrev=False)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--drain-seconds", type=float)
    parser.add_argument("--file-event-log", type=Path)
    parser.add_argument("--demo-url")
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--last-good", type=int, required=True)
    parser.add_argument("--pulse", type=Pulse.of, required=True)
    return parser.parse_args(arguments)


def begin(arguments: Sequence[str], environment: Mapping[str, str], *, dialects: Mapping[str, Dialect]) -> Begun | None:
    """Choose the configuration, agree with the supervisor, listen; None where there is nothing to begin.

    Raises OSError where a socket cannot be made.
    """
    flags = parse(arguments)
    sources = _sources(flags, environment, dialects)
    channel = socket.socket(fileno=flags.channel)
    last_good = LastGood(flags.last_good, dialects=dialects)
    seen = fingerprint(sources.file) if sources.file else None
    with ExitStack() as undo:
        undo.callback(channel.close)
        try:
            choice = choose(sources, last_good)
        except ConfigurationError as error:
            introduce(channel, Refused(str(error)))
            return None
        last_good.keep(choice.started, choice.current)
        word = introduce(channel, _plan(choice, sources.described))
        if word is None:
            return None
        undo.pop_all()
    link, web = listen(Path(word.go.link)), listen(Path(word.go.http))
    return Begun(sources, choice, seen, last_good, channel, flags.pulse, link, web, word.is_outdated)


def choose(sources: Sources, last_good: LastGood) -> Choice:
    """Load the sources; where they are broken, what a predecessor left. Raises ConfigurationError without one."""
    memory = last_good.recall()
    if memory is None:
        compiled = sources.load(1)
        return Choice(compiled, compiled)
    started, current = memory
    try:
        loaded = sources.load(current.snapshot.version + 1)
    except ConfigurationError as error:
        return Choice(started, current, error)
    return Choice(started, current if is_same(loaded, current) else loaded)


def listen(path: Path) -> socket.socket:
    """Listen on a Unix socket in place of a predecessor's. Raises OSError."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(os.fspath(path))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def _sources(flags: argparse.Namespace, environment: Mapping[str, str], dialects: Mapping[str, Dialect]) -> Sources:
    demo = Demo(flags.demo_url, environment[DEMO_VARIABLE]) if flags.demo_url else None
    overrides = Overrides(
        host=flags.host,
        port=flags.port,
        workers=flags.workers,
        data_dir=flags.data_dir,
        drain_seconds=flags.drain_seconds,
        file_event_log=flags.file_event_log,
        demo=demo,
    )
    return Sources(flags.config, environment, overrides, dialects)


def _plan(choice: Choice, source: str) -> Plan:
    server = choice.started.server
    return Plan(
        host=server.host,
        port=server.port,
        workers=server.workers,
        certificate=str(server.certificate.absolute()) if server.certificate else None,
        key=str(server.key.absolute()) if server.key else None,
        data_dir=str(server.data_dir.absolute()),
        drain_seconds=choice.current.snapshot.drain_seconds,
        source=source,
        missing=_missing(choice.current),
    )


def _missing(compiled: Compiled) -> str:
    """What leaves a gateway with nothing but errors to answer."""
    missing = []
    if not compiled.settings.providers:
        missing.append("no provider is configured: set a key such as OPENAI_API_KEY, or name a file with --config")
    if not compiled.tokens and compiled.settings.key_file is None and not compiled.is_managed:
        missing.append("no token is declared, and none can be issued: set PROXY_TOKEN, or MANAGEMENT_TOKEN")
    return "\n".join(missing)
