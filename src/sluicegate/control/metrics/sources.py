"""What is shown beside the counters: how the parts of the control process find things at the moment of a scrape."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from sluicegate.control.configuration import Configuration
from sluicegate.control.consumers import Consumers
from sluicegate.control.dispatched import Dispatched
from sluicegate.control.metrics.processes import ProcessFacts, process_facts
from sluicegate.control.metrics.tally import Tally
from sluicegate.control.workers import Workers, WorkerState
from sluicegate.events.consumer import Standing
from sluicegate.wire.link import CircuitState, Writing

CONTROL: Final = "control"
CIRCUITS: Final[dict[CircuitState, int]] = {"closed": 0, "half_open": 1, "open": 2}
"""The worse, the higher."""
WRITING: Final[dict[Writing, int]] = {"writing": 0, "holding": 1, "dropping": 2}
"""The worse, the higher."""


class SinkCounts(Struct, frozen=True):
    """How a sink fares: events taken, arrived, lost, and kept as dead letters, since its process began.

    `retries` are requests that were sent again, of one event or many.
    """

    name: str
    queued: int
    sent: int
    dropped: int
    dead: int
    retries: int


class Away(Protocol):
    """A ledger that may be away."""

    @property
    def is_away(self) -> bool:
        """Whether it cannot be asked."""
        ...

    @property
    def absences(self) -> int:
        """How often that has begun."""
        ...


class DeploymentSeen(Struct, frozen=True):
    """A deployment at a glance: the worst of CIRCUITS that a worker tells of, and its requests under way at all."""

    provider: str
    id: str
    circuit: int
    busy: int


class Seen(Struct, frozen=True):
    """Everything at the moment of a scrape. `journal_bytes` is None where the disk does not say."""

    tally: Tally
    processes: dict[str, ProcessFacts]
    """By name; of a worker that is being replaced, the newer process."""
    connected: int
    ready: int
    deployments: list[DeploymentSeen]
    version: int
    is_newer_refused: bool
    is_ledger_away: bool
    ledger_absences: int
    consumers: Sequence[Standing]
    sinks: Sequence[SinkCounts]
    journal_bytes: int | None
    journals: dict[str, int]
    """By worker's name, the worst of WRITING that a process of it tells of its journal."""
    events_lost: int
    """That no journal has."""
    dispatched: Sequence[Dispatched]


async def none_dispatched() -> Sequence[Dispatched]:
    """Where no sink is left to dispatchers."""
    return ()


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to look; `events` is the directory of the journal."""

    tally: Tally
    workers: Workers
    configuration: Configuration
    ledger: Away
    consumers: Consumers
    events: Path
    sinks: Callable[[], Sequence[SinkCounts]] = tuple
    dispatched: Callable[[], Awaitable[Sequence[Dispatched]]] = none_dispatched

    async def seen(self) -> Seen:
        """Look."""
        # First whatever must be waited for: the rest is of one moment.
        standings = await self._standings()
        dispatched = await self.dispatched()
        journal_bytes = await asyncio.to_thread(size_of, self.events)
        states = self.workers.listed()
        processes = {CONTROL: os.getpid(), **{_name(state): state.pid for state in states}}
        facts = {name: process_facts(process) for name, process in processes.items()}
        snapshot = self.configuration.current.snapshot
        return Seen(
            tally=self.tally,
            processes={name: one for name, one in facts.items() if one is not None},
            connected=len(states),
            ready=sum(state.is_ready for state in states),
            deployments=[self._deployment(one.name, one.id) for one in snapshot.providers],
            version=snapshot.version,
            is_newer_refused=self.configuration.failure is not None,
            is_ledger_away=self.ledger.is_away,
            ledger_absences=self.ledger.absences,
            consumers=standings,
            sinks=self.sinks(),
            journal_bytes=journal_bytes,
            journals=self._journals(),
            events_lost=self.workers.dropped,
            dispatched=dispatched,
        )

    def _deployment(self, provider: str, identifier: str) -> DeploymentSeen:
        told = self.workers.health_of(identifier)
        circuit = max((CIRCUITS[one.health.state] for one in told), default=0)
        return DeploymentSeen(provider, identifier, circuit, sum(one.health.busy for one in told))

    def _journals(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for state in self.workers.listed():
            value = WRITING[self.workers.writing_of(state.pid)]
            found[_name(state)] = max(value, found.get(_name(state), 0))
        return found

    async def _standings(self) -> Sequence[Standing]:
        try:
            return await self.consumers.standings()
        except OSError:
            # All else is worth showing, most of all now.
            return ()


def _name(worker: WorkerState) -> str:
    return f"worker-{worker.worker}"


def size_of(directory: Path) -> int | None:
    """Bytes of the files in a directory; None where it cannot be read."""
    try:
        with os.scandir(directory) as entries:
            return sum(entry.stat().st_size for entry in entries)
    except OSError:
        # It may be, too, that a file was deleted just now. The next scrape will tell.
        return None
