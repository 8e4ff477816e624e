"""Of lines that repeat only some are written."""

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.config.schema.logs import LogSample
from sluicegate.control.log_sample import MOST_KINDS, Sampling


class Clock:
    """Set by hand."""

    now = 0.0


def sampling(clock: Clock, *, first: int = 2, every: int = 3) -> Sampling:
    """Periods of a second."""
    return Sampling(LogSample(first=first, every=every, seconds=1.0), clock=lambda: clock.now)


def test_first_of_a_period_and_some_of_the_rest() -> None:
    """Each that is written says how many were not since the one before."""
    made = sampling(Clock())
    assert [made.look("a") for _ in range(9)] == [0, 0, None, None, 2, None, None, 2, None]


def test_next_period_begins_anew() -> None:
    """Its first line tells what was left out at the end of the last."""
    clock = Clock()
    made = sampling(clock)
    assert [made.look("a") for _ in range(4)] == [0, 0, None, None]
    clock.now = 0.999
    assert made.look("a") == 2
    assert made.look("a") is None
    clock.now = 1.0
    assert [made.look("a") for _ in range(3)] == [1, 0, None]


def test_kinds_are_counted_apart() -> None:
    """A rare line is never left out for a frequent one."""
    made = sampling(Clock(), first=1)
    assert [made.look(kind) for kind in "abaab"] == [0, 0, None, None, None]
    assert repr(made) == "<Sampling kinds=2>"


def test_settings_may_be_replaced() -> None:
    """They hold from the next line on; with 1, everything is written."""
    made = sampling(Clock(), first=1)
    assert [made.look("a"), made.look("a")] == [0, None]
    made.settings = LogSample(first=1, every=1)
    assert [made.look("a"), made.look("a")] == [1, 0]


def test_memory_is_bounded() -> None:
    """Texts that never repeat do not pile up."""
    made = sampling(Clock())
    for number in range(MOST_KINDS + 1):
        assert made.look(number) == 0
    assert repr(made) == "<Sampling kinds=1>"


@given(st.lists(st.floats(0, 5)), st.integers(1, 5), st.integers(1, 5))
def test_nothing_is_lost_of_the_count(moments: list[float], first: int, every: int) -> None:
    """Lines written and lines told as left out are all lines but those left out since the last that was written."""
    clock = Clock()
    made = sampling(clock, first=first, every=every)
    told = waiting = 0
    for moment in sorted(moments):
        clock.now = moment
        found = made.look("a")
        waiting += 1
        if found is not None:
            assert found + 1 == waiting
            told += waiting
            waiting = 0
    assert told + waiting == len(moments)
