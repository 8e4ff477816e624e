"""What a node does when one of its processes is ready, dies, or must stop. Decides only; `loop` performs.

Rule 1. The mock provider and control start first; the workers once control has told how many.
Rule 2. A process that dies is started again, sooner or later (`backoff`), without end.
Rule 3. Before the node was ready for the first time, a process that dies START_ATTEMPTS times in a row ends the start,
        and so does the time: whoever waits for the node must not wait for ever. The supervisor exits with UNUSABLE.
Rule 4. To stop, the workers are told first and may finish their requests; then control, which still serves them
        meanwhile, and the mock. Who does not obey in time is killed. Nothing is started again.
Rule 5. Told to stop a second time, everything is killed at once.
Rule 6. A process that had begun to give signs of life, and gives none for so many looks in a row, hangs: it is asked
        where, for the log, and killed by the next look. Looks are counted, not seconds: while the machine stands still
        nobody looks.
"""

import signal
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Literal

from sluicegate.supervisor.backoff import deaths_in_a_row, restart_delay

CONTROL = "control"
MOCK = "mock"
WORKER = "worker-"

UNUSABLE = 2
"""Exit status where the node cannot start: configuration, address, data directory, or a process that keeps dying."""
START_ATTEMPTS = 3
START_SECONDS = 60.0
"""How long a start may take unless told otherwise: it takes one or two, and on an overloaded machine ten."""
CLOSE_SECONDS = 10.0
"""How long control may take to write down what it holds."""
DRAIN_MARGIN = CLOSE_SECONDS
"""Seconds beyond the drain time that a worker gets to cut off what is left and to write that down: who is killed before
leaves requests of which nobody will ever know."""

LOOK_SECONDS = 5.0
"""Between two looks at who gives signs of life."""
HUNG_LOOKS = 12
"""In a row: a minute. What keeps a process busy for longer keeps all that it serves waiting for longer."""
TELL_WHERE = signal.SIGUSR1
"""Has a process write the stacks of its threads to its standard error."""

Phase = Literal["starting", "running", "draining", "closing", "over"]


