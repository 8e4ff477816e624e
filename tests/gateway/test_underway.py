"""The table of what is under way, as a file."""

import errno
import os
import stat
from pathlib import Path

import pytest

from sluicegate.domain.underway import PLACE_BYTES, taken_places
from sluicegate.gateway.underway import NO_PLACE, Table


def noted(path: Path) -> list[bytes]:
    """The entries that are in the file."""
    return [entry.rstrip(b"\0") for entry in taken_places(path.read_bytes())]


def test_what_is_put_is_in_the_file_at_once(tmp_path: Path) -> None:
    """Without any call that would write it; what is cleared is not."""
    path = tmp_path / "table"
    table = Table(path, places=4)
    first, second = table.put(b"first"), table.put(b"second")
    assert noted(path) == [b"first", b"second"]
    table.clear(first)
    assert noted(path) == [b"second"]
    assert (table.taken, stat.S_IMODE(path.stat().st_mode)) == (1, 0o600)
    assert repr(table) == "<Table table taken=1 of 4>"
    assert table.put(b"third") == first
    assert second != first


def test_all_of_it_is_allotted(tmp_path: Path) -> None:
    """A full disk cannot be met when something is stored."""
    Table(tmp_path / "table", places=4)
    status = (tmp_path / "table").stat()
    assert status.st_size == 4 * PLACE_BYTES
    assert status.st_blocks * 512 >= status.st_size


def test_there_is_no_place(tmp_path: Path) -> None:
    """For one more than there are places, and for what is longer than one."""
    table = Table(tmp_path / "table", places=1)
    assert table.put(b"x" * PLACE_BYTES) == NO_PLACE
    assert table.put(b"x" * (PLACE_BYTES - 1)) != NO_PLACE
    assert table.put(b"y") == NO_PLACE


@pytest.mark.parametrize("is_cleared", [True, False])
def test_it_stays_where_something_is_in_it(tmp_path: Path, *, is_cleared: bool) -> None:
    """Somebody else must tell of that."""
    table = Table(tmp_path / "table", places=1)
    place = table.put(b"x")
    if is_cleared:
        table.clear(place)
    table.close()
    assert (tmp_path / "table").exists() is not is_cleared


def test_a_table_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    """No file that would be taken for one."""
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        Table(tmp_path / "table", places=0)
    assert list(tmp_path.iterdir()) == []
