"""A program under the lifeline ends when the supervisor does."""

import os
import subprocess
import sys
from pathlib import Path

from sluicegate.supervisor import lifeline

PROGRAM = """
import signal, sys
{handler}
print("running", *sys.argv[1:], __name__, flush=True)
signal.pause()
signal.pause()
"""
POLITE = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"


def start(tmp_path: Path, program: str) -> tuple[subprocess.Popen[str], int]:
    """A program beneath the watcher, and the end of the lifeline that keeps it alive."""
    (tmp_path / "program.py").write_text(program)
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "sluicegate.supervisor.lifeline", str(reading), "program", "--fd=3"],
        cwd=tmp_path,
        pass_fds=(reading,),
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(reading)
    return process, writing


def test_program_is_asked_to_end(tmp_path: Path) -> None:
    """The program runs with its own arguments, as if started by itself, and gets SIGTERM when the lifeline is cut."""
    process, kept = start(tmp_path, PROGRAM.format(handler=POLITE))
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running --fd=3 __main__\n"
        os.close(kept)
        assert process.wait(10) == 7


def test_cut_lifeline_calls_once() -> None:
    """What is written to a lifeline means nothing, only its end does."""
    reading, writing = os.pipe()
    calls: list[str] = []
    watching = lifeline.watch(reading, lambda: calls.append("cut"))
    os.write(writing, b"nonsense")
    assert calls == []
    os.close(writing)
    watching.join(10)
    assert calls == ["cut"]
    os.close(reading)
