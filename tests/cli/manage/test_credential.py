"""Where secrets come from, and where a new one goes."""

import io
import stat
from pathlib import Path

import pytest

from sluicegate.cli.manage.credential import is_from_standard_input, management_token, new_file, secret
from sluicegate.cli.manage.failure import ManageError


class Terminal(io.StringIO):
    """A standard input at which somebody sits."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> str:
    """What somebody at a terminal types, unseen."""
    monkeypatch.setattr("sys.stdin", Terminal())
    # What getpass does with a terminal cannot be had without one.
    monkeypatch.setattr("getpass.getpass", lambda *_, **__: "typed-secret")
    return "typed-secret"


def test_management_token_of_every_kind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A value, a file, or standard input."""
    path = tmp_path / "token"
    path.write_text("from-a-file\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("from-input\r\n"))
    assert management_token("as-it-is") == "as-it-is"
    assert management_token(f"file:{path}") == "from-a-file"
    assert management_token("-") == "from-input"


def test_management_token_is_asked_for(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """At a terminal, where nothing was given; the question is not in the way of the output."""
    assert management_token(None) == typed
    shown = capsys.readouterr()
    assert (shown.out, shown.err[:16]) == ("", "Management token")


def test_management_token_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal nobody is asked, and the ways to give one are told."""
    monkeypatch.setattr("sys.stdin", io.StringIO("not-read"))
    with pytest.raises(ManageError, match="MANAGEMENT_TOKEN"):
        management_token("")


def test_secret_is_asked_for(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """At a terminal, without being shown."""
    assert secret(None, "the key") == typed
    assert capsys.readouterr().err.startswith("The key")


@pytest.mark.parametrize("text", ["", "\n", "two\nlines", " blank", "umlaut-ä", "tab\tbed"])
def test_what_is_no_secret(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot stand in a header, or was empty, is refused and not repeated."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    with pytest.raises(ManageError, match="the key must be printable ASCII") as raised:
        secret("-", "the key")
    assert not text.strip() or text.strip() not in str(raised.value)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is not there, or no text, is named."""
    with pytest.raises(ManageError, match="nowhere: No such file"):
        secret(f"file:{tmp_path}/nowhere", "the key")
    (tmp_path / "image").write_bytes(b"\xff\xd8")
    with pytest.raises(ManageError, match="image: not a text"):
        secret(f"file:{tmp_path}/image", "the key")


def test_new_file(tmp_path: Path) -> None:
    """It is there, for its owner alone, before the secret is, and stays if it was written."""
    path = tmp_path / "new"
    with new_file(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.write_text("secret")
    assert path.read_text() == "secret"
    with new_file(None):
        pass


def test_new_file_that_was_not_written(tmp_path: Path) -> None:
    """It goes again."""
    path = tmp_path / "new"
    with pytest.raises(LookupError), new_file(path):
        raise LookupError
    assert not path.exists()


def test_new_file_is_new(tmp_path: Path) -> None:
    """Nothing is written over, nothing is written through a link."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in (tmp_path, tmp_path / "link", tmp_path / "no" / "folder"):
        with pytest.raises(ManageError), new_file(path):
            raise AssertionError
    assert not (tmp_path / "elsewhere").exists()


def test_standard_input_is_recognised() -> None:
    """A dash stands for it."""
    assert is_from_standard_input("-")
    assert not is_from_standard_input("file:-")
    assert not is_from_standard_input(None)
