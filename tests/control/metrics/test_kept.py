"""The counters on disk."""

import asyncio
import stat
from pathlib import Path

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.metrics.kept import KeptCounters
from sluicegate.control.metrics.tally import Tally
from sluicegate.events.checkpoint import Checkpoint, Progress, kept_checkpoints
from tests.control.metrics.events import measured

HERE = Checkpoint({"000-a": Progress(1, 50)})


def test_counters_and_checkpoint_are_one_file(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """A successor goes on with both; whoever deletes old events reads the checkpoint alone."""
    path, tally = tmp_path / "checkpoints" / "metrics.json", Tally()
    kept = KeptCounters(path, tally, log=log)
    assert not kept.is_transactional
    assert asyncio.run(kept.load()) == Checkpoint()
    tally.add([measured()])
    asyncio.run(kept.store(HERE))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    successor = Tally()
    assert asyncio.run(KeptCounters(path, successor, log=log).load()) == HERE
    assert successor.kept() == tally.kept()
    assert kept_checkpoints(path.parent) == (HERE,)
    assert repr(kept) == f"<KeptCounters {path} <Tally requests=1 models=1>>"


def test_no_event_goes_before_it_was_counted(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """As soon as somebody counts there is a checkpoint that keeps all events."""
    asyncio.run(KeptCounters(tmp_path / "new" / "metrics.json", Tally(), log=log).load())
    assert kept_checkpoints(tmp_path / "new") == (Checkpoint(),)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"incarnations": 1}',
        b'{"incarnations": {"\xff": {}}}',
        b'{"incarnations": {}, "tally": {"counters": 1}}',
        b'{"incarnations": {}, "tally": {"counters": {"requests": [[["a", "b", "c", "d"], 5]]},'
        b' "histograms": {"overhead": {"bounds": [0.5], "observed": [{"key": [], "counts": [1], "total": 0.5}]}}}}',
    ],
)
def test_damaged_file_is_told(content: bytes, tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture) -> None:
    """It begins again with the oldest event, and nothing of the file is taken."""
    path, tally = tmp_path / "metrics.json", Tally()
    path.write_bytes(content)
    assert asyncio.run(KeptCounters(path, tally, log=log).load()) == Checkpoint()
    assert tally.kept() == Tally().kept()
    [entry] = captured.entries
    assert (entry["event"], entry["log_level"]) == ("metrics begin again with the oldest event", "error")


def test_a_plain_checkpoint_has_no_counters(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """What was kept without any counts from there on."""
    path, tally = tmp_path / "metrics.json", Tally()
    path.write_bytes(b'{"incarnations": {"000-a": {"number": 1, "offset": 50}}}')
    assert asyncio.run(KeptCounters(path, tally, log=log).load()) == HERE
    assert tally.kept() == Tally().kept()


def test_failure_to_read_counts_nothing(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """It may be tried again, and then nothing is counted twice."""
    (tmp_path / "metrics.json").mkdir()
    tally = Tally()
    with pytest.raises(OSError, match="Is a directory"):
        asyncio.run(KeptCounters(tmp_path / "metrics.json", tally, log=log).load())
    assert tally.kept() == Tally().kept()
