"""From the configuration to a sink that is ready to be fed."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from sluicegate.config.schema import SinkSettings
from sluicegate.events.sinks.base import Sink, Surroundings
from sluicegate.events.sinks.dead_letters import DeadLetters, dead_letters_path
from sluicegate.events.sinks.decisions import Plan
from sluicegate.events.sinks.engine import Engine
from sluicegate.events.sinks.selection import selector


def sink_of(settings: SinkSettings, surroundings: Surroundings) -> Sink:
    """The sink of a type that `config/sink_kinds.py` lists. Raises OSError where it needs a file that refuses."""
    # Only the sinks that are used are loaded: an HTTP client takes as long to load as all the rest of control.
    make: Callable[[SinkSettings, Surroundings], Sink] = import_module(f"sluicegate.events.sinks.{settings.type}").make
    return make(settings, surroundings)


def opened(
    name: str,
    settings: SinkSettings,
    *,
    data_dir: Path,
    surroundings: Surroundings,
    chance: Callable[[], float],
    log: FilteringBoundLogger,
) -> Engine:
    """One sink, its dead letters below the data directory, and what feeds it. Raises OSError as `sink_of` does."""
    sink = sink_of(settings, surroundings)
    return Engine(
        name,
        sink,
        plan_of(settings, most_events=sink.most_events),
        dead_letters(name, settings, data_dir=data_dir, now=surroundings.now),
        chance=chance,
        log=log,
        filters=settings.filters,
        select=selector(settings),
    )


def dead_letters(name: str, settings: SinkSettings, *, data_dir: Path, now: Callable[[], float]) -> DeadLetters:
    """The dead letters of one sink."""
    return DeadLetters(dead_letters_path(data_dir, name), largest_bytes=settings.dead_bytes, now=now)


def plan_of(settings: SinkSettings, *, most_events: int) -> Plan:
    """How a sink is fed that takes at most so many events at once."""
    return Plan(
        count=min(settings.batch.count, most_events),
        bytes=settings.batch.bytes,
        concurrency=settings.concurrency,
        timeout=settings.timeout,
        attempts=settings.retries.attempts,
        backoff=settings.retries.backoff,
        longest_wait=settings.retries.longest_wait,
    )
