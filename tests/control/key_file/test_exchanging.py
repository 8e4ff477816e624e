"""Two files change places in one step."""

from pathlib import Path

import pytest

from sluicegate.control.key_file.exchanging import exchange


def test_two_files_change_places(tmp_path: Path) -> None:
    """Each name stands for what the other one did."""
    one, other = tmp_path / "one", tmp_path / "ö ther"
    one.write_text("1")
    other.write_text("2")
    assert exchange(one, other) is True
    assert (one.read_text(), other.read_text()) == ("2", "1")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """There is nothing to change places with; the one that is there stays."""
    one = tmp_path / "one"
    one.write_text("1")
    with pytest.raises(FileNotFoundError, match="other"):
        exchange(one, tmp_path / "other")
    assert one.read_text() == "1"


def test_where_it_cannot_be_done_it_is_no_error(tmp_path: Path) -> None:
    """Some file systems do not know it: that is told apart from a failure."""
    (tmp_path / "sub").mkdir()
    # A directory and what is in it cannot change places: EINVAL, as from a file system that cannot do it at all.
    inside = tmp_path / "sub" / "inside"
    inside.write_text("2")
    assert exchange(tmp_path / "sub", inside) is False
    assert inside.read_text() == "2"


def test_an_older_system_cannot_do_it(tmp_path: Path) -> None:
    """A C library without the call is no error either."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    other.write_text("2")
    assert exchange(one, other, library=object()) is False
    assert (one.read_text(), other.read_text()) == ("1", "2")
