"""What the kernel tells about a process tree is added up, and what is gone is not missed."""

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from sluicegate.bench.measure import Memory, machine, memory, process_tree, processor_seconds, used_between


def write_process(
    proc: Path, number: int, parent: int, *, ticks: int = 0, threads: Mapping[int, int] | None = None
) -> None:
    """A process as /proc shows it; its name is as bad as names can be."""
    own = proc / str(number)
    own.mkdir()
    fields = ["S", str(parent), *["0"] * 9, str(ticks), str(ticks), *["0"] * 10]
    (own / "stat").write_text(f"{number} (a) (b) {' '.join(fields)}\n")
    (own / "smaps_rollup").write_text("0-1 ---p 00000000 00:00 0 [rollup]\nRss: 10 kB\nPss: 4 kB\nLocked: 1 kB\n")
    for thread, nanoseconds in (threads or {}).items():
        (own / "task" / str(thread)).mkdir(parents=True)
        (own / "task" / str(thread) / "schedstat").write_text(f"{nanoseconds} 5 6\n")


def test_tree_is_added_up(tmp_path: Path) -> None:
    """A process, its children and theirs are counted, and nobody else."""
    for number, parent in ((10, 1), (11, 10), (12, 11), (13, 1)):
        write_process(tmp_path, number, parent)
    (tmp_path / "self").mkdir()
    assert process_tree(10, tmp_path) == {10, 11, 12}
    assert memory(10, tmp_path) == Memory(30, 12)


def test_time_of_threads(tmp_path: Path) -> None:
    """Nanoseconds of all threads count, and ticks where the kernel has nothing better."""
    write_process(tmp_path, 10, 1, ticks=1, threads={10: 1_500_000_000, 14: 500_000_000})
    write_process(tmp_path, 11, 10, ticks=os.sysconf("SC_CLK_TCK"))
    assert processor_seconds(10, tmp_path) == {10: 2.0, 11: 2.0}


def test_process_that_is_gone(tmp_path: Path) -> None:
    """A process that ends while we look costs nothing and is in no tree."""
    (tmp_path / "10").mkdir()
    assert process_tree(10, tmp_path) == set()
    assert (processor_seconds(10, tmp_path), memory(10, tmp_path)) == ({}, Memory(0, 0))
    write_process(tmp_path, 11, 1)
    (tmp_path / "11" / "smaps_rollup").unlink()
    assert memory(11, tmp_path) == Memory(0, 0)


def test_time_between() -> None:
    """New processes count from their start, ended ones not at all."""
    assert used_between({1: 1.0, 2: 5.0}, {1: 1.5, 3: 0.25}) == {1: 0.5, 3: 0.25}


def test_real_processes() -> None:
    """A real child is found below us, with time used and memory held."""
    command = [sys.executable, "-c", "import sys; sum(range(10**6)); print('ready', flush=True); sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in process_tree(os.getpid())
        assert processor_seconds(child.pid)[child.pid] > 0.001
        found = memory(child.pid)
        assert found.rss >= found.pss > 1000
        child.communicate()


def test_machine(tmp_path: Path) -> None:
    """The machine is described, as far as it describes itself."""
    now = datetime(2026, 1, 2, tzinfo=UTC)
    (tmp_path / "cpuinfo").write_text("processor: 0\nmodel name : Abacus 9\n")
    (tmp_path / "meminfo").write_text("MemTotal: 2048 kB\n")
    found = machine(now, tmp_path)
    assert (found.date, found.processor, found.memory) == ("2026-01-02T00:00:00+00:00", "Abacus 9", 2)
    assert found.cores >= 1
    (tmp_path / "cpuinfo").unlink()
    (tmp_path / "meminfo").unlink()
    assert machine(now, tmp_path).memory == 0
    assert machine(now, tmp_path).processor
