"""How a group of readers of a stream stands: for whoever shows that, without the library that asks the server."""

from msgspec import Struct


class StreamUnavailableError(Exception):
    """The server did not do what it was asked. The same may be asked again."""


class GroupStanding(Struct, frozen=True):
    """How a group of readers stands.

    `lag` are the entries that none has taken, None where the server cannot tell; `pending` those that are taken and not
    acknowledged.
    """

    lag: int | None
    pending: int
