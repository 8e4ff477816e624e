"""A mock provider and gateways in front of it, each a real program."""

import socket
import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.e2e.program import SLUICEGATE, TOKEN, Gateway, environment

Start = Callable[..., Gateway]

_LONGEST_LOG = 20_000
"""Characters that are shown of what a gateway has logged."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the logs of the gateways that a failed test knew: what fails once in a hundred runs must tell why."""
    report = yield
    if report.failed and call.excinfo is not None:
        known = {id(value): value for entry in call.excinfo.traceback for value in entry.frame.f_locals.values()}
        gateways = [value for value in known.values() if isinstance(value, Gateway)]
        report.sections += [(f"what {gateway.data} said", repr(gateway)[-_LONGEST_LOG:]) for gateway in gateways]
    return report


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    """Start a mock provider on a socket that already listens, so that nobody waits for it; its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, number = listener.getsockname()[1], listener.fileno()
        command = [*SLUICEGATE, "mock", "--quiet", f"--fd={number}"]
        with subprocess.Popen(command, pass_fds=(number,), env=environment()) as process:
            yield f"http://127.0.0.1:{port}/v1"
            process.terminate()


@pytest.fixture
def configuration(tmp_path: Path, provider: str) -> Path:
    """Write a configuration with one provider, one token and any free port."""
    return written(tmp_path, provider)


def written(directory: Path, provider: str) -> Path:
    """The file of such a configuration, in this directory."""
    path = directory / "gateway.yaml"
    path.write_text(
        "server: {port: 0, drain_seconds: 8}\n"
        f"providers: {{mock: {{dialect: openai, base_url: '{provider}', api_key: key, proxy: none}}}}\n"
        f"tokens: [{{name: test, token: {TOKEN}}}]\n"
    )
    return path


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start gateways that end with the test."""
    yield from _starting(tmp_path)


@pytest.fixture(scope="module")
def start_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start gateways for tests that do not disturb each other: a start takes longer than most tests. Names differ."""
    yield from _starting(tmp_path_factory.mktemp("once"))


def _starting(directory: Path) -> Iterator[Start]:
    started: list[Gateway] = []

    def start(*flags: str, name: str = "node", **variables: str) -> Gateway:
        place = directory / name
        place.mkdir(exist_ok=True)
        started.append(Gateway(place, *flags, variables=variables))
        return started[-1]

    yield start
    for gateway in started:
        gateway.end()


@pytest.fixture
def gateway(start: Start, configuration: Path) -> Gateway:
    """Start a ready gateway of two workers."""
    return start(f"--config={configuration}", "--workers=2").until_ready()
