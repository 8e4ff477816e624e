"""`sluicegate stop`: exit status 0 when it has stopped, 1 when none runs, 3 when it takes longer."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sluicegate.cli.main import COMMANDS, main

HOLDER = """
import os, signal, sys
from pathlib import Path
from sluicegate.supervisor.pid_file import PidFile
{handler}
held = PidFile(Path(sys.argv[1]), os.getpid())
print("held", flush=True)
while True:
    signal.pause()
"""
STUBBORN = "signal.signal(signal.SIGTERM, lambda *_: None)"

Hold = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Hold]:
    """Start a process that holds a pid file, as a supervisor does."""
    started: list[subprocess.Popen[str]] = []

    def hold(path: Path, handler: str = "") -> subprocess.Popen[str]:
        path.parent.mkdir(parents=True, exist_ok=True)
        program = [sys.executable, "-c", HOLDER.format(handler=handler), str(path)]
        process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        with process:
            pass


def stop(*arguments: str) -> int:
    """Exit status of the command."""
    with pytest.raises(SystemExit) as ended:
        main(["stop", *arguments], commands=COMMANDS)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_node_is_stopped(hold: Hold, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The supervisor named in the data directory gets SIGTERM, and its end is waited for."""
    process = hold(tmp_path / "run" / "sluicegate.pid")
    assert stop(f"--data-dir={tmp_path}") == 0
    assert process.wait(0) == -15
    assert capsys.readouterr().out == f"stopped process {process.pid}\n"


def test_other_pid_file(hold: Hold, tmp_path: Path) -> None:
    """A pid file can be named in place of the data directory."""
    process = hold(tmp_path / "other.pid")
    assert stop(f"--pid-file={tmp_path}/other.pid") == 0
    assert process.wait(0) == -15


@pytest.mark.parametrize("left", [None, "1\n", ""])
def test_nothing_to_stop(left: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a pid file, or with one that a crash left behind, nobody is signalled and the exit status is 1."""
    path = tmp_path / "a.pid"
    if left is not None:
        path.write_text(left)
    assert stop(f"--pid-file={path}") == 1
    assert capsys.readouterr().err == f"no gateway runs: nobody holds {path}\n"


def test_held_file_without_a_number(hold: Hold, tmp_path: Path) -> None:
    """A node that has not yet written its number is not guessed at."""
    process = hold(tmp_path / "a.pid")
    (tmp_path / "a.pid").write_text("")
    assert stop(f"--pid-file={tmp_path}/a.pid") == 1
    assert process.poll() is None


def test_unreadable_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be read is told."""
    (tmp_path / "file").touch()
    assert stop(f"--pid-file={tmp_path}/file/a.pid") == 1
    assert "cannot stop it: " in capsys.readouterr().err


def test_slow_end_is_told(hold: Hold, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A node that still drains after the timeout leaves exit status 3, and goes on draining."""
    process = hold(tmp_path / "a.pid", STUBBORN)
    assert stop(f"--pid-file={tmp_path}/a.pid", "--timeout=0.01") == 3
    assert f"process {process.pid} has been told to stop" in capsys.readouterr().err
    assert process.poll() is None
