"""Control's own segments: read like those of workers, whatever the disk does meanwhile."""

import os
from pathlib import Path
from typing import Any

import pytest

from sluicegate.domain.events import Exchange, Notice
from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.notices import NoticeSegments
from sluicegate.events.reader import Batch, SegmentReader
from sluicegate.events.segments import is_abandoned
from sluicegate.events.tail import ALL_EVENTS


def notice(name: str) -> Notice:
    """A notice whose only interesting property is its name."""
    return Notice(name, "2026-11-21T10:00:00.000Z", "circuit.opened", "openai")


def read(directory: Path) -> tuple[list[str], list[str]]:
    """The names of all there is to read, and what is damaged."""
    batch: Batch[Exchange | Notice] = SegmentReader(directory).read_as(ALL_EVENTS, Checkpoint(), 1_000)
    return [each.request_id for each in batch.events], [damage.reason for damage in batch.damages]


class Disk:
    """A disk that can be full: it takes `room` bytes more."""

    def __init__(self) -> None:
        self.room = 1_000_000
        self.refuses_to_cut = False

    def write(self, file: int, data: bytes) -> int:
        """Take what there is room for."""
        if not self.room:
            raise OSError(28, "No space left on device")
        done = os.write(file, data[: self.room])
        self.room -= done
        return done

    def truncate(self, file: int, size: int) -> None:
        """Cut."""
        if self.refuses_to_cut:
            raise OSError(5, "Input/output error")
        os.ftruncate(file, size)


def names(directory: Path) -> list[str]:
    """The files."""
    return sorted(os.listdir(directory))


def test_notices_are_read_back_beside_workers_events(shelf: Any, tmp_path: Path) -> None:
    """One directory, one reader; nobody takes the writer for dead while it lives, even in its own process."""
    shelf.add(shelf.line("w"))
    segments = NoticeSegments(tmp_path, "0a")
    assert names(tmp_path) == ["000-a-00000001.jsonl"]
    segments.append([notice("a"), notice("b")])
    segments.append([notice("c")])
    assert names(tmp_path) == ["000-a-00000001.jsonl", "control-0a-00000001.jsonl"]
    assert (tmp_path / "control-0a-00000001.jsonl").stat().st_mode & 0o777 == 0o600
    assert read(tmp_path) == (["w", "a", "b", "c"], [])
    assert repr(segments).startswith("<NoticeSegments control-0a-00000001.jsonl open size=")
    assert not is_abandoned(tmp_path, "control-0a", 1)
    segments.close()
    segments.close()
    assert is_abandoned(tmp_path, "control-0a", 1)
    assert "closed" in repr(segments)


def test_directory_is_made_for_the_first_notice(tmp_path: Path) -> None:
    """Control may be the first that has something to write."""
    segments = NoticeSegments(tmp_path / "events", "0a")
    segments.append([notice("a")])
    segments.close()
    assert (tmp_path / "events").stat().st_mode & 0o777 == 0o700


def test_full_segment_is_followed_by_the_next(tmp_path: Path) -> None:
    """A segment is exceeded by nothing but one notice that alone is larger."""
    segments = NoticeSegments(tmp_path, "0a", segment_bytes=10)
    for name in "abc":
        segments.append([notice(name)])
    segments.close()
    assert names(tmp_path) == [f"control-0a-0000000{number}.jsonl" for number in (1, 2, 3)]
    assert read(tmp_path) == (["a", "b", "c"], [])


def test_torn_line_is_cut_off(tmp_path: Path) -> None:
    """A full disk leaves nothing of a notice; given once more, it is there once."""
    disk = Disk()
    segments = NoticeSegments(tmp_path, "0a", write=disk.write, truncate=disk.truncate)
    segments.append([notice("a")])
    disk.room = 10
    with pytest.raises(OSError, match="No space"):
        segments.append([notice("b")])
    disk.room = 1_000_000
    segments.append([notice("b")])
    segments.close()
    assert read(tmp_path) == (["a", "b"], [])


def test_what_cannot_be_cut_is_left_behind(tmp_path: Path) -> None:
    """The rest of a line stays where it is, told as damage, and the writer goes on in the next segment."""
    disk = Disk()
    segments = NoticeSegments(tmp_path, "0a", write=disk.write, truncate=disk.truncate)
    disk.room, disk.refuses_to_cut = 10, True
    with pytest.raises(OSError, match="No space"):
        segments.append([notice("a")])
    assert "torn" in repr(segments)
    disk.room = 1_000_000
    segments.append([notice("a")])
    segments.close()
    assert read(tmp_path) == (["a"], ["a line without its end"])


def test_start_that_was_there_before_is_refused(tmp_path: Path) -> None:
    """Nothing is ever appended to an old file, and a segment that cannot be locked gets no name."""
    first = NoticeSegments(tmp_path, "0a")
    first.append([notice("a")])
    with pytest.raises(FileExistsError, match="used twice"):
        NoticeSegments(tmp_path, "0a").append([notice("b")])
    first.close()
    (tmp_path / ".control-0b-00000001.jsonl").mkdir()
    with pytest.raises(IsADirectoryError):
        NoticeSegments(tmp_path, "0b").append([notice("b")])
    assert read(tmp_path)[0] == ["a"]
