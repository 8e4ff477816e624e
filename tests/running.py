"""What tests start and end: everything that has `start` and `remove` is used in a `with` block."""

from contextlib import ExitStack
from types import TracebackType
from typing import Protocol, Self


class Running(Protocol):
    """Started at the beginning of the block, removed at its end, also where the start fails."""

    def start(self) -> None:
        """Start it; it may be started again after it was ended."""

    def remove(self) -> None:
        """End it, if it runs, and leave nothing."""

    def __enter__(self) -> Self:
        """Start it."""
        with ExitStack() as undo:
            undo.callback(self.remove)
            self.start()
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove it."""
        self.remove()
