"""What the gateway and dispatchers agree on."""

from pathlib import Path

from sluicegate.events.sinks.feeding import (
    checkpoint_path,
    checkpoints_of_sinks,
    consumer_name,
    lock_path,
    most_behind,
)


def test_checkpoints_are_found_by_sink(tmp_path: Path) -> None:
    """Those of sinks, whatever their names, and no other consumer's."""
    (tmp_path / "checkpoints").mkdir()
    paths = {name: checkpoint_path(tmp_path, name) for name in ("out", "sink-x")}
    for path in (*paths.values(), tmp_path / "checkpoints" / "metrics.json"):
        path.touch()
    assert checkpoints_of_sinks(tmp_path) == paths
    assert paths["out"] == tmp_path / "checkpoints" / "sink-out.json"
    assert lock_path(tmp_path, "out") == tmp_path / "checkpoints" / "sink-out.lock"


def test_names_are_of_sinks() -> None:
    """A sink that is called like another consumer is not taken for it."""
    assert consumer_name("metrics") == "sink-metrics"


def test_there_is_room_left() -> None:
    """It gives way before the journal is full."""
    assert most_behind(1000) == 750
