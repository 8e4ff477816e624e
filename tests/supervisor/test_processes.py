"""Starting processes and learning of their end."""

import os
import signal
import sys
from pathlib import Path

import pytest

from sluicegate.supervisor.processes import end_in_words, reap, spawn


def start(program: str, *, inherited: tuple[int, ...] = (), environment: dict[str, str] | None = None) -> int:
    """Start a small Python program."""
    return spawn([sys.executable, "-S", "-c", program], environment or {}, inherited=inherited)


def end_of(process: int) -> int:
    """Wait for the end of one process; return its status."""
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    return dict(reap())[process]


def test_child_has_what_it_was_given() -> None:
    """A child has the environment and descriptors it was given and no other, and nothing to read."""
    reading, writing = os.pipe()
    other, another = os.pipe()
    program = (
        f"import os, sys; there = [str(n) for n in {(reading, writing, other, another)}"
        " if os.path.exists(f'/proc/self/fd/{n}')]\n"
        f"os.write({writing}, ' '.join([*there, os.environ['WORD'], repr(sys.stdin.read())]).encode())"
    )
    process = start(program, inherited=(writing,), environment={"WORD": "hello"})
    assert end_of(process) == 0
    assert os.read(reading, 100).decode().split() == [str(writing), "hello", "''"]
    assert not os.get_inheritable(writing)
    for descriptor in (reading, writing, other, another):
        os.close(descriptor)


def test_child_leads_its_own_session() -> None:
    """Signals of our terminal do not reach a child."""
    reading, writing = os.pipe()
    process = start(f"import os; os.write({writing}, str(os.getsid(0)).encode())", inherited=(writing,))
    end_of(process)
    assert int(os.read(reading, 100)) == process != os.getsid(0)
    os.close(reading)
    os.close(writing)


def test_child_can_be_signalled_whatever_we_ignore() -> None:
    """A signal that is ignored here ends a child as usual."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start("import os, signal; os.kill(os.getpid(), signal.SIGINT); signal.pause()")
        assert end_of(process) in (1, -signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_unstartable_program(tmp_path: Path) -> None:
    """A program that is not there raises, and no descriptor stays inheritable."""
    reading, writing = os.pipe()
    with pytest.raises(OSError, match="No such file"):
        spawn([str(tmp_path / "no")], {}, inherited=(writing,))
    assert not os.get_inheritable(writing)
    os.close(reading)
    os.close(writing)


def test_reap_without_children_or_ends() -> None:
    """Nothing is reported where nothing ended."""
    assert list(reap()) == []
    process = start("import signal; signal.pause()")
    assert list(reap()) == []
    os.kill(process, signal.SIGKILL)
    assert end_of(process) == -signal.SIGKILL


def test_process_id_is_kept_while_its_end_is_dealt_with() -> None:
    """A signal sent in answer to an end must not hit whoever gets the number next."""
    process = start("pass")
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    for ended, _ in reap():
        os.kill(ended, signal.SIGTERM)
    with pytest.raises(ProcessLookupError):
        os.kill(process, signal.SIGTERM)


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "exit status 0"), (3, "exit status 3"), (-9, "killed by SIGKILL"), (-99, "killed by signal 99")],
)
def test_end_is_worded(status: int, words: str) -> None:
    """An end is told as people know it."""
    assert end_in_words(status) == words
