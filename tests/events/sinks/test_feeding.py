"""What the gateway and dispatchers agree on."""

import fcntl
from pathlib import Path

from sluicegate.events.sinks.feeding import (
    checkpoint_path,
    checkpoints_of_sinks,
    consumer_name,
    is_locked,
    is_taken,
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


def test_names_are_of_sinks() -> None:
    """A sink that is called like another consumer is not taken for it."""
    assert consumer_name("metrics") == "sink-metrics"


def test_there_is_room_left() -> None:
    """It gives way before the journal is full."""
    assert most_behind(1000) == 750


def test_who_runs_has_locked_its_file(tmp_path: Path) -> None:
    """As long as it runs, and no longer; to look takes nobody's place."""
    path = lock_path(tmp_path, "out")
    assert (path, is_locked(path)) == (tmp_path / "checkpoints" / "sink-out.lock", False)
    path.parent.mkdir()
    with path.open("w") as lock:
        assert not is_locked(path)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert is_locked(path)
    assert not is_locked(path)


def test_whoever_only_looks_is_waited_for(tmp_path: Path) -> None:
    """The file is ours once that is over; who has it for good is told apart by not letting go."""
    path, pauses = tmp_path / "lock", list[float]()
    with path.open("w") as ours:
        with path.open("w") as looking:
            fcntl.flock(looking, fcntl.LOCK_SH)

            def look_away(seconds: float) -> None:
                pauses.append(seconds)
                fcntl.flock(looking, fcntl.LOCK_UN)

            assert is_taken(ours.fileno(), pause=look_away)
        assert (len(pauses), is_locked(path)) == (1, True)
        with path.open("w") as other:
            assert not is_taken(other.fileno(), pause=pauses.append)
        assert len(pauses) == 11
