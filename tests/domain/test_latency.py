"""Latency as it is believed: risen at once, fallen slowly."""

from math import exp

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from sluicegate.domain.latency import PeakEwma

NOW = 1_000.0


def test_nothing_is_known_at_first() -> None:
    """0.0 until something was seen; then that."""
    latency = PeakEwma()
    assert latency.value(NOW) == 0.0
    latency.observe(0.2, NOW)
    assert latency.value(NOW) == 0.2
    assert repr(latency) == "<PeakEwma 0.200000 s at 1000.0>"


def test_a_peak_is_believed_at_once() -> None:
    """One slow answer after many fast ones is the value."""
    latency = PeakEwma()
    for step in range(1_000):
        latency.observe(0.1, NOW + step / 100)
    latency.observe(5.0, NOW + 10)
    assert latency.value(NOW + 10) == 5.0


def test_it_falls_slowly() -> None:
    """Fast answers after a peak bring it down to theirs in a few times the decay, not at once."""
    latency = PeakEwma(decay=10.0)
    latency.observe(5.0, NOW)
    for step in range(1, 601):
        latency.observe(0.1, NOW + step / 10)
        assert latency.value(NOW + step / 10) == pytest.approx(0.1 + 4.9 * exp(-step / 100))


def test_it_fades_when_nothing_is_seen() -> None:
    """One that was slow and is no longer asked comes back into the choice."""
    latency = PeakEwma(decay=10.0)
    latency.observe(5.0, NOW)
    assert latency.value(NOW + 10) == pytest.approx(5.0 / exp(1))
    assert latency.value(NOW + 100) < 0.001


def test_an_older_moment_is_now() -> None:
    """A moment before the last observation makes nothing grow."""
    latency = PeakEwma()
    latency.observe(1.0, NOW)
    assert latency.value(NOW - 100) == 1.0
    latency.observe(0.5, NOW - 100)
    assert latency.value(NOW) <= 1.0


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(0.001, 100), st.floats(0, 30)), min_size=1, max_size=30))
def test_it_lies_between_what_was_seen(observed: list[tuple[float, float]]) -> None:
    """Right after an observation it is not below it, nor above the highest ever."""
    latency, now = PeakEwma(), NOW
    for seconds, step in observed:
        now += step
        latency.observe(seconds, now)
        assert seconds <= latency.value(now) <= max(each for each, _ in observed) * (1 + 1e-9)
