"""Which workers there are."""

from collections.abc import Callable
from datetime import datetime

from sluicegate.control.workers import Workers, WorkerState


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
