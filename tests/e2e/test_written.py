"""Files are read as they are at some moment, whatever the program does to them at that moment."""

import socket
from pathlib import Path

import pytest

from tests.e2e.written import contents, lines, replace


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"", []),
        (b"{", []),
        (b"{}\n", ["{}"]),
        (b'{}\n{"a', ["{}"]),
        ("{}\n\u00fc".encode()[:-1], ["{}"]),
        (b"{}\n[]\n", ["{}", "[]"]),
    ],
)
def test_half_a_line_is_none(tmp_path: Path, data: bytes, wanted: list[str]) -> None:
    """Nor is one whose last letter has come in part."""
    file = tmp_path / "f"
    file.write_bytes(data)
    assert lines(file) == wanted


def test_what_is_gone_has_no_content(tmp_path: Path) -> None:
    """A file that was listed and is there no more holds up no other; what is no file is left out."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "f").write_bytes(b"x")
    (tmp_path / "gone").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert contents(tmp_path) == {tmp_path / "below" / "f": b"x"}


def test_nobody_sees_half_of_what_is_replaced(tmp_path: Path) -> None:
    """Who has the file open has all that was there before; who opens it then, all that is there now."""
    file = tmp_path / "f"
    file.write_text("before")
    with file.open() as opened:
        replace(file, "now")
        assert (opened.read(), file.read_text(), [*tmp_path.iterdir()]) == ("before", "now", [file])
