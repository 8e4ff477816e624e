"""What a node does, told as conversations: something happens, something is to be done."""

import signal
from collections.abc import Iterable

import pytest

from sluicegate.supervisor.node import (
    CLOSE_SECONDS,
    DRAIN_MARGIN,
    HUNG_LOOKS,
    LOOK_SECONDS,
    TELL_WHERE,
    Announce,
    Command,
    Kill,
    Node,
    Note,
    Start,
)


def acts(commands: Iterable[Command]) -> list[Command]:
    """Commands without log lines."""
    return [command for command in commands if not isinstance(command, Note)]


def notes(commands: Iterable[Command]) -> list[str]:
    """The log lines' events."""
    return [command.event for command in commands if isinstance(command, Note)]


def running(*, workers: int = 1, has_mock: bool = False, drain_seconds: float = 30) -> Node:
    """A node that is ready at time 0."""
    node = Node(has_mock=has_mock)
    node.begin(0)
    node.planned(workers=workers, drain_seconds=drain_seconds, now=0)
    node.ready("control")
    for index in range(workers):
        node.ready(f"worker-{index}")
    assert (node.phase, node.look_due) == ("running", 0)
    node.looked((), 0)
    return node


def test_start_goes_by_the_plan() -> None:
    """Mock and control start first, the workers when control has told how many; ready is who all are."""
    node = Node(has_mock=True)
    assert acts(node.begin(0)) == [Start("mock"), Start("control")]
    assert acts(node.planned(workers=2, drain_seconds=30, now=0)) == [Start("worker-0"), Start("worker-1")]
    assert acts(node.ready("worker-0")) == []
    assert acts(node.ready("control")) == []
    assert acts(node.ready("worker-1")) == [Announce()]
    assert repr(node) == "<Node running mock=up control=ready worker-0=ready worker-1=ready>"


def test_readiness_is_told_once() -> None:
    """A worker that runs on a newer snapshot, or comes back, is no news to whoever waits for the node."""
    node = running()
    assert node.ready("worker-0") == []
    node.exited("worker-0", "killed by SIGKILL", 5)
    assert acts(node.ready("worker-0")) == []
    assert node.ready("worker-9") == []


def test_first_death_costs_no_time() -> None:
    """A worker that is killed is started again at once, and its end is logged with the reason."""
    node = running()
    commands = node.exited("worker-0", "killed by SIGKILL", 60)
    assert acts(commands) == [Start("worker-0")]
    assert commands[0] == Note(
        "error",
        "process died",
        {"name": "worker-0", "reason": "killed by SIGKILL", "lived": 60, "restart_in": 0.0},
    )


def test_repeated_death_is_waited_for() -> None:
    """Who dies again at once is started later and later; who stayed up in between is forgiven."""
    node = running()
    node.exited("control", "exit status 1", 1)
    assert acts(node.exited("control", "exit status 1", 1.1)) == []
    assert node.due == pytest.approx(1.35)
    assert acts(node.tick(1.3)) == []
    assert acts(node.tick(1.35)) == [Start("control")]
    assert node.due == node.look_due
    assert acts(node.exited("control", "exit status 1", 100)) == [Start("control")]


def test_restarted_control_changes_only_the_drain() -> None:
    """The plan of a control that came back starts no second set of workers."""
    node = running(workers=2)
    node.exited("control", "killed by SIGKILL", 5)
    assert node.planned(workers=4, drain_seconds=7, now=6) == []
    assert acts(node.stop(10)) == [Kill("worker-0", signal.SIGTERM), Kill("worker-1", signal.SIGTERM)]
    assert node.due == 10 + 7 + DRAIN_MARGIN


def test_changed_drain_counts() -> None:
    """After a reload, the workers get the new time to drain."""
    node = running()
    node.drain_changed(5)
    node.stop(10)
    assert node.due == 10 + 5 + DRAIN_MARGIN


