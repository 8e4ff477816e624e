"""How quickly a control process reads events, measured small."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluicegate.bench import consumers
from sluicegate.bench.consumers import exchanges, write_segments
from sluicegate.config.environment import process_environment
from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.reader import SegmentReader

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_every_consumer_of_a_node_is_watched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real node reads a small journal; each of its consumers is a row, and the last row is what all cost."""
    arguments = ["--events", "2000", "--output", str(tmp_path)]
    assert consumers.main(arguments, process_environment(), NOW) in {0, 1}
    assert capsys.readouterr().err == ""
    rows = json.loads((tmp_path / "2026-01-02-consumers.json").read_bytes())["rows"]
    assert {"limits", "request-log", "token-uses", "all"} <= {row["name"] for row in rows}
    assert {row["events"] for row in rows} == {2000}
    assert rows[-1]["name"] == "all"
    assert rows[-1]["microseconds_per_event"] > 0
    assert "| request-log | 2000 |" in (tmp_path / "2026-01-02-consumers.md").read_text("utf-8")


def test_a_node_that_does_not_start_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, with its own words."""
    environment = {**process_environment(), "SLUICEGATE_DATABASE": "nonsense"}
    assert consumers.main(["--events", "1"], environment, NOW) == 1
    assert "did not become ready" in capsys.readouterr().err


def test_the_journal_is_one_that_can_be_read(tmp_path: Path) -> None:
    """In as many segments as a worker would make."""
    paths = write_segments(tmp_path / "events", 100_001, NOW)
    assert len(paths) == 2
    batch = SegmentReader(tmp_path / "events").read(Checkpoint(), 10)
    assert list(batch.events) == list(exchanges(10, NOW))
    assert batch.damages == ()
