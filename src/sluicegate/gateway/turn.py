"""What happens at the end of a loop turn: first the journal's one write, then the last bytes of the answers it records.

uvloop writes to a socket at once, so an answer's end is held back until its event is in the journal. A client that saw
its whole answer can therefore rely on the record of it, even if this process is killed in the next instant.
"""

from collections.abc import Callable


class Turn:
    """Collects the ends of answers during one turn of the loop."""

    __slots__ = ("_ends", "_is_due", "_schedule", "_write")

    def __init__(self, *, schedule: Callable[[Callable[[], None]], object]) -> None:
        """`schedule` runs a callback at the end of this turn (`loop.call_soon`)."""
        self._schedule = schedule
        self._write: Callable[[], None] | None = None
        self._is_due = False
        self._ends: list[tuple[Callable[[bytes], None], bytes]] = []

    def __repr__(self) -> str:
        """Tell how many answers end in this turn."""
        return f"<Turn ends={len(self._ends)}>"

    def write_first(self, write: Callable[[], None]) -> None:
        """Call the journal's `write` at the end of this turn, before any answer ends: what a Journal schedules with."""
        self._write = write
        if not self._is_due:
            self._is_due = True
            self._schedule(self._run)

    def end(self, write: Callable[[bytes], None], data: bytes) -> None:
        """Call `write(data)` once everything journalled in this turn is written."""
        self._ends.append((write, data))
        if not self._is_due:
            self._is_due = True
            self._schedule(self._run)

    def _run(self) -> None:
        self._is_due = False
        write_journal, self._write = self._write, None
        if write_journal is not None:
            write_journal()
        ends, self._ends = self._ends, []
        for write, data in ends:
            write(data)
