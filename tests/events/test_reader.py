"""All incarnations together."""

import os
from pathlib import Path
from typing import Any

from sluicegate.events.checkpoint import Checkpoint, Progress
from sluicegate.events.reader import SegmentReader


def names(reader: SegmentReader, checkpoint: Checkpoint, max_events: int = 100) -> tuple[list[str], Checkpoint]:
    """Read once; return the request ids and the new checkpoint."""
    batch = reader.read(checkpoint, max_events)
    return [event.request_id for event in batch.events], batch.checkpoint


def test_makes_a_private_directory(tmp_path: Path) -> None:
    """A reader may come before the first worker."""
    reader = SegmentReader(tmp_path / "data" / "events")
    assert reader.read(Checkpoint(), 10).events == ()
    assert (tmp_path / "data" / "events").stat().st_mode & 0o777 == 0o700
    assert repr(reader) == f"<SegmentReader {tmp_path}/data/events>"


def test_reads_all_incarnations(shelf: Any) -> None:
    """Each incarnation's events come in its order, and each position is kept."""
    shelf.add(shelf.line("a1") + shelf.line("a2"))
    shelf.live(1, "001-b")
    shelf.add(shelf.line("b1"), 1, "001-b")
    reader = SegmentReader(shelf.directory)
    found, checkpoint = names(reader, Checkpoint())
    assert found == ["a1", "a2", "b1"]
    assert set(checkpoint.incarnations) == {"000-a", "001-b"}
    assert names(reader, checkpoint) == ([], checkpoint)


def test_shares_a_batch_fairly(shelf: Any) -> None:
    """A busy worker does not starve the others, and what others do not need is not wasted."""
    shelf.add(b"".join(shelf.line(f"a{number}") for number in range(10)))
    shelf.add(shelf.line("b0"), 1, "001-b")
    shelf.add(b"".join(shelf.line(f"c{number}") for number in range(10)), 1, "002-c")
    found, checkpoint = names(SegmentReader(shelf.directory), Checkpoint(), 9)
    assert found == ["a0", "a1", "a2", "b0", "c0", "c1", "c2", "c3", "c4"]
    rest, _ = names(SegmentReader(shelf.directory), checkpoint)
    assert len(set(found + rest)) == 21


def test_tells_damage(shelf: Any) -> None:
    """Damage in any incarnation is part of the batch."""
    shelf.add(b"torn")
    shelf.add(b"torn too", 1, "001-b")
    damages = SegmentReader(shelf.directory).read(Checkpoint(), 10).damages
    assert [each.segment for each in damages] == ["000-a-00000001.jsonl", "001-b-00000001.jsonl"]


def test_leaves_no_file_open(shelf: Any) -> None:
    """A reading ends with as many descriptors as it began with."""
    shelf.add(shelf.line("a") * 5)
    before = len(os.listdir("/proc/self/fd"))
    SegmentReader(shelf.directory).read(Checkpoint(), 2)
    assert len(os.listdir("/proc/self/fd")) == before


def test_forgets_incarnations_without_segments(shelf: Any) -> None:
    """A checkpoint does not grow with every restart of a worker."""
    old = Checkpoint({"000-old": Progress(3, 99)})
    assert SegmentReader(shelf.directory).read(old, 10).checkpoint == Checkpoint()


def test_end_is_behind_every_whole_line(shelf: Any) -> None:
    """Who wants only what is new gets neither old events nor half of one."""
    shelf.add(shelf.line("a"), 1)
    shelf.live(2)
    shelf.add(shelf.line("b") + shelf.line("c")[:5], 2)
    shelf.live(1, "001-b")
    shelf.live(1, "002-c")
    shelf.add(b"x" * 200_000, 1, "002-c")
    reader = SegmentReader(shelf.directory)
    before = len(os.listdir("/dev/fd"))
    end = reader.end()
    assert len(os.listdir("/dev/fd")) == before
    assert end.incarnations["000-a"] == Progress(2, len(shelf.line("b")))
    assert end.incarnations["001-b"] == end.incarnations["002-c"] == Progress(1, 0)
    shelf.add(shelf.line("c")[5:], 2)
    assert names(reader, end)[0] == ["c"]


def test_end_of_a_long_torn_line(shelf: Any) -> None:
    """The last newline is found however far back it is."""
    shelf.live()
    shelf.add(shelf.line("a") + b"x" * 100_000)
    assert SegmentReader(shelf.directory).end().incarnations["000-a"] == Progress(1, len(shelf.line("a")))


def test_end_of_a_segment_that_vanished(shelf: Any) -> None:
    """A dangling name, as after a deletion in between, is at its begin."""
    shelf.path(1).symlink_to("nowhere")
    assert SegmentReader(shelf.directory).end() == Checkpoint({"000-a": Progress(1, 0)})


def test_unread_bytes(shelf: Any) -> None:
    """How far a consumer is behind, over all segments it has not read."""
    shelf.add(b"x" * 10, 1)
    shelf.add(b"x" * 20, 2)
    shelf.add(b"x" * 40, 1, "001-b")
    reader = SegmentReader(shelf.directory)
    assert reader.unread_bytes(Checkpoint()) == 70
    assert reader.unread_bytes(Checkpoint({"000-a": Progress(1, 4), "001-b": Progress(1, 40)})) == 26
    assert reader.unread_bytes(Checkpoint({"000-a": Progress(2, 0), "001-b": Progress(1, 99)})) == 20


def test_files_at_rest_look_the_same(shelf: Any) -> None:
    """Until a line is added, or another segment; a withheld line's writer may die without a trace."""
    shelf.live()
    shelf.add(shelf.line("a"))
    reader = SegmentReader(shelf.directory)
    checkpoint = reader.read(Checkpoint(), 10).checkpoint
    seen = reader.appearance(checkpoint)
    assert seen is not None
    assert reader.appearance(checkpoint) == seen
    shelf.add(shelf.line("b"))
    assert reader.appearance(checkpoint) not in {None, seen}
    shelf.add(shelf.pending("c"))
    assert reader.appearance(reader.read(checkpoint, 10).checkpoint) is None
    assert reader.appearance(Checkpoint({"000-gone": Progress(1, 0)})) is None
