"""Which workers there are."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sluicegate.control.workers import Told, Workers, WorkerState
from sluicegate.wire.link import CircuitState, DeploymentHealth, Journal


def test_worker_comes_and_goes(now: Callable[[], datetime]) -> None:
    """A worker is listed from its introduction to the end of its link, with the version it runs on once it is ready."""
    workers = Workers(now=now)
    workers.joined(0, 11)
    assert workers.listed() == [WorkerState(0, 11, is_ready=False, version=None, connected_at=now())]
    workers.ready(11, 3)
    assert workers.listed() == [WorkerState(0, 11, is_ready=True, version=3, connected_at=now())]
    assert repr(workers) == "<Workers connected=1 ready=1>"
    workers.left(11)
    workers.left(11)
    assert workers.listed() == []


def test_replaced_worker_is_listed_beside_its_successor(now: Callable[[], datetime]) -> None:
    """They are listed by number, and two processes of one number do not hide each other."""
    workers = Workers(now=now)
    for worker, pid in ((1, 21), (0, 11), (0, 12)):
        workers.joined(worker, pid)
    assert [(state.worker, state.pid) for state in workers.listed()] == [(0, 11), (0, 12), (1, 21)]
    workers.left(11)
    assert [state.pid for state in workers.listed()] == [12, 21]


def test_health_is_what_each_worker_said_last() -> None:
    """What is said replaces what was said of the same deployment; its times run on, and end at nothing."""
    moments = [datetime(2026, 11, 21, tzinfo=UTC)]
    workers = Workers(now=lambda: moments[-1])
    for worker, pid in ((1, 21), (0, 11)):
        workers.joined(worker, pid)
    opened = DeploymentHealth("a", "open", 5, 10.0, 2.0, 3, 8)
    workers.told(21, [opened, DeploymentHealth("b", "closed", 0, 0.0, 0.0, 0, 8)])
    workers.told(11, [opened])
    workers.told(11, [DeploymentHealth("a", "half_open", 6, 0.0, 0.0, 1, 4)])
    moments.append(moments[0] + timedelta(seconds=4))
    assert workers.health_of("a") == [
        Told(0, 11, DeploymentHealth("a", "half_open", 6, 0.0, 0.0, 1, 4)),
        Told(1, 21, DeploymentHealth("a", "open", 5, 6.0, 0.0, 3, 8)),
    ]
    assert [told.pid for told in workers.health_of("b")] == [21]
    assert workers.health_of("c") == []


def test_circuit_is_told_by_the_first_and_by_the_last(now: Callable[[], datetime]) -> None:
    """It is left alone once one worker does so, and works again once all of them ask it; to try it is neither."""
    seen: list[tuple[int, str, bool]] = []

    def observe(worker: int, health: DeploymentHealth, *, is_open: bool) -> None:
        seen.append((worker, health.id, is_open))

    workers = Workers(now=now, observe=observe)
    for worker, pid in ((0, 10), (1, 11)):
        workers.joined(worker, pid)

    def say(pid: int, state: CircuitState) -> None:
        workers.told(pid, [DeploymentHealth("a", state, 1, 1.0, 0.0, 0, 1)])

    say(10, "closed")
    say(11, "open")
    say(10, "open")
    say(11, "half_open")
    say(11, "open")
    say(11, "closed")
    assert seen == [(1, "a", True)]
    say(10, "closed")
    assert seen == [(1, "a", True), (0, "a", False)]


def test_circuit_of_a_worker_that_is_gone_is_forgotten(now: Callable[[], datetime]) -> None:
    """Nothing is told of it; when its successor leaves the deployment alone, that is news."""
    seen: list[bool] = []

    def observe(worker: int, health: DeploymentHealth, *, is_open: bool) -> None:
        seen.append(is_open)

    workers = Workers(now=now, observe=observe)
    for pid in (10, 11):
        workers.joined(0, pid)
        workers.told(pid, [DeploymentHealth("a", "open", 1, 1.0, 0.0, 0, 1)])
        workers.left(pid)
    assert seen == [True, True]
    workers.told(12, [DeploymentHealth("a", "open", 1, 1.0, 0.0, 0, 1)])
    assert seen == [True, True]


def test_health_goes_with_its_worker_and_its_deployment(now: Callable[[], datetime]) -> None:
    """A worker that is gone has no word any more, and a deployment that is gone is none."""
    workers = Workers(now=now)
    for pid in (11, 12):
        workers.joined(0, pid)
        workers.told(pid, [DeploymentHealth(name, "open", 1, 1.0, 0.0, 0, 1) for name in ("a", "b")])
    workers.left(11)
    workers.keep(["b"])
    assert workers.health_of("a") == []
    assert [told.pid for told in workers.health_of("b")] == [12]


def test_events_that_a_worker_lost_stay_lost(now: Callable[[], datetime]) -> None:
    """Its state goes with its link; one that comes back repeats what it has lost, which counts once."""
    workers = Workers(now=now)
    workers.joined(0, 11)
    assert (workers.writing_of(11), workers.dropped) == ("writing", 0)
    workers.journal(11, Journal("dropping", 4))
    assert (workers.writing_of(11), workers.dropped) == ("dropping", 4)
    workers.left(11)
    assert (workers.writing_of(11), workers.dropped) == ("writing", 4)
    workers.joined(0, 11)
    workers.journal(11, Journal("holding", 4))
    assert (workers.writing_of(11), workers.dropped) == ("holding", 4)
