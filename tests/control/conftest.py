"""What several tests of the control process start from: a configuration file, a clock, and log lines to look at."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.config.layers import Overrides
from sluicegate.control.configuration import Configuration
from sluicegate.control.context import Context
from sluicegate.control.loading import Sources
from sluicegate.control.workers import Workers
from sluicegate.dialects.table import DIALECTS

MINIMAL = """
management_token: management-secret
providers:
  first: {dialect: openai, base_url: "http://127.0.0.1:9001/v1", api_key: sk-provider-secret}
tokens:
  - {name: lan, token: caller-secret}
"""

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

WriteSources = Callable[[str], Sources]


@pytest.fixture
def captured() -> LogCapture:
    """Log lines as dictionaries, in `entries`."""
    return LogCapture()


@pytest.fixture
def log(captured: LogCapture) -> FilteringBoundLogger:
    """A log whose lines end up in `captured`."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        None, processors=[captured], wrapper_class=structlog.make_filtering_bound_logger(0)
    )
    return logger


@pytest.fixture
def write(tmp_path: Path) -> WriteSources:
    """Write a text to the configuration file; return the sources that read it."""

    def write_it(text: str) -> Sources:
        path = tmp_path / "sluicegate.yaml"
        path.write_text(text)
        return Sources(path, {}, Overrides(port=0, data_dir=tmp_path / "data"), DIALECTS)

    return write_it


@pytest.fixture
def now() -> Callable[[], datetime]:
    """A clock that stands."""
    return lambda: NOW


@pytest.fixture
def context(write: WriteSources, now: Callable[[], datetime], log: FilteringBoundLogger) -> Context:
    """What the routes can reach, on the minimal configuration in version 1."""
    sources = write(MINIMAL)
    compiled = sources.load(1)
    configuration = Configuration(
        started=compiled,
        current=compiled,
        load=sources.load,
        keep=lambda started, current: None,
        now=now,
        log=log,
    )
    return Context(configuration, Workers(now=now), sources.described)
