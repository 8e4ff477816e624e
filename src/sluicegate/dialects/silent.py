"""A stream about which nothing can be known: its end is wherever it ends."""

from sluicegate.domain.usage import Reading


class SilentReader:
    """Reads nothing."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Tell that there is no state."""
        return "<SilentReader>"

    @property
    def is_complete(self) -> bool:
        """Always: no event is known to be the last one."""
        return True

    def feed(self, payloads: list[bytes]) -> None:
        """Pass over all events."""

    def reading(self) -> Reading:
        """Nothing."""
        return Reading()

    @property
    def text(self) -> str:
        """Nothing."""
        return ""
