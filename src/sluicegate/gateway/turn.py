"""What happens at the end of a loop turn: first the journal's one write, then the last bytes of the answers it records.

uvloop writes to a socket at once, so an answer's end is held back until its event is in the journal. A client that saw
its whole answer can therefore rely on the record of it, even if this process is killed in the next instant.
"""

from collections.abc import Callable


class Turn:
    """Collects the ends of answers during one turn of the loop."""

    __slots__ = ("_ends", "_flush", "_schedule")

    def __init__(self, *, schedule: Callable[[Callable[[], None]], object], flush: Callable[[], None]) -> None:
        """`schedule` runs a callback at the end of this turn (`loop.call_soon`); `flush` writes the journal."""
        self._schedule = schedule
        self._flush = flush
        self._ends: list[tuple[Callable[[bytes], None], bytes]] = []

    def __repr__(self) -> str:
        """Tell how many answers end in this turn."""
        return f"<Turn ends={len(self._ends)}>"

    def end(self, write: Callable[[bytes], None], data: bytes) -> None:
        """Call `write(data)` once everything journalled so far is written."""
        ends = self._ends
        if not ends:
            self._schedule(self._run)
        ends.append((write, data))

    def _run(self) -> None:
        self._flush()
        ends, self._ends = self._ends, []
        for write, data in ends:
            write(data)
