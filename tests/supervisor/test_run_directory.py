"""The directory of a running node."""

import os
import stat
from pathlib import Path

import pytest

from sluicegate.supervisor.pid_file import AlreadyRunningError
from sluicegate.supervisor.run_directory import LONGEST_SOCKET_PATH, PID_FILE, RunDirectory, recorded_address


def made(data_dir: Path, short: Path) -> RunDirectory:
    """Make a run directory of process 7."""
    return RunDirectory(data_dir, process=7, short_dirs=(Path("/nonexistent"), short), salt="salt")


def long_directory(tmp_path: Path) -> Path:
    """Name a data directory whose sockets would have too long a path."""
    return tmp_path / ("x" * LONGEST_SOCKET_PATH)


def test_directory_is_for_the_owner_only(tmp_path: Path) -> None:
    """Whoever reaches the sockets can rule the node; a directory that was open to others is closed."""
    (tmp_path / "run").mkdir(mode=0o755)
    directory = RunDirectory(tmp_path, process=7, short_dirs=(), salt="")
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    assert (directory.path / PID_FILE).read_text() == "7\n"
    directory.remove()


def test_directory_is_held_by_one(tmp_path: Path) -> None:
    """A second node on the same data is refused and harms nothing."""
    directory = made(tmp_path, tmp_path)
    with pytest.raises(AlreadyRunningError):
        made(tmp_path, tmp_path)
    assert (directory.path / PID_FILE).exists()
    directory.remove()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """Sockets, even those that a killed control left, and the pid file are removed."""
    directory = made(tmp_path / "d", tmp_path)
    directory.sockets.link.touch()
    directory.sockets.http.touch()
    directory.tell_address("http://127.0.0.1:1")
    assert (directory.path / "address").read_text() == "http://127.0.0.1:1\n"
    directory.remove()
    assert list(directory.path.iterdir()) == []


def test_long_path_gets_a_short_place(tmp_path: Path) -> None:
    """A socket can be bound however deep the data directory lies, and the place is private and removed at the end."""
    short = tmp_path / "s"
    short.mkdir()
    directory = made(long_directory(tmp_path), short)
    place = directory.sockets.link.parent
    assert place == short / "sluicegate-salt"
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert str(place) in repr(directory)
    directory.remove()
    assert not place.exists()
    assert list(directory.path.iterdir()) == []


def test_short_place_of_a_crashed_node_is_removed(tmp_path: Path) -> None:
    """The next start clears away what was recorded."""
    short = tmp_path / "s"
    short.mkdir()
    crashed = made(long_directory(tmp_path), short)
    crashed.sockets.link.touch()
    os.close(crashed._pid_file._descriptor)
    again = RunDirectory(long_directory(tmp_path), process=8, short_dirs=(short,), salt="other")
    assert sorted(path.name for path in short.iterdir()) == ["sluicegate-other"]
    again.remove()


def test_record_of_a_foreign_place_is_not_trusted(tmp_path: Path) -> None:
    """A record that names something else removes nothing but itself."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "sockets").write_text(str(precious))
    made(tmp_path, tmp_path).remove()
    assert precious.exists()
    assert not (tmp_path / "run" / "sockets").exists()


def test_address_of_the_data_directory(tmp_path: Path) -> None:
    """It is what the gateway wrote; without a record there is none."""
    assert recorded_address(tmp_path) is None
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "address").write_text("https://127.0.0.1:8443\n")
    assert recorded_address(tmp_path) == "https://127.0.0.1:8443"
    (tmp_path / "run" / "address").write_text("\n")
    assert recorded_address(tmp_path) is None
    (tmp_path / "run" / "address").write_bytes(b"\xff")
    assert recorded_address(tmp_path) is None


def test_only_what_one_user_wrote(tmp_path: Path) -> None:
    """A record of somebody else names nobody."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "address").write_text("http://127.0.0.1:9090")
    assert recorded_address(tmp_path, by=os.geteuid()) == "http://127.0.0.1:9090"
    assert recorded_address(tmp_path, by=os.geteuid() + 1) is None
