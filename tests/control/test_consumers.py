"""The register of consumers."""

import asyncio

from sluicegate.control.consumers import Consumers
from sluicegate.events.checkpoint import Checkpoint, Progress
from sluicegate.events.consumer import Standing


class Scripted:
    """A consumer that stands as it was told."""

    def __init__(self, name: str, backlog: int = 0) -> None:
        self.name = name
        self.backlog = backlog
        self.checkpoint = Checkpoint({"000-a": Progress(1, backlog)})

    def standing(self) -> Standing:
        """As told."""
        return standing(self.name, self.backlog)


def standing(name: str, backlog: int) -> Standing:
    """One that has this backlog."""
    return Standing(name, backlog, None, 0, 0, 0, 0, None, is_optional=False)


def test_all_are_told_by_name() -> None:
    """With how they stand and how far they have come."""
    consumers = Consumers()
    consumers.add(Scripted("b", 2))
    consumers.add(Scripted("a", 1))
    assert asyncio.run(consumers.standings()) == (standing("a", 1), standing("b", 2))
    assert len(consumers.checkpoints()) == 2
    assert repr(consumers) == "<Consumers ['a', 'b']>"


def test_one_of_a_name() -> None:
    """The later one counts; what is removed is needed no more."""
    consumers = Consumers()
    consumers.add(Scripted("a", 1))
    consumers.add(Scripted("a", 2))
    assert consumers.checkpoints() == (Checkpoint({"000-a": Progress(1, 2)}),)
    consumers.remove("a")
    consumers.remove("a")
    assert consumers.checkpoints() == ()
