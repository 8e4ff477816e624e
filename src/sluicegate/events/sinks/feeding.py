"""What the gateway and dispatchers agree on: under which name a sink is fed, where it is kept how far it has come, how
far it may be behind, and how it is seen that a dispatcher runs.
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

_PREFIX: Final = "sink-"
_TRIES: Final = 10
_MOMENT: Final = 0.1
"""Seconds between two of them: nobody looks that long."""


def consumer_name(sink: str) -> str:
    """What the journal's consumer is called that feeds a sink; its checkpoint has this name too."""
    return _PREFIX + sink


def checkpoint_path(data_dir: Path, sink: str) -> Path:
    """Where it is kept how far a sink has come, whoever feeds it."""
    return data_dir / "checkpoints" / f"{consumer_name(sink)}.json"


def lock_path(data_dir: Path, sink: str) -> Path:
    """What the one dispatcher of a sink on this data directory keeps locked (`flock`) as long as it runs."""
    return checkpoint_path(data_dir, sink).with_suffix(".lock")


def is_locked(path: Path) -> bool:
    """Whether somebody has locked a file; where there is none, nobody has. Raises OSError.

    It is held for a moment meanwhile, which `is_taken` knows.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def is_taken(file: int, *, pause: Callable[[float], None]) -> bool:
    """Lock an open file for as long as it is open; False where somebody else has it, and not just looks at it."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pause(_MOMENT)
        else:
            return True
    return False


def checkpoints_of_sinks(data_dir: Path) -> dict[str, Path]:
    """Those that there are, by sink."""
    found = (data_dir / "checkpoints").glob(f"{_PREFIX}*.json")
    return {path.stem.removeprefix(_PREFIX): path for path in found}


def most_behind(retention_bytes: int) -> int:
    """Bytes that a sink may be behind in a journal of this bound: beyond it its oldest events are set aside."""
    return retention_bytes * 3 // 4