def test_stop_drains_workers_before_control() -> None:
    """Workers are told first and control serves them to their end; then control and the mock are told."""
    node = running(workers=2, has_mock=True)
    assert acts(node.stop(10)) == [Kill("worker-0", signal.SIGTERM), Kill("worker-1", signal.SIGTERM)]
    assert acts(node.exited("worker-0", "exit status 0", 11)) == []
    assert node.phase == "draining"
    assert acts(node.exited("worker-1", "exit status 0", 12)) == [
        Kill("mock", signal.SIGTERM),
        Kill("control", signal.SIGTERM),
    ]
    assert node.due == 12 + CLOSE_SECONDS
    node.exited("control", "exit status 0", 13)
    node.exited("mock", "exit status 0", 13)
    assert repr(node) == "<Node over mock=down control=down worker-0=down worker-1=down>"
    assert node.status == 0
    assert node.tick(1e9) == []


def test_late_worker_is_killed() -> None:
    """A worker that has not drained in time, and a margin, is killed; control is not, as it is not late."""
    node = running(drain_seconds=3)
    node.stop(10)
    late = 10 + 3 + DRAIN_MARGIN
    assert acts(node.tick(late - 0.1)) == []
    commands = node.tick(late)
    assert acts(commands) == [Kill("worker-0", signal.SIGKILL)]
    assert notes(commands) == ["did not stop in time"]
    assert node.due == node.look_due
    assert acts(node.exited("worker-0", "killed by SIGKILL", late)) == [Kill("control", signal.SIGTERM)]


def test_worker_that_stands_still_as_it_is_told_to_end_is_not_late() -> None:
    """For as long as a busy machine, or its disk, may keep anybody: what it cuts off is not in the journal yet."""
    node = running(drain_seconds=0)
    node.stop(10)
    assert acts(node.tick(17)) == []


def test_late_control_is_killed() -> None:
    """Control that does not close in time is killed too."""
    node = running()
    node.stop(10)
    node.exited("worker-0", "exit status 0", 11)
    assert acts(node.tick(11 + CLOSE_SECONDS)) == [Kill("control", signal.SIGKILL)]


def test_second_stop_kills_all() -> None:
    """Told twice, nothing is waited for any more."""
    node = running(has_mock=True)
    node.stop(10)
    assert acts(node.stop(11)) == [
        Kill("mock", signal.SIGKILL),
        Kill("control", signal.SIGKILL),
        Kill("worker-0", signal.SIGKILL),
    ]
    assert node.due == node.look_due


def test_nothing_is_started_again_while_stopping() -> None:
    """A process that dies meanwhile stays dead, and one that was waiting for its restart is not started."""
    node = running(workers=2)
    node.exited("worker-1", "exit status 1", 1)
    node.exited("worker-1", "exit status 1", 1)
    assert acts(node.stop(1.1)) == [Kill("worker-0", signal.SIGTERM)]
    assert acts(node.exited("control", "killed by SIGKILL", 1.2)) == []
    assert acts(node.tick(5)) == []
    assert acts(node.exited("worker-0", "exit status 0", 6)) == []
    assert node.phase == "over"


def test_start_that_cannot_succeed_ends() -> None:
    """Before the node was ready for the first time, three deaths in a row are enough."""
    node = Node(has_mock=False)
    node.begin(0)
    node.planned(workers=1, drain_seconds=30, now=0)
    assert acts(node.exited("worker-0", "exit status 1", 0.1)) == [Start("worker-0")]
    assert acts(node.exited("worker-0", "exit status 1", 0.2)) == []
    assert acts(node.tick(0.5)) == [Start("worker-0")]
    commands = node.exited("worker-0", "exit status 1", 0.6)
    assert acts(commands) == [Kill("control", signal.SIGTERM)]
    assert notes(commands) == ["process cannot be started", "stopping"]
    assert node.exited("control", "exit status 0", 0.7)
    assert (node.phase, node.status) == ("over", 2)
    assert node.failure == "worker-0 ended 3 times in a row while it started, the last time with: exit status 1"


def test_start_takes_no_longer_than_it_may() -> None:
    """A node that is not ready in time gives up, tells who was missing, and kills who does not end either."""
    node = Node(has_mock=True, start_seconds=20)
    node.begin(100)
    assert node.due == 120
    assert node.tick(119.9) == []
    commands = node.tick(120)
    assert acts(commands) == [Kill("mock", signal.SIGTERM), Kill("control", signal.SIGTERM)]
    assert commands[0] == Note("error", "not ready in time", {"seconds": 20, "missing": ["control"]})
    assert node.failure == "the gateway was not ready within 20 s: still waiting for control"
    node.exited("mock", "exit status 0", 121)
    assert acts(node.tick(120 + CLOSE_SECONDS)) == [Kill("control", signal.SIGKILL)]
    node.exited("control", "killed by SIGKILL", 131)
    assert repr(node) == "<Node over mock=down control=down>"
    assert (node.status, node.tick(1e9)) == (2, [])


