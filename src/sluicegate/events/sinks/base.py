"""What a sink is, and how it says that something went wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Event = Mapping[str, Any]
"""One event as plain values, by the names of docs/reference/events.md; `kind` says which sort it is."""

EXCHANGES = frozenset({"exchange"})
ALL_KINDS = frozenset({"exchange", "notice"})


class DeliveryError(Exception):
    """A batch, or part of it, did not arrive. Messages are for logs: they hold no secret and nothing of an answer."""


class TransientError(DeliveryError):
    """Nothing of the batch arrived, for a reason that may pass. `retry_after` is in seconds, as the other side said."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.retry_after = retry_after


class PermanentError(DeliveryError):
    """Nothing of the batch arrived, and nothing of it ever will."""


class TooLargeError(DeliveryError):
    """Nothing of the batch arrived: it is too large. Parts of it may do."""


class PartialError(DeliveryError):
    """Part of the batch arrived, by the indices of its events: all but `again` and those that `refused` gives a reason.

    `retry_after` is how long to wait with `again`, in seconds; None for as long as after any failure.
    """

    def __init__(
        self,
        reason: str,
        *,
        again: Sequence[int] = (),
        refused: Mapping[int, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Keep what is to be done about it."""
        super().__init__(reason)
        self.again = tuple(again)
        self.refused = dict(refused or {})
        self.retry_after = retry_after


class Sink(Protocol):
    """One way to deliver events."""

    @property
    def kinds(self) -> frozenset[str]:
        """Which kinds of events it can make something of."""
        ...

    @property
    def most_events(self) -> int:
        """Most events that it takes at once."""
        ...

    async def deliver(self, batch: Sequence[Event]) -> None:
        """Deliver all of it, or raise a DeliveryError. May be called several times at the same time."""
        ...

    async def close(self) -> None:
        """Give back what it holds; nothing is delivered afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What sinks may know of the world. `now` gives Unix seconds.

    `servers` are the hosts of providers, by their names.
    """

    now: Callable[[], float]
    servers: Mapping[str, str] = field(default_factory=dict)
