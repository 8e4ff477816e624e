"""Signs of life."""

import mmap
import os
from itertools import pairwise

import pytest

from sluicegate.wire.pulse import PULSE_BYTES, Pulse


def test_a_beat_changes_its_byte_alone() -> None:
    """From 0 on, and never back to it: that is who has not begun."""
    memory = mmap.mmap(-1, PULSE_BYTES)
    pulse = Pulse(memory, 3)
    seen = [memory[3]]
    for _ in range(600):
        pulse.beat()
        seen.append(memory[3])
    assert seen[0] == 0 not in seen[1:]
    assert all(before != after for before, after in pairwise(seen))
    assert memory[:3] == bytes(3)
    assert memory[4:8] == bytes(4)
    assert repr(pulse) == "<Pulse 3>"


def test_it_is_named_by_descriptor_and_place() -> None:
    """As in a command line; what is no such thing is refused."""
    descriptor = os.memfd_create("test")
    os.ftruncate(descriptor, PULSE_BYTES)
    Pulse.of(f"{descriptor}:7").beat()
    assert os.pread(descriptor, 9, 0) == bytes(7) + b"\1" + bytes(1)
    os.close(descriptor)
    with pytest.raises(ValueError, match="invalid literal"):
        Pulse.of("memory")
