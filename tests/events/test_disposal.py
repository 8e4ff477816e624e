"""Deleting from a real directory."""

import os
from pathlib import Path
from typing import Any

import pytest

from sluicegate.events.checkpoint import Checkpoint, Progress
from sluicegate.events.disposal import Disposal
from sluicegate.events.reader import SegmentReader
from sluicegate.events.retention import Bounds, Doomed
from sluicegate.events.segments import is_abandoned


def names(directory: Path) -> list[str]:
    """What is left."""
    return sorted(os.listdir(directory))


def test_journal_is_kept_within_its_bound(shelf: Any) -> None:
    """The oldest closed segments are deleted; the one that is written to stays, as does whatever is no segment."""
    for number in (1, 2, 3):
        shelf.add(b"x" * 100, number)
        os.utime(shelf.path(number), (number, number))
    shelf.live(4)
    shelf.add(b"x" * 100, 4)
    (shelf.directory / "notes.txt").write_text("x" * 1_000)
    chosen = Disposal(shelf.directory).dispose([], Bounds(250), now=10)
    assert [segment.number for segment in chosen.passed] == [1, 2]
    assert names(shelf.directory) == ["000-a-00000003.jsonl", "000-a-00000004.jsonl", "notes.txt"]


def test_consumer_that_stands_still_loses_events(shelf: Any) -> None:
    """Beyond the bound, what was not read is deleted as well, and told as that."""
    shelf.add(b"x" * 100, 1)
    shelf.live(2)
    chosen = Disposal(shelf.directory).dispose([Checkpoint({"000-a": Progress(1, 50)})], Bounds(10), now=0)
    assert [(segment.number, segment.size) for segment in chosen.unread] == [(1, 100)]
    assert names(shelf.directory) == ["000-a-00000002.jsonl"]


def test_what_a_dead_worker_had_under_way_follows_on_what_was_read_before(shelf: Any) -> None:
    """It comes in one more segment: the one before stays until everybody has left it, though it was read to its end."""
    reader, bounds = SegmentReader(shelf.directory), Bounds(10_000, longest_seconds=1)
    shelf.live()
    shelf.add(shelf.line("1"))
    first = reader.read(Checkpoint(), 9)
    shelf.die()
    shelf.add(shelf.line("2"), 2)
    disposal = Disposal(shelf.directory)
    assert disposal.dispose([first.checkpoint], bounds, now=1e12) == Doomed()
    second = reader.read(first.checkpoint, 9)
    assert ([event.request_id for event in second.events], second.damages) == (["2"], ())
    assert len(disposal.dispose([second.checkpoint], bounds, now=1e12).passed) == 2


def test_last_segment_goes_once_its_writer_is_gone(shelf: Any) -> None:
    """A file that its writer could not finish goes with it."""
    shelf.live()
    shelf.add(b"x" * 100)
    disposal = Disposal(shelf.directory)
    assert disposal.dispose([], Bounds(10), now=0) == Doomed()
    shelf.die()
    (shelf.directory / ".000-a-00000002.jsonl").touch()
    assert len(disposal.dispose([], Bounds(10), now=0).passed) == 1
    assert names(shelf.directory) == []


def test_age_is_that_of_the_file(shelf: Any) -> None:
    """Seconds since it was last written to."""
    for name, moment in (("000-a", 100), ("001-b", 200)):
        shelf.add(b"x", 1, name)
        os.utime(shelf.path(1, name), (moment, moment))
    Disposal(shelf.directory).dispose([], Bounds(1_000, longest_seconds=60), now=160)
    assert names(shelf.directory) == ["001-b-00000001.jsonl"]


def test_writers_that_are_gone_are_not_asked_for_again(shelf: Any) -> None:
    """Each restart leaves an incarnation: looking must not become slower with all of them."""
    asked: list[str] = []

    def ask(directory: Path, incarnation: str, last: int) -> bool:
        asked.append(incarnation)
        return is_abandoned(directory, incarnation, last)

    shelf.add(b"x", 1, "000-a")
    shelf.live(1, "001-b")
    disposal = Disposal(shelf.directory, is_abandoned=ask)
    for _ in range(2):
        disposal.dispose([], Bounds(1_000), now=0)
    assert asked == ["000-a", "001-b", "001-b"]


def test_no_directory_is_no_journal(tmp_path: Path) -> None:
    """Control may look before the first worker has made it; whatever else is wrong is told."""
    disposal = Disposal(tmp_path / "events")
    assert disposal.dispose([], Bounds(1), now=0) == Doomed()
    assert repr(disposal) == f"<Disposal {tmp_path}/events>"
    (tmp_path / "events").touch()
    with pytest.raises(NotADirectoryError):
        disposal.dispose([], Bounds(1), now=0)
