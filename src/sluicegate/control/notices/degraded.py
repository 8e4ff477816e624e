"""Requests that were admitted without the ledger, under an organisation's failure mode: told once a minute of each."""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from sluicegate.control.notices.notices import Telling

_MINUTE: Final = len("2026-11-21T10:00")
_REMEMBERED: Final = 3_600_000
"""Milliseconds: what is older was told by a predecessor, if it was read at all."""


class Admitted(Protocol):
    """What matters of an exchange."""

    @property
    def request_id(self) -> str:
        """Of the request."""
        ...

    @property
    def timestamp(self) -> str:
        """When it arrived."""
        ...

    @property
    def organization_id(self) -> str:
        """Whose it was."""
        ...

    @property
    def is_degraded(self) -> bool:
        """Whether it was admitted without the ledger."""
        ...


class Degraded:
    """Looks through exchanges."""

    __slots__ = ("_notices", "_now")

    def __init__(self, notices: Telling, *, now: Callable[[], int]) -> None:
        """`now` is Unix milliseconds."""
        self._notices = notices
        self._now = now

    def __repr__(self) -> str:
        """Tell what it is."""
        return "<Degraded>"

    def observe(self, events: Iterable[Admitted]) -> None:
        """Tell of those that are."""
        for event in events:
            if event.is_degraded:
                self._tell(event)

    def _tell(self, event: Admitted) -> None:
        minute = event.timestamp[:_MINUTE]
        occasion = f"degraded|{event.organization_id}|{minute}"
        if self._notices.is_new(occasion, self._now() + _REMEMBERED):
            self._notices.tell(
                "request.degraded",
                event.organization_id,
                occasion=occasion,
                organization_id=event.organization_id,
                facts={"minute": f"{minute}Z", "first_request_id": event.request_id},
            )
