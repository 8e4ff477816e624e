"""What the system knows of processes."""

import os
from pathlib import Path

from sluicegate.control.metrics.processes import ProcessFacts, process_facts


def written(proc: Path, *, boot: str = "btime 1700000000\n") -> Path:
    """A /proc with one process in it, whose name was chosen to confuse."""
    fields = ["0"] * 50
    fields[0], fields[11], fields[12], fields[19], fields[21] = "S", "150", "50", "1000", "3"
    (proc / "7" / "fd").mkdir(parents=True)
    (proc / "7" / "fd" / "0").touch()
    (proc / "7" / "stat").write_text(f"7 (a ) b (c) {' '.join(fields)}\n")
    (proc / "stat").write_text(f"cpu 1 2 3\n{boot}processes 9\n")
    return proc


def test_facts_are_read_as_the_manual_has_them(tmp_path: Path) -> None:
    """Ticks become seconds, pages become bytes, and the start is told by the calendar."""
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    assert process_facts(7, written(tmp_path)) == ProcessFacts(200 / ticks, 3 * page, 1, 1_700_000_000 + 1000 / ticks)


def test_machine_without_a_start(tmp_path: Path) -> None:
    """Where it is not told, times count from it."""
    facts = process_facts(7, written(tmp_path, boot=""))
    assert facts is not None
    assert facts.started == 1000 / os.sysconf("SC_CLK_TCK")


def test_nothing_is_known_of_who_is_gone(tmp_path: Path) -> None:
    """Nor on a system that tells no such thing."""
    assert process_facts(8, written(tmp_path)) is None
    assert process_facts(8, tmp_path / "nowhere") is None


def test_this_process_is_known() -> None:
    """On this machine it has used some time and memory, and has files open."""
    facts = process_facts(os.getpid())
    assert facts is not None
    assert facts.cpu_seconds > 0
    assert facts.resident_bytes > 1_000_000
    assert facts.open_files >= 3
    assert facts.started > 1_600_000_000
