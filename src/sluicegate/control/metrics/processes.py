"""What the system knows of a process (proc(5)): asked of the kernel, the process has nothing to do with it."""

import os
from pathlib import Path

from msgspec import Struct

PROC = Path("/proc")


class ProcessFacts(Struct, frozen=True):
    """Of one process, from its start. `started` is Unix seconds."""

    cpu_seconds: float
    resident_bytes: int
    open_files: int
    started: float


def process_facts(process: int, proc: Path = PROC) -> ProcessFacts | None:
    """What is known of this process; None where it is gone, or where no such thing is told."""
    directory = proc / str(process)
    try:
        # Its name, in brackets, may hold spaces and brackets.
        fields = (directory / "stat").read_text().rpartition(")")[2].split()
        open_files = len(os.listdir(directory / "fd"))
        booted = _booted((proc / "stat").read_text())
    except OSError:
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    # In the order of proc_pid_stat(5), whose third field is the first here.
    return ProcessFacts(
        cpu_seconds=(int(fields[11]) + int(fields[12])) / ticks,
        resident_bytes=int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        open_files=open_files,
        started=booted + int(fields[19]) / ticks,
    )


def _booted(stat: str) -> int:
    """Unix seconds of the machine's start; 0 where it does not say."""
    return next((int(line.split()[1]) for line in stat.splitlines() if line.startswith("btime ")), 0)
