"""Sortable, prefixed identifiers: `req_`, `org_`, `prj_`, `usr_`, `tok_`."""

from collections.abc import Callable


class IdSource:
    """Makes identifiers of one kind: prefix, 12 hex digits of Unix milliseconds, 8 of `salt`, 8 of a counter.

    They sort by time to the millisecond and are unique as long as each source of a moment has its own salt.
    """

    __slots__ = ("_beginning", "_clock", "_count", "_moment", "_prefix", "_salt")

    def __init__(self, prefix: str, *, clock: Callable[[], float], salt: int) -> None:
        """`clock` gives Unix seconds; `salt` is 32 random bits."""
        self._prefix = prefix
        self._clock = clock
        self._salt = "%08x" % (salt & 0xFFFFFFFF)
        self._count = 0
        self._moment = -1
        self._beginning = ""

    def __repr__(self) -> str:
        """Tell how many identifiers were made."""
        return f"<IdSource {self._prefix}…{self._salt} made={self._count}>"

    def next(self) -> str:
        """Return a new identifier, 28 characters after the prefix."""
        self._count = count = (self._count + 1) & 0xFFFFFFFF
        moment = int(self._clock() * 1000)
        if moment != self._moment:
            self._moment = moment
            self._beginning = f"{self._prefix}{moment:012x}{self._salt}"
        return f"{self._beginning}{count:08x}"
