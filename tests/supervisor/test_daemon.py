"""Going into the background: the starter learns how it went and exits with it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sluicegate.supervisor.daemon import log_path, report_here
from tests.e2e.polling import eventually

PROGRAM = """
import os, sys
from pathlib import Path
from sluicegate.supervisor.daemon import detach
report = detach(Path(sys.argv[1]))
print("in the log", os.getpid(), os.getsid(0), repr(sys.stdin.read()), flush=True)
{then}
"""


def run(log_file: Path, then: str) -> subprocess.CompletedProcess[str]:
    """Run a program that detaches and then does something; its starter's end."""
    command = [sys.executable, "-c", PROGRAM.format(then=then), str(log_file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(("named", "expected"), [(None, "sluicegate.log"), ("", "sluicegate.log"), ("a/b", "a/b")])
def test_log_is_named_in_full(named: str | None, expected: str) -> None:
    """Whoever is told of the log may be elsewhere by then."""
    assert log_path(named) == Path.cwd() / expected


def test_starter_exits_with_the_report(tmp_path: Path) -> None:
    """The starter waits for the report, prints it and exits 0; the daemon lives on in a session without a terminal."""
    done = run(tmp_path / "log", 'report(0, "ready"); import signal; signal.pause()')
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")
    first = (tmp_path / "log").read_text().split()
    daemon, session = int(first[3]), int(first[4])
    assert daemon != session
    assert first[5] == "''"
    os.kill(daemon, signal.SIGKILL)


def test_refusal_is_an_error_of_the_starter(tmp_path: Path) -> None:
    """What the daemon refuses is printed to the starter's standard error, and its status is the starter's."""
    done = run(tmp_path / "log", 'report(2, "address in use")')
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "address in use\n")


def test_silent_end_is_told(tmp_path: Path) -> None:
    """A daemon that ends without a report leaves the starter with an error that names the log."""
    done = run(tmp_path / "log", "os._exit(0)")
    assert (done.returncode, done.stderr) == (
        2,
        f"the gateway ended while it started; see {tmp_path}/log\n",
    )


def test_unwritable_log_is_an_error_before_anything(tmp_path: Path) -> None:
    """A log that cannot be written is told while there is still somebody to tell it to."""
    done = run(tmp_path / "no" / "log", "")
    assert "FileNotFoundError" in done.stderr


def test_starter_that_left_stops_nothing(tmp_path: Path) -> None:
    """A report that nobody waits for is dropped."""
    program = PROGRAM.format(then="").replace(
        "report = detach", "os.write = lambda *_: (_ for _ in ()).throw(BrokenPipeError())\nreport = detach"
    )
    command = [sys.executable, "-c", program + 'report(0, "ready"); print("went on", flush=True)']
    subprocess.run([*command, str(tmp_path / "log")], capture_output=True, check=False, timeout=60)
    # The starter ends when nobody can tell it anything any more; the daemon goes on beside it.
    eventually(lambda: "went on" in (tmp_path / "log").read_text())


@pytest.mark.parametrize(("status", "stream"), [(0, "out"), (2, "err")])
def test_report_of_the_foreground(status: int, stream: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In the foreground good news goes to standard output and bad news to standard error."""
    report_here(status, "news")
    assert getattr(capsys.readouterr(), stream) == "news\n"