def test_late_workers_are_missed_by_name() -> None:
    """Of a start that is given up, only those count as missing that were; nothing is drained for long."""
    node = Node(has_mock=False, start_seconds=20)
    node.begin(0)
    node.planned(workers=2, drain_seconds=300, now=1)
    node.ready("control")
    node.ready("worker-1")
    assert acts(node.tick(20)) == [Kill("worker-0", signal.SIGTERM), Kill("worker-1", signal.SIGTERM)]
    assert node.failure.endswith("still waiting for worker-0")
    assert node.due == 20 + DRAIN_MARGIN


def test_time_to_start_ends_with_the_start() -> None:
    """A node that was ready in time may run as long as it likes."""
    node = running()
    assert node.due == node.look_due
    assert node.tick(1e9) == []


def test_node_that_was_ready_goes_on_for_ever() -> None:
    """Once it was ready, a process that keeps dying does not end the node."""
    node = running()
    for death in range(10):
        node.exited("control", "exit status 1", 40.0 * death)
        node.tick(40.0 * death + 39)
    assert node.phase == "running"


def test_refusal_is_kept_as_status() -> None:
    """A start that is refused ends with the given status; a stop while it ends does not change that."""
    node = Node(has_mock=False)
    node.begin(0)
    assert acts(node.fail(2, 0)) == [Kill("control", signal.SIGTERM)]
    assert node.fail(1, 0) == []
    node.exited("control", "exit status 2", 0.1)
    assert (node.phase, node.status) == ("over", 2)


def test_stop_before_the_plan() -> None:
    """A node told to stop while control still loads ends it and is over; a plan that comes late starts nobody."""
    node = Node(has_mock=False)
    node.begin(0)
    assert acts(node.stop(0.1)) == [Kill("control", signal.SIGTERM)]
    assert node.planned(workers=1, drain_seconds=1, now=0.1) == []
    node.exited("control", "killed by SIGTERM", 0.2)
    assert (node.phase, node.status) == ("over", 0)


def looks(node: Node, *still: str, times: int = 1) -> list[Command]:
    """What the last of so many looks leads to, in all of which these were still."""
    commands: list[Command] = []
    for _ in range(times):
        assert node.look_due is not None
        commands = node.looked(still, node.look_due)
    return commands


def test_who_hangs_is_asked_where_and_killed() -> None:
    """A look later, so that what it answers is in the log; what is started in its place begins anew."""
    node = running(workers=2)
    assert looks(node, "worker-1", times=HUNG_LOOKS - 2) == []
    asked = looks(node, "worker-1")
    fields = {"name": "worker-1", "seconds": (HUNG_LOOKS - 1) * LOOK_SECONDS}
    assert asked == [Note("error", "process hangs, this is where", fields), Kill("worker-1", TELL_WHERE)]
    assert looks(node, "worker-1") == [Kill("worker-1", signal.SIGKILL)]
    node.exited("worker-1", "killed by SIGKILL", 100)
    assert looks(node, "worker-1", times=HUNG_LOOKS - 2) == []


def test_one_sign_of_life_is_enough() -> None:
    """Whoever was merely slow is counted from the beginning."""
    node = running()
    for _ in range(3):
        looks(node, "control", times=HUNG_LOOKS - 2)
        assert looks(node) == []


def test_looks_are_due_until_there_are_deadlines() -> None:
    """From when the node is ready, also where nothing else is due; a start, and a stop, have times of their own."""
    node = running()
    assert node.due == node.look_due == LOOK_SECONDS
    looks(node)
    assert node.due == 2 * LOOK_SECONDS
    node.stop(7)
    assert node.due == 7 + 30 + DRAIN_MARGIN
    node.tick(7 + 30 + DRAIN_MARGIN)
    assert repr(node.due) == "None"


def test_who_is_gone_does_not_hang() -> None:
    """It waits to be started again."""
    node = running()
    for _ in range(2):
        node.exited("worker-0", "killed by SIGKILL", 1)
    assert looks(node, "worker-0", times=HUNG_LOOKS + 1) == []
