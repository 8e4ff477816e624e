"""Which workers there are, how providers fare at each and its journal does, as far as their links tell."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from sluicegate.wire.link import DeploymentHealth, Journal, Writing


class WorkerState(Struct, frozen=True):
    """One worker. `version` is that of the snapshot it runs on; None until it is ready."""

    worker: int
    pid: int
    is_ready: bool
    version: int | None
    connected_at: datetime


class Told(Struct, frozen=True):
    """What one worker said last of one deployment, with its times as seconds from now."""

    worker: int
    pid: int
    health: DeploymentHealth


class Observe(Protocol):
    """Who learns that a deployment is left alone by the first worker, or by none any more."""

    def __call__(self, worker: int, health: DeploymentHealth, *, is_open: bool) -> None:
        """Take what the worker said by which this is so."""
        ...


class Workers:
    """The workers whose link stands."""

    def __init__(self, *, now: Callable[[], datetime], observe: Observe | None = None) -> None:
        """There are none yet. `observe` learns when a deployment is left alone, and when it is so no more."""
        self._now = now
        self._observe = observe
        self._states: dict[int, WorkerState] = {}
        self._health: dict[int, dict[str, tuple[datetime, DeploymentHealth]]] = {}
        self._writing: dict[int, Writing] = {}
        self._dropped: dict[int, int] = {}
        """Of every process that has lost any, those that are gone too."""

    def __repr__(self) -> str:
        """Tell how many, and how many are ready."""
        ready = sum(state.is_ready for state in self._states.values())
        return f"<Workers connected={len(self._states)} ready={ready}>"

    def joined(self, worker: int, pid: int) -> None:
        """A link stands."""
        self._states[pid] = WorkerState(worker, pid, is_ready=False, version=None, connected_at=self._now())

    def ready(self, pid: int, version: int) -> None:
        """A worker runs on this version."""
        state = self._states[pid]
        self._states[pid] = WorkerState(
            state.worker, pid, is_ready=True, version=version, connected_at=state.connected_at
        )

    def told(self, pid: int, deployments: Iterable[DeploymentHealth]) -> None:
        """A worker has said how these deployments fare."""
        now = self._now()
        said = self._health.setdefault(pid, {})
        for one in deployments:
            was_open = self._is_open(one.id)
            said[one.id] = (now, one)
            is_open = self._is_open(one.id)
            if is_open != was_open and self._observe is not None and pid in self._states:
                self._observe(self._states[pid].worker, one, is_open=is_open)

    def journal(self, pid: int, journal: Journal) -> None:
        """A worker has said how its journal does."""
        self._writing[pid] = journal.state
        if journal.dropped:
            self._dropped[pid] = journal.dropped

    @property
    def dropped(self) -> int:
        """Events that workers have lost, those that are gone too."""
        return sum(self._dropped.values())

    def writing_of(self, pid: int) -> Writing:
        """What a worker said last of its journal; one that said nothing found nothing wrong."""
        return self._writing.get(pid, "writing")

    def left(self, pid: int) -> None:
        """A link is gone, and what was said on it, but for what was lost."""
        self._states.pop(pid, None)
        self._writing.pop(pid, None)
        self._health.pop(pid, None)

    def keep(self, deployments: Iterable[str]) -> None:
        """There are no others any more: forget what was said of them."""
        kept = frozenset(deployments)
        for pid, told in self._health.items():
            self._health[pid] = {name: one for name, one in told.items() if name in kept}

    def health_of(self, deployment: str) -> list[Told]:
        """What each worker said last of a deployment, by number; those that said nothing found nothing wrong."""
        now = self._now()
        found = []
        for state in self.listed():
            at, health = self._health.get(state.pid, {}).get(deployment, (now, None))
            if health is not None:
                found.append(Told(state.worker, state.pid, _aged(health, (now - at).total_seconds())))
        return found

    def _is_open(self, deployment: str) -> bool:
        """Whether any worker leaves it alone, or only tries it."""
        told = (said[deployment][1] for said in self._health.values() if deployment in said)
        return any(health.state != "closed" for health in told)

    def listed(self) -> list[WorkerState]:
        """All of them by number; of one that is being replaced, both."""
        return sorted(self._states.values(), key=lambda state: (state.worker, state.connected_at))


def _aged(health: DeploymentHealth, seconds: float) -> DeploymentHealth:
    return replace(
        health,
        reopens_in=max(0.0, health.reopens_in - seconds),
        rests_for=max(0.0, health.rests_for - seconds),
    )
