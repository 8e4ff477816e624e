"""Who shows that it lives."""

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from sluicegate.supervisor.processes import reap, spawn
from sluicegate.supervisor.pulses import Pulses, is_held_up
from sluicegate.wire.pulse import Pulse
from tests.e2e.polling import eventually


@pytest.fixture
def pulses() -> Iterator[Pulses]:
    """Memory in which nobody has a place."""
    pulses = Pulses()
    yield pulses
    pulses.close()


def test_who_beats_between_two_looks_is_not_still(pulses: Pulses) -> None:
    """Each for itself."""
    first, second = (Pulse.of(pulses.begin(name)) for name in ("first", "second"))
    first.beat()
    second.beat()
    assert (pulses.is_still("first"), pulses.is_still("second")) == (False, False)
    first.beat()
    assert (pulses.is_still("first"), pulses.is_still("second")) == (False, True)
    assert (pulses.is_still("first"), pulses.is_still("second")) == (True, True)
    assert repr(pulses) == "<Pulses first second>"


def test_who_has_not_begun_is_not_still(pulses: Pulses) -> None:
    """It is being started, or has no pulse at all; nor is who takes the place of one that was still."""
    pulse = Pulse.of(pulses.begin("first"))
    assert [pulses.is_still(name) for name in ("first", "first", "mock")] == [False, False, False]
    pulse.beat()
    pulses.is_still("first")
    assert pulses.is_still("first")
    pulses.begin("first")
    assert not pulses.is_still("first")


def test_who_is_stopped_or_gone_is_held_up() -> None:
    """What runs is not: it could go on."""
    process = spawn([sys.executable, "-S", "-c", "import signal; signal.pause()"], {}, inherited=())
    # It may wait for the disk, from which it is read.
    eventually(lambda: not is_held_up(process))
    os.kill(process, signal.SIGSTOP)
    os.waitid(os.P_PID, process, os.WSTOPPED)
    assert is_held_up(process)
    os.kill(process, signal.SIGKILL)
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    assert is_held_up(process)
    list(reap())
    assert is_held_up(process)
