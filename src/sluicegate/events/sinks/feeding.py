"""What the gateway and dispatchers agree on: under which name a sink is fed, where it is kept how far it has come, how
far it may be behind, and what the dispatcher that runs keeps locked.
"""

from pathlib import Path
from typing import Final

_PREFIX: Final = "sink-"


def consumer_name(sink: str) -> str:
    """What the journal's consumer is called that feeds a sink; its checkpoint has this name too."""
    return _PREFIX + sink


def checkpoint_path(data_dir: Path, sink: str) -> Path:
    """Where it is kept how far a sink has come, whoever feeds it."""
    return data_dir / "checkpoints" / f"{consumer_name(sink)}.json"


def lock_path(data_dir: Path, sink: str) -> Path:
    """What the one dispatcher of a sink on this data directory keeps locked (`flock`) as long as it runs."""
    return checkpoint_path(data_dir, sink).with_suffix(".lock")


def checkpoints_of_sinks(data_dir: Path) -> dict[str, Path]:
    """Those that there are, by sink."""
    found = (data_dir / "checkpoints").glob(f"{_PREFIX}*.json")
    return {path.stem.removeprefix(_PREFIX): path for path in found}


def most_behind(retention_bytes: int) -> int:
    """Bytes that a sink may be behind in a journal of this bound: beyond it its oldest events are set aside."""
    return retention_bytes * 3 // 4
