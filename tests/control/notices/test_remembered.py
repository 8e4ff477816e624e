"""What was told is remembered, as long as it matters, over restarts."""

from pathlib import Path

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.notices.remembered import Remembered


class Clock:
    """Set by hand."""

    now = 1_000


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


def test_key_is_new_once_until_its_end(tmp_path: Path, clock: Clock, log: FilteringBoundLogger) -> None:
    """Then it is new once more; and at once where it is forgotten."""
    remembered = Remembered(tmp_path / "f", now=lambda: clock.now, log=log)
    assert [remembered.is_new("a", 2_000), remembered.is_new("a", 2_000), remembered.is_new("b", 2_000)] == [
        True,
        False,
        True,
    ]
    clock.now = 1_999
    assert not remembered.is_new("a", 3_000)
    clock.now = 2_000
    assert remembered.is_new("a", 3_000)
    remembered.forget("a")
    remembered.forget("never heard of")
    assert remembered.is_new("a", 3_000)


def test_successor_knows_it(tmp_path: Path, clock: Clock, log: FilteringBoundLogger, captured: LogCapture) -> None:
    """What is over is not stored, and nothing is taken where nothing has changed."""
    path = tmp_path / "f"
    remembered = Remembered(path, now=lambda: clock.now, log=log)
    assert remembered.take() is None
    remembered.is_new("a", 2_000)
    remembered.is_new("b", 3_000)
    clock.now = 2_000
    taken = remembered.take()
    assert taken is not None
    assert remembered.take() is None
    remembered.store(taken)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["f"]
    successor = Remembered(path, now=lambda: 0, log=log)
    assert repr(successor) == "<Remembered 1>"
    assert (successor.is_new("b", 5), successor.is_new("a", 5)) == (False, True)
    assert captured.entries == []


def test_forgetting_is_a_change(tmp_path: Path, clock: Clock, log: FilteringBoundLogger) -> None:
    """The successor shall know that as well."""
    remembered = Remembered(tmp_path / "f", now=lambda: clock.now, log=log)
    remembered.is_new("a", 2_000)
    remembered.take()
    remembered.forget("a")
    assert remembered.take() == b'{"told":{}}'


def test_too_much_is_forgotten_by_its_end(tmp_path: Path, clock: Clock, log: FilteringBoundLogger) -> None:
    """Beyond the bound, what is over goes, and then what would be forgotten next."""
    remembered = Remembered(tmp_path / "f", now=lambda: clock.now, log=log, most=10)
    for number in range(11):
        remembered.is_new(str(number), 2_000 + number)
    assert repr(remembered) == "<Remembered 9>"
    assert [name for name in map(str, range(11)) if remembered.is_new(name, 1)] == ["0", "1"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"told": 1}', b"\xff"])
def test_damaged_file_is_told_and_passed_over(
    tmp_path: Path, content: bytes, log: FilteringBoundLogger, captured: LogCapture
) -> None:
    """Everything is new then."""
    (tmp_path / "f").write_bytes(content)
    remembered = Remembered(tmp_path / "f", now=lambda: 0, log=log)
    assert remembered.is_new("a", 1)
    [entry] = captured.entries
    assert entry["event"] == "notices may be told twice: it cannot be read which were told"
