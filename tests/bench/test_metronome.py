"""The metronome beats as often as time says, however seldom one looks."""

import os
import select
import time

import pytest

from sluicegate.bench.metronome import Metronome


def test_beats_add_up() -> None:
    """Intervals that have passed are counted once each, and there are never more than time allows."""
    began = time.perf_counter()
    with Metronome(0.001) as metronome:
        counted = 0
        while counted < 20:
            select.select([metronome.descriptor], [], [])
            counted += metronome.beats()
        assert counted <= (time.perf_counter() - began) / 0.001


def test_no_beat_yet() -> None:
    """Before the first interval is over there is nothing to count, and the descriptor is closed at the end."""
    with Metronome(1000) as metronome:
        assert metronome.beats() == 0
        assert repr(metronome) == f"<Metronome descriptor={metronome.descriptor}>"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(metronome.descriptor)


def test_shortest_interval() -> None:
    """An interval below what the kernel knows still beats."""
    with Metronome(1e-12) as metronome:
        select.select([metronome.descriptor], [], [])
        assert metronome.beats() > 0
