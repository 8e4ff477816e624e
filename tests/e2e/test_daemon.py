"""Starting, asking and stopping a gateway from the command line, as scripts do."""

import os
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Start, written
from tests.e2e.held import Held
from tests.e2e.polling import PATIENCE
from tests.e2e.program import Gateway, is_alive, run


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Name a data directory whose gateway, if any, is killed at the end."""
    directory = tmp_path / "data"
    yield directory
    pid_file = directory / "run" / "sluicegate.pid"
    if pid_file.exists():
        os.kill(int(pid_file.read_text()), signal.SIGKILL)


def test_daemon_is_ready_when_the_command_returns(tmp_path: Path, data: Path) -> None:
    """`serve --daemon` returns 0 with the address; health and stop then do what they say, each with its status."""
    log, pid_file = tmp_path / "log", tmp_path / "pid"
    arguments = ["--demo", "--daemon", "--port=0", f"--data-dir={data}", f"--log-file={log}", f"--pid-file={pid_file}"]
    started = run("serve", *arguments)
    assert started.returncode == 0, started.stderr + log.read_text()
    url = next(line.split()[-1] for line in started.stdout.splitlines() if line.strip().startswith("address"))
    assert run("health", f"--url={url}", f"--timeout={PATIENCE}").returncode == 0
    process = int(pid_file.read_text())
    assert run("stop", f"--pid-file={pid_file}").returncode == 0
    assert not is_alive(process)
    assert not pid_file.exists()
    assert run("health", f"--url={url}").returncode == 1
    assert run("stop", f"--data-dir={data}").returncode == 1


def test_stop_says_when_it_takes_longer(start: Start, tmp_path: Path) -> None:
    """A gateway that still drains after the timeout is status 3, and goes on draining."""
    with Held() as provider:
        gateway = start(f"--config={written(tmp_path, provider.url)}", "--drain-seconds=60").until_ready()
        stream = gateway.stream(gateway.connection())
        assert run("stop", f"--data-dir={gateway.data}", "--timeout=0.2").returncode == 3
        provider.may_go_on.set()
        assert stream.read().endswith(b"data: [DONE]\n\n")
        assert gateway.wait() == 0


@pytest.mark.parametrize("flags", [(), ("--daemon",)])
def test_address_in_use_is_told(flags: tuple[str, ...], tmp_path: Path, data: Path) -> None:
    """Status 2 and the address, in the foreground as in the background; nothing stays behind."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        arguments = ["--demo", f"--port={port}", f"--data-dir={data}", f"--log-file={tmp_path / 'log'}", *flags]
        done = run("serve", *arguments)
    assert done.returncode == 2
    assert f"address already in use: 127.0.0.1:{port}" in done.stderr
    assert list((data / "run").iterdir()) == []


def test_second_gateway_on_the_same_data_is_refused(start: Start, tmp_path: Path) -> None:
    """It is told who is there, and the first one notices nothing."""
    first = start("--demo", "--port=0").until_ready()
    second = start("--demo", "--port=0", f"--data-dir={tmp_path / 'node' / 'data'}", name="second")
    assert second.wait() == 2
    assert f"already running as process {first.supervisor}" in repr(second)
    assert first.answers(first.announced("token")) == 200


def test_broken_configuration_is_told_at_once(tmp_path: Path, data: Path) -> None:
    """Every problem on a line, status 2, and no data directory."""
    file = tmp_path / "a.yaml"
    file.write_text("surprise: 1\nserver: {port: many}\n")
    done = run("serve", f"--config={file}", f"--data-dir={data}")
    assert done.returncode == 2
    assert "surprise" in done.stderr
    assert "server.port" in done.stderr
    assert not data.exists()


def test_wrong_flag_is_told() -> None:
    """A value out of range is a usage error before anything starts."""
    assert run("serve", "--port=65536").returncode == 2


def test_demo_command_works_when_pasted(start: Start) -> None:
    """The announcement's last line is a request that is answered."""
    gateway = start("--demo", "--port=0").until_ready()
    command = next(line for line in gateway.output.splitlines() if line.startswith("curl "))
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False, timeout=60)
    assert '"choices"' in done.stdout


def test_idle_supervisor_is_small(start: Start, configuration: Path) -> None:
    """It does nothing, and takes next to nothing for it."""
    gateway = start(f"--config={configuration}").until_ready()
    assert resident(gateway.supervisor) < 25_000_000


def test_start_needs_no_second_attempt(gateway: Gateway) -> None:
    """Three processes, each started once: nothing died on the way, so no pause was waited for."""
    assert gateway.logged("process died") == []
    assert len(gateway.logged("process started")) == 3


def resident(process: int) -> int:
    """Resident memory in bytes."""
    fields = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(field.split()[1] for field in fields if field.startswith("VmRSS:"))) * 1024
