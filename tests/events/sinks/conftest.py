"""Dead letters in a directory, and log lines to look at."""

from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.events.sinks.dead_letters import DeadLetters
from tests.events.sinks.contract import NOW


@pytest.fixture
def dead(tmp_path: Path) -> DeadLetters:
    """Where what is given up goes."""
    return DeadLetters(tmp_path / "dead" / "x.jsonl", largest_bytes=1_000_000, now=lambda: NOW)


@pytest.fixture
def captured() -> LogCapture:
    """The log lines of a test."""
    return LogCapture()


@pytest.fixture
def log(captured: LogCapture) -> FilteringBoundLogger:
    """A logger whose lines are captured."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        None, processors=[captured], wrapper_class=structlog.make_filtering_bound_logger(0)
    )
    return logger
