"""What several tests of the control process start from: a configuration file, a clock, and log lines to look at."""

import os
from collections.abc import Callable, Iterator
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
from tests.control.api import Api, Lent, copied, migrated
from tests.control.bench import Bench
from tests.control.vault import Vault

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


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, to be copied."""
    return migrated(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def lent() -> Lent:
    """The application of all tests, with each test's own context."""
    return Lent()


@pytest.fixture
def api(
    write: WriteSources,
    now: Callable[[], datetime],
    log: FilteringBoundLogger,
    template: Path,
    tmp_path: Path,
    lent: Lent,
) -> Iterator[Api]:
    """The management API on the minimal configuration in version 1, and on a new database."""
    sources = write(MINIMAL)
    compiled = sources.load(1)

    def configuration() -> Configuration:
        return Configuration(
            started=compiled,
            current=compiled,
            load=sources.load,
            keep=lambda started, current: None,
            now=now,
            log=log,
        )

    directory = copied(template, tmp_path / "database")
    made = Api(directory, configuration, Workers(now=now), source=sources.described, application=lent)
    yield made
    made.close()


@pytest.fixture
def context(api: Api) -> Context:
    """What the routes can reach."""
    return api.context


@pytest.fixture
def vault(template: Path, tmp_path: Path) -> Iterator[Vault]:
    """The use cases on a new database, without the web around them."""
    made = Vault(copied(template, tmp_path / "database"))
    yield made
    made.close()


@pytest.fixture
def bench(tmp_path: Path, write: WriteSources, log: FilteringBoundLogger, template: Path) -> Iterator[Bench]:
    """Everything around a control process, on a database of its own."""
    copied(template, tmp_path / "data")
    bench = Bench(tmp_path, write, MINIMAL, log)
    yield bench
    bench.supervisor.close()
    for listener in (bench.channel, *bench.listeners):
        listener.close()
    os.close(bench.memory)
