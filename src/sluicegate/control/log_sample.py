"""Which of the lines that repeat are written."""

from collections.abc import Callable, Hashable

from sluicegate.config.schema.logs import LogSample

MOST_KINDS = 1_000
"""Kinds of lines that are told apart; beyond it all begin anew, so that texts that never repeat take no memory."""


class _Kind:
    """The lines of one kind in the present period, and how many were left out since the last that was written."""

    __slots__ = ("began", "left_out", "seen")

    def __init__(self, began: float) -> None:
        self.began = began
        self.seen = 0
        self.left_out = 0


class Sampling:
    """Counts lines by kind. Lines may come from several threads: then a count may be off by one, and nothing breaks."""

    __slots__ = ("_clock", "_kinds", "settings")

    def __init__(self, settings: LogSample, *, clock: Callable[[], float]) -> None:
        """`clock` gives monotonic seconds. `settings` may be replaced at any time."""
        self.settings = settings
        self._clock = clock
        self._kinds: dict[Hashable, _Kind] = {}

    def __repr__(self) -> str:
        """Tell how many kinds are known."""
        return f"<Sampling kinds={len(self._kinds)}>"

    def look(self, kind: Hashable) -> int | None:
        """None: this line is to be left out. Else it is to be written, with how many like it were left out before."""
        now = self._clock()
        known = self._kinds.get(kind)
        if known is None:
            if len(self._kinds) >= MOST_KINDS:
                self._kinds.clear()
            known = self._kinds[kind] = _Kind(now)
        settings = self.settings
        if now - known.began >= settings.seconds:
            known.began, known.seen = now, 0
        known.seen += 1
        beyond = known.seen - settings.first
        if beyond > 0 and beyond % settings.every:
            known.left_out += 1
            return None
        left_out, known.left_out = known.left_out, 0
        return left_out
