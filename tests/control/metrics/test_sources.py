"""How the parts of the control process find things at the moment of a scrape."""

from pathlib import Path

from sluicegate.control.metrics.sources import CONTROL, DeploymentSeen, size_of
from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.consumer import Standing
from sluicegate.wire.link import CircuitState, DeploymentHealth, Journal
from tests.control.api import Api

STANDING = Standing("test", 10, 0.5, 3, 1, 0, 0, None, is_optional=False)


class Following:
    """A consumer that says how it fares, or cannot."""

    name = "test"
    checkpoint = Checkpoint()

    def __init__(self) -> None:
        self.error: OSError | None = None

    def standing(self) -> Standing:
        """As it was told."""
        if self.error is not None:
            raise self.error
        return STANDING


def test_node_without_anything(api: Api) -> None:
    """There is a configuration, and this process; nothing else is known, and nothing is wrong."""
    seen = api.run(api.context.metrics.seen())
    assert (seen.connected, seen.ready, seen.version, seen.is_newer_refused) == (0, 0, 1, False)
    assert (seen.is_ledger_away, seen.ledger_absences, seen.journal_bytes) == (False, 0, None)
    assert seen.deployments == [DeploymentSeen("first", "first", 0, 0)]
    assert [list(seen.processes), list(seen.consumers), list(seen.sinks)] == [[CONTROL], [], []]


def test_workers_are_seen_together(api: Api) -> None:
    """Requests under way are those of all; a circuit is as bad as where it is worst."""
    workers = api.context.workers
    told: tuple[tuple[CircuitState, int], ...] = (("half_open", 2), ("open", 3), ("closed", 0))
    for worker, (state, busy) in enumerate(told):
        workers.joined(worker, 10 + worker)
        workers.told(10 + worker, [DeploymentHealth("first", state, 0, 0.0, 0.0, busy, 16)])
    workers.ready(10, 1)
    seen = api.run(api.context.metrics.seen())
    assert (seen.connected, seen.ready) == (3, 1)
    assert seen.deployments == [DeploymentSeen("first", "first", 2, 5)]


def test_journals_are_seen(api: Api) -> None:
    """Each worker's; of one that is being replaced, the worse. What was lost by all, those that are gone too."""
    workers = api.context.workers
    for worker, pid in ((0, 10), (1, 11), (1, 12)):
        workers.joined(worker, pid)
    workers.journal(11, Journal("dropping", 4))
    workers.journal(12, Journal("holding", 0))
    seen = api.run(api.context.metrics.seen())
    assert (seen.journals, seen.events_lost) == ({"worker-0": 0, "worker-1": 2}, 4)
    workers.left(11)
    workers.journal(10, Journal("writing", 1))
    seen = api.run(api.context.metrics.seen())
    assert (seen.journals, seen.events_lost) == ({"worker-0": 0, "worker-1": 1}, 5)


def test_consumers_and_the_journal(api: Api) -> None:
    """How they fare is shown; where the disk does not answer, everything else is."""
    following, metrics = Following(), api.context.metrics
    api.context.consumers.add(following)
    metrics.events.mkdir()
    (metrics.events / "a").write_bytes(b"x" * 100)
    seen = api.run(metrics.seen())
    assert (list(seen.consumers), seen.journal_bytes) == ([STANDING], 100)
    following.error = OSError("no disk")
    assert list(api.run(metrics.seen()).consumers) == []


def test_size_of_what_cannot_be_read(tmp_path: Path) -> None:
    """It is not known; that is not the same as nothing."""
    assert size_of(tmp_path / "nowhere") is None
    assert size_of(tmp_path) == 0
