"""A mock provider and gateways in front of it, each a real program."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.program import SLUICEGATE, TOKEN, Gateway, environment

Start = Callable[..., Gateway]


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    """Start a mock provider; its base URL."""
    command = [*SLUICEGATE, "mock", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout
        yield process.stdout.readline().split()[-1]
        process.terminate()


@pytest.fixture
def configuration(tmp_path: Path, provider: str) -> Path:
    """Write a configuration with one provider, one token and any free port."""
    path = tmp_path / "gateway.yaml"
    path.write_text(
        "server: {port: 0, drain_seconds: 8}\n"
        f"providers: {{mock: {{dialect: openai, base_url: '{provider}', api_key: key, proxy: none}}}}\n"
        f"tokens: [{{name: test, token: {TOKEN}}}]\n"
    )
    return path


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start gateways that end with the test."""
    started: list[Gateway] = []

    def start(*flags: str, name: str = "node", **variables: str) -> Gateway:
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        started.append(Gateway(directory, *flags, variables=variables))
        return started[-1]

    yield start
    for gateway in started:
        gateway.end()


@pytest.fixture
def gateway(start: Start, configuration: Path) -> Gateway:
    """Start a ready gateway of two workers."""
    return start(f"--config={configuration}", "--workers=2").until_ready()
