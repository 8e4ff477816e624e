"""Which consumers of the journal there are in this process, how they fare, and how far they have come."""

import asyncio
from typing import Protocol

from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.consumer import Standing


class Following(Protocol):
    """As much of a consumer as is asked about it."""

    @property
    def name(self) -> str:
        """What it is called, in metrics too."""
        ...

    @property
    def checkpoint(self) -> Checkpoint:
        """Before it, nothing is needed any more."""
        ...

    def standing(self) -> Standing:
        """How it fares. Looks at the disk; raises OSError."""
        ...


class Consumers:
    """All of them, by name. Those of other processes are known by the files of their checkpoints alone."""

    def __init__(self) -> None:
        """There are none yet."""
        self._consumers: dict[str, Following] = {}

    def __repr__(self) -> str:
        """Tell which there are."""
        return f"<Consumers {sorted(self._consumers)}>"

    def add(self, consumer: Following) -> None:
        """It is there from now on, in place of one of the same name. What it has not read is kept."""
        self._consumers[consumer.name] = consumer

    def remove(self, name: str) -> None:
        """It is there no more."""
        self._consumers.pop(name, None)

    async def standings(self) -> tuple[Standing, ...]:
        """How each fares, by name. Raises OSError where the journal cannot be looked at."""
        # In a thread, as it looks at the disk.
        return await asyncio.to_thread(self._standings, tuple(self._consumers.values()))

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """How far each has come."""
        return tuple(consumer.checkpoint for consumer in self._consumers.values())

    @staticmethod
    def _standings(consumers: tuple[Following, ...]) -> tuple[Standing, ...]:
        return tuple(sorted((consumer.standing() for consumer in consumers), key=lambda each: each.name))
