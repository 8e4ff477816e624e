"""What is taken off the seconds that other tests measure: what a stall took, and nothing else."""

import time
from collections.abc import Callable

import pytest

from tests.e2e.polling import eventually
from tests.e2e.stalls import SLACK, Lost, Stalls, seconds_until


class Doing:
    """Takes so many seconds each time it is done, of a clock of its own."""

    def __init__(self, *seconds: float) -> None:
        """Take these, one after the other."""
        self.now = 100.0
        self.within: Callable[[], object] | None = None
        self._seconds = iter(seconds)

    def __call__(self) -> None:
        """Let time pass, and call what is to be called within it."""
        self.now += next(self._seconds)
        if self.within is not None:
            self.within()


def lost(doing: Doing) -> Lost:
    """What is lost by it."""
    return Lost(doing, lambda: doing.now)


def test_what_takes_long_is_lost() -> None:
    """Each time but for the little that it may take; what is in time loses nothing."""
    doing = Doing(SLACK / 2, SLACK + 3.0, 0.0, SLACK + 0.5)
    measured = lost(doing)
    told = []
    for _ in range(4):
        measured.again()
        told.append(measured.seconds)
    assert told == pytest.approx([0.0, 3.0, 3.0, 3.5])


def test_what_still_lasts_is_lost_already() -> None:
    """Who asks in the middle of a stall is told of it, and of no more when it is over."""
    doing = Doing(SLACK + 1.0, SLACK + 2.0)
    measured = lost(doing)
    measured.again()
    told = []
    doing.within = lambda: told.append(measured.seconds)
    measured.again()
    assert [*told, measured.seconds] == pytest.approx([3.0, 3.0])


def test_seconds_until() -> None:
    """A condition is asked until it holds; one that holds soon takes no second of a machine that does not stall."""
    answers = iter((False, False, True))
    assert seconds_until(lambda: next(answers)) < 1.0
    assert [*answers] == []


def test_a_machine_that_does_nothing_else() -> None:
    """What is lost is never more than what has gone by, in both threads together."""
    began = time.monotonic()
    with Stalls() as stalls:
        eventually(lambda: time.monotonic() - began > 5 * SLACK)
        assert 0.0 <= stalls.seconds <= 2 * (time.monotonic() - began)
