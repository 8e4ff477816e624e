"""How a sink says what went wrong."""

from sluicegate.events.sinks.base import PartialError, TransientError


def test_errors_say_why_and_how_long() -> None:
    """Their text is the reason; what is to be done stands beside it."""
    assert (str(TransientError("busy", retry_after=3.0)), TransientError("busy").retry_after) == ("busy", None)
    partial = PartialError("half", again=[2], refused={0: "bad"}, retry_after=0.0)
    assert (str(partial), partial.again, partial.refused, partial.retry_after) == ("half", (2,), {0: "bad"}, 0.0)
    assert PartialError("nothing left").refused == {}
