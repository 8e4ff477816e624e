"""Checkpoints as JSON and as a file."""

import os
import stat
from pathlib import Path

import pytest

from sluicegate.events.checkpoint import (
    Checkpoint,
    CheckpointDamagedError,
    CheckpointFile,
    Progress,
    Waiting,
    decoded,
    encoded,
    kept_checkpoints,
)

CHECKPOINT = Checkpoint({"000-a": Progress(3, 120, (Waiting("req_1", 2, 17),)), "001-b": Progress(1, 0)})


def test_survives_json() -> None:
    """What is encoded decodes to the same, from bytes or from a database's text."""
    assert decoded(encoded(CHECKPOINT)) == CHECKPOINT
    assert decoded(encoded(CHECKPOINT).decode()) == CHECKPOINT


def test_has_a_stable_form() -> None:
    """Stored checkpoints outlive a version: their form is part of the program's promise."""
    expected = (
        b'{"incarnations":{"000-a":{"number":3,"offset":120,"waiting":[["req_1",2,17]]},'
        b'"001-b":{"number":1,"offset":0}}}'
    )
    assert encoded(CHECKPOINT) == expected


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"incarnations":{"a":3}}', b"\xff", b'{"incarnations":{"\xff":{}}}']
)
def test_refuses_what_is_no_checkpoint(data: bytes) -> None:
    """A damaged checkpoint is an error of its own, never an empty one: that would account everything twice."""
    with pytest.raises(CheckpointDamagedError, match="not a checkpoint"):
        decoded(data)


def test_missing_file_is_the_beginning(tmp_path: Path) -> None:
    """A new consumer has read nothing."""
    assert CheckpointFile(tmp_path / "sink.json").load() == Checkpoint()


def test_file_keeps_the_last(tmp_path: Path) -> None:
    """What is stored replaces what was; nothing else is left in the directory, and only the owner may read it."""
    file = CheckpointFile(tmp_path / "sink.json")
    file.store(Checkpoint())
    file.store(CHECKPOINT)
    assert file.load() == CHECKPOINT
    assert [each.name for each in tmp_path.iterdir()] == ["sink.json"]
    assert stat.S_IMODE((tmp_path / "sink.json").stat().st_mode) == 0o600


def test_the_directory_is_made(tmp_path: Path) -> None:
    """With those above it, for its owner alone; and nothing stays open."""
    before = len(os.listdir("/dev/fd"))
    file = CheckpointFile(tmp_path / "data" / "sinks" / "sink.json")
    file.store(CHECKPOINT)
    assert file.load() == CHECKPOINT
    assert stat.S_IMODE((tmp_path / "data" / "sinks").stat().st_mode) == 0o700
    assert len(os.listdir("/dev/fd")) == before


def test_unfinished_store_changes_nothing(tmp_path: Path) -> None:
    """What a crash left of a store is neither read nor in the way of the next one."""
    file = CheckpointFile(tmp_path / "sink.json")
    file.store(CHECKPOINT)
    (tmp_path / ".sink.json.new").write_bytes(b'{"incarnations":' + b" " * 1000)
    assert file.load() == CHECKPOINT
    file.store(Checkpoint())
    assert file.load() == Checkpoint()


def test_refused_store_leaves_the_old(tmp_path: Path) -> None:
    """Where the new one cannot be written, the old one stands."""
    file = CheckpointFile(tmp_path / "sink.json")
    file.store(CHECKPOINT)
    (tmp_path / ".sink.json.new").mkdir()
    with pytest.raises(IsADirectoryError):
        file.store(Checkpoint())
    assert file.load() == CHECKPOINT


def test_damaged_file_is_named(tmp_path: Path) -> None:
    """The error says which file to look at."""
    path = tmp_path / "sink.json"
    path.write_bytes(b"oops")
    with pytest.raises(CheckpointDamagedError, match=r"sink\.json: not a checkpoint"):
        CheckpointFile(path).load()


def test_repr_tells_the_file(tmp_path: Path) -> None:
    """A log line can name the store."""
    assert repr(CheckpointFile(tmp_path / "x")) == f"<CheckpointFile {tmp_path}/x>"


def test_checkpoints_of_a_directory(tmp_path: Path) -> None:
    """All consumers' are found; a damaged one counts as that of a consumer that has read nothing."""
    assert kept_checkpoints(tmp_path / "checkpoints") == ()
    CheckpointFile(tmp_path / "a.json").store(CHECKPOINT)
    (tmp_path / "b.json").write_text("{")
    (tmp_path / ".c.json.new").write_text("{")
    (tmp_path / ".d.json").write_text("{")
    assert kept_checkpoints(tmp_path) == (CHECKPOINT, Checkpoint())
