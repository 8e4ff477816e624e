"""The supervisor's log lines."""

import io
import json
from datetime import UTC, datetime

from sluicegate.supervisor.log import Log


class Terminal(io.StringIO):
    """A stream that calls itself a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


class Closed(io.StringIO):
    """A stream whose terminal has been closed."""

    def flush(self) -> None:
        """Fail as the kernel does."""
        raise OSError(5, "Input/output error")


def now() -> datetime:
    """One moment."""
    return datetime(2026, 11, 21, 7, 0, 4, 30_000, tzinfo=UTC)


def test_json_where_no_terminal_is() -> None:
    """A program that reads gets one JSON object a line."""
    stream = io.StringIO()
    log = Log(stream, now=now)
    log("info", "process started", name="control", pid=7)
    assert json.loads(stream.getvalue()) == {
        "timestamp": "2026-11-21T07:00:04.030Z",
        "level": "info",
        "process": "supervisor",
        "event": "process started",
        "name": "control",
        "pid": 7,
    }
    assert repr(log) == "<Log json>"


def test_words_on_a_terminal() -> None:
    """People get a line they can read."""
    stream = Terminal()
    Log(stream, now=now)("error", "process died", name="control")
    assert stream.getvalue() == "07:00:04 error   process died name=control\n"


def test_closed_terminal_stops_nothing() -> None:
    """A line that cannot be written is lost, and nothing else."""
    Log(Closed(), now=now)("info", "stopping")
