"""Which node this is."""

from pathlib import Path

import pytest

from sluicegate.control.limits.identity import FILE, NodeIdError, holder_of, incarnation_of, node_id


def test_name_is_made_once(tmp_path: Path) -> None:
    """A node is the same after every start, whatever could be made up then; the file is its owner's alone."""
    assert node_id(tmp_path, random=lambda size: b"\x01" * size) == "01" * 8
    assert node_id(tmp_path, random=lambda size: b"\x02" * size) == "01" * 8
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("content", ["", "0101", "../../../etc/aaaa", "é" * 16])
def test_damaged_name_is_not_replaced(content: str, tmp_path: Path) -> None:
    """A node that took another name would leave what it holds behind: somebody must decide that."""
    (tmp_path / FILE).write_text(content)
    with pytest.raises(NodeIdError, match="restore it, or delete it"):
        node_id(tmp_path, random=lambda size: b"\x01" * size)


def test_holder_names_node_and_run() -> None:
    """Both are read back."""
    assert holder_of("n", "000-a") == "n/000-a"
    assert incarnation_of("n/000-a") == "000-a"
