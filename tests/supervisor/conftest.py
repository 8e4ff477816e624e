"""What several tests of the supervisor start from."""

from pathlib import Path

import pytest

from sluicegate.control.channel import Plan


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Make the plan of a node with two workers on any free port."""
    return Plan(
        host="127.0.0.1",
        port=0,
        workers=2,
        certificate=None,
        key=None,
        data_dir=str(tmp_path / "data"),
        drain_seconds=5.0,
        source="a test",
    )
