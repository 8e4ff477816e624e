"""What a program costs: processor time, memory and machine, as the kernel tells them in /proc.

A program is a whole process tree, since proxies divide their work among processes differently.
"""

import os
import platform
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

_PROC = Path("/proc")
_PARENT, _USER_TIME, _SYSTEM_TIME = 1, 11, 12
"""Fields of /proc/PID/stat after the name, counted from 0 (proc_pid_stat(5) counts from 1, name included)."""


class Memory(msgspec.Struct, frozen=True):
    """Kilobytes of 1024 bytes. `rss` counts shared pages once for each process, `pss` only a share of them."""

    rss: int
    pss: int


class Machine(msgspec.Struct, frozen=True):
    """What the numbers were measured on."""

    date: str
    processor: str
    cores: int
    kernel: str
    python: str
    memory: int
    """Megabytes."""


def process_tree(root: int, proc: Path = _PROC) -> set[int]:
    """Process `root` and all its descendants."""
    parents = dict(_parents(proc))
    tree = {root} & parents.keys()
    fresh = tree
    while fresh:
        fresh = {process for process, parent in parents.items() if parent in fresh} - tree
        tree = tree | fresh
    return tree


def processor_seconds(root: int, proc: Path = _PROC) -> dict[int, float]:
    """User and system time that each process of the tree has used so far; children that have ended are not in it.

    The kernel tells nanoseconds for each thread in `schedstat`, where it was built to, else ticks of 10 ms for each
    process in `stat`.
    """
    return {process: _precise_seconds(proc / str(process)) for process in process_tree(root, proc)}


def used_between(before: Mapping[int, float], after: Mapping[int, float]) -> dict[int, float]:
    """What each process that is there `after` has used since `before`."""
    return {process: seconds - before.get(process, 0.0) for process, seconds in after.items()}


def memory(root: int, proc: Path = _PROC) -> Memory:
    """Memory of the whole tree now."""
    found = [_rollup(proc / str(process)) for process in process_tree(root, proc)]
    return Memory(sum(one["Rss"] for one in found), sum(one["Pss"] for one in found))


def machine(now: datetime, proc: Path = _PROC) -> Machine:
    """Describe where we run."""
    models = [line for line in _lines(proc / "cpuinfo") if line.startswith("model name")]
    total = next((line for line in _lines(proc / "meminfo") if line.startswith("MemTotal")), "MemTotal: 0 kB")
    return Machine(
        now.isoformat(timespec="seconds"),
        models[0].partition(":")[2].strip() if models else platform.machine(),
        len(os.sched_getaffinity(0)),
        platform.release(),
        platform.python_version(),
        int(total.split()[1]) // 1024,
    )


def _parents(proc: Path) -> Iterator[tuple[int, int]]:
    for path in proc.iterdir():
        if path.name.isdigit() and (fields := _stat(path)):
            yield int(path.name), int(fields[_PARENT])


def _precise_seconds(process: Path) -> float:
    nanoseconds = 0
    for thread in process.glob("task/*/schedstat"):
        nanoseconds += int((_lines(thread) or ["0"])[0].split()[0])
    if nanoseconds:
        return nanoseconds / 1e9
    fields = _stat(process)
    if not fields:
        return 0.0
    return (int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])) / os.sysconf("SC_CLK_TCK")


def _stat(process: Path) -> list[str]:
    """Fields after the name, which stands in brackets and may hold anything; none if the process is gone."""
    return "".join(_lines(process / "stat")).rpartition(")")[2].split()


def _rollup(process: Path) -> dict[str, int]:
    rows = (line.split() for line in _lines(process / "smaps_rollup"))
    found = {row[0].rstrip(":"): int(row[1]) for row in rows if len(row) == 3 and row[2] == "kB"}
    return {"Rss": 0, "Pss": 0} | found


def _lines(path: Path) -> list[str]:
    """Lines of a file of the kernel; none if what it tells about is gone."""
    try:
        return path.read_text("utf-8").splitlines()
    except OSError:
        return []
