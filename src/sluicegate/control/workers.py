"""Which workers there are, as far as their links tell."""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct


class WorkerState(Struct, frozen=True):
    """One worker. `version` is that of the snapshot it runs on; None until it is ready."""

    worker: int
    pid: int
    is_ready: bool
    version: int | None
    connected_at: datetime


class Workers:
    """The workers whose link stands."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        """There are none yet."""
        self._now = now
        self._states: dict[int, WorkerState] = {}

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

    def left(self, pid: int) -> None:
        """A link is gone."""
        self._states.pop(pid, None)

    def listed(self) -> list[WorkerState]:
        """All of them by number; of one that is being replaced, both."""
        return sorted(self._states.values(), key=lambda state: (state.worker, state.connected_at))
