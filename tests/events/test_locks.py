"""Files that are locked by whoever writes to them, or runs."""

import fcntl
from pathlib import Path

from sluicegate.events.locks import is_locked, is_taken


def test_who_runs_has_locked_its_file(tmp_path: Path) -> None:
    """As long as it runs, and no longer; to look takes nobody's place."""
    path = tmp_path / "lock"
    assert is_locked(path) is None
    with path.open("w") as lock:
        assert is_locked(path) is False
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert is_locked(path) is True
    assert is_locked(path) is False


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