@dataclass(frozen=True, slots=True)
class Start:
    """Start the process of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Kill:
    """Send a signal to the process of this name."""

    name: str
    number: signal.Signals


@dataclass(frozen=True, slots=True)
class Announce:
    """The node is ready for the first time: tell so."""


@dataclass(frozen=True, slots=True)
class Note:
    """Write a log line."""

    level: Literal["info", "warning", "error"]
    event: str
    fields: dict[str, object]


Command = Start | Kill | Announce | Note


@dataclass(slots=True)
class _Child:
    name: str
    is_up: bool = False
    is_ready: bool = False
    since: float = 0.0
    deaths: int = 0
    still: int = 0
    due: float | None = None


def worker_name(index: int) -> str:
    """The name of worker number `index`, from 0."""
    return f"{WORKER}{index}"


class Node:
    """The state of all processes. Every method takes the time, monotonic seconds, and returns what is to be done."""

    def __init__(self, *, has_mock: bool, start_seconds: float = START_SECONDS) -> None:
        """Nothing runs yet; once it begins, it must be ready within `start_seconds`."""
        self._children = {name: _Child(name) for name in ([MOCK] if has_mock else []) + [CONTROL]}
        self._phase: Phase = "starting"
        self._start_seconds = start_seconds
        self._drain_seconds = 0.0
        self.look_due: float | None = None
        """When to look next who gives signs of life."""
        self._deadline: float | None = None
        """When the present phase must be over: the start, the draining, the closing."""
        self.status = 0
        """What the supervisor shall exit with."""
        self.failure = ""
        """Why the node could not start, in words; empty where it could, or where somebody else knows."""

    def __repr__(self) -> str:
        """Tell the phase and which processes run."""
        states = (
            f"{child.name}={'ready' if child.is_ready else 'up' if child.is_up else 'down'}"
            for child in self._children.values()
        )
        return f"<Node {self._phase} {' '.join(states)}>"

    @property
    def phase(self) -> Phase:
        """How far the node is; `over` means that no process is left."""
        return self._phase

    @property
    def due(self) -> float | None:
        """When `tick` has something to do next; None if only events count."""
        times = [child.due for child in self._children.values()]
        return min((time for time in (*times, self._deadline, self.look_due) if time is not None), default=None)

    def begin(self, now: float) -> list[Command]:
        """Start what needs no plan."""
        self._deadline = now + self._start_seconds
        return [self._start(child, now) for child in list(self._children.values())]

    def planned(self, *, workers: int, drain_seconds: float, now: float) -> list[Command]:
        """Control has told the plan: start the workers. The plan of a restarted control changes only the drain."""
        self._drain_seconds = drain_seconds
        if self._phase != "starting" or len(self._workers()) > 0:
            return []
        for index in range(workers):
            self._children[worker_name(index)] = _Child(worker_name(index))
        return [self._start(child, now) for child in self._workers()]

    def drain_changed(self, seconds: float) -> list[Command]:
        """Remember how long requests may take to end."""
        self._drain_seconds = seconds
        return []

    def ready(self, name: str) -> list[Command]:
        """A process does its work: a worker accepts connections, control answers."""
        child = self._children.get(name)
        if child is None or not child.is_up or child.is_ready:
            return []
        child.is_ready = True
        notes: list[Command] = [Note("info", "process is ready", {"name": name})]
        if (
            self._phase == "starting"
            and self._workers()
            and all(child.is_ready for child in self._children.values() if child.name != MOCK)
        ):
            self._phase = "running"
            # From now on there is no deadline: who hangs is noticed otherwise.
            self._deadline, self.look_due = None, 0.0
            notes.append(Announce())
        return notes

    def exited(self, name: str, reason: str, now: float) -> list[Command]:
        """A process is gone; `reason` says how, in words."""
        child = self._children[name]
        lived = now - child.since
        child.is_up = child.is_ready = False
        if self._phase in ("draining", "closing"):
            return [Note("info", "process ended", {"name": name, "reason": reason}), *self._go_on_stopping(now)]
        child.deaths = deaths_in_a_row(child.deaths, lived)
        fields: dict[str, object] = {"name": name, "reason": reason, "lived": round(lived, 1)}
        if self._phase == "starting" and child.deaths >= START_ATTEMPTS:
            fields["deaths"] = child.deaths
            self.failure = f"{name} ended {child.deaths} times in a row while it started, the last time with: {reason}"
            return [Note("error", "process cannot be started", fields), *self.fail(UNUSABLE, now)]
        delay = restart_delay(child.deaths)
        note = Note("error", "process died", {**fields, "restart_in": delay})
        if delay:
            child.due = now + delay
            return [note]
        return [note, self._start(child, now)]

    def looked(self, still: Container[str], now: float) -> list[Command]:
        """Those named in `still` have given no sign of life since the last look."""
        self.look_due = now + LOOK_SECONDS
        commands: list[Command] = []
        for child in self._alive():
            child.still = child.still + 1 if child.name in still else 0
            if child.still == HUNG_LOOKS - 1:
                seconds = child.still * LOOK_SECONDS
                fields: dict[str, object] = {"name": child.name, "seconds": seconds}
                commands += [Note("error", "process hangs, this is where", fields), Kill(child.name, TELL_WHERE)]
            elif child.still >= HUNG_LOOKS:
                commands.append(Kill(child.name, signal.SIGKILL))
        return commands

    def stop(self, now: float) -> list[Command]:
        """Told to stop: drain, or kill everything when told before."""
        if self._phase in ("draining", "closing"):
            self._deadline = None
            return [Note("warning", "killing all processes", {}), *self._kill(self._alive(), signal.SIGKILL)]
        for child in self._children.values():
            child.due = None
        self._phase = "draining"
        self.look_due = None
        self._deadline = now + self._drain_seconds + DRAIN_MARGIN
        workers = [child for child in self._workers() if child.is_up]
        note = Note("info", "stopping", {"drain_seconds": self._drain_seconds})
        return [note, *self._kill(workers, signal.SIGTERM), *self._go_on_stopping(now)]

    def fail(self, status: int, now: float) -> list[Command]:
        """The node cannot start: stop what runs and exit with `status`."""
        if self._phase in ("starting", "running"):
            self.status = status
            # Nobody was told that it is there: there is nothing to drain.
            self._drain_seconds = 0.0
            return self.stop(now)
        return []

    def tick(self, now: float) -> list[Command]:
        """Do what is due: start again, give up a start, kill who did not stop in time."""
        if self._phase == "starting" and self._deadline is not None and self._deadline <= now:
            return self._give_up(now)
        due = [child for child in self._children.values() if child.due is not None and child.due <= now]
        commands: list[Command] = [self._start(child, now) for child in due]
        if self._deadline is not None and self._deadline <= now:
            self._deadline = None
            late = [child for child in self._alive() if self._phase == "closing" or child.name.startswith(WORKER)]
            commands += [Note("warning", "did not stop in time", {"name": child.name}) for child in late]
            commands += self._kill(late, signal.SIGKILL)
        return commands

    def _give_up(self, now: float) -> list[Command]:
        late = [child.name for child in self._children.values() if child.name != MOCK and not child.is_ready]
        # Without a plan, control alone is known; the workers that would follow are not missed yet.
        self.failure = (
            f"the gateway was not ready within {self._start_seconds:g} s: still waiting for {', '.join(late)}"
        )
        note = Note("error", "not ready in time", {"seconds": self._start_seconds, "missing": late})
        return [note, *self.fail(UNUSABLE, now)]

    def _go_on_stopping(self, now: float) -> Iterator[Command]:
        if self._phase == "draining" and not any(child.is_up for child in self._workers()):
            self._phase = "closing"
            self._deadline = now + CLOSE_SECONDS
            yield from self._kill(self._alive(), signal.SIGTERM)
        if self._phase == "closing" and not self._alive():
            self._phase = "over"
            self._deadline = None

    def _start(self, child: _Child, now: float) -> Start:
        child.is_up, child.is_ready, child.since, child.due, child.still = True, False, now, None, 0
        return Start(child.name)

    def _kill(self, children: list[_Child], number: signal.Signals) -> list[Command]:
        return [Kill(child.name, number) for child in children]

    def _workers(self) -> list[_Child]:
        return [child for child in self._children.values() if child.name.startswith(WORKER)]

    def _alive(self) -> list[_Child]:
        return [child for child in self._children.values() if child.is_up]
