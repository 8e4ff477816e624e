"""All incarnations together."""

import os
from pathlib import Path
from typing import Any

import pytest

from sluicegate.events.checkpoint import Checkpoint, Progress, Waiting
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
    end = reader.end()
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


class Two:
    """A journal of segments 1 (read by all) and 2, seen by two consumers."""

    def __init__(self, shelf: Any) -> None:
        """Write one event to each segment."""
        shelf.add(shelf.line("a"), 1)
        shelf.add(shelf.line("b"), 2)
        self.size = len(shelf.line("b"))
        self.reader = SegmentReader(shelf.directory)

    def deleted(self, *all_progress: Progress) -> list[int]:
        """Delete what these consumers have passed; return the numbers."""
        paths = self.reader.delete_passed([Checkpoint({"000-a": each}) for each in all_progress])
        assert not any(path.exists() for path in paths)
        return [int(path.stem[-8:]) for path in paths]


def test_deletes_what_all_have_passed(shelf: Any) -> None:
    """The slowest consumer decides; a segment is passed when its reader is in a later one."""
    shelf.live(2)
    two = Two(shelf)
    assert two.deleted(Progress(2, 0), Progress(1, two.size)) == []
    assert two.deleted(Progress(2, 0), Progress(2, two.size)) == [1]
    assert two.deleted(Progress(2, 0), Progress(2, two.size)) == []


def test_keeps_the_segment_of_a_live_writer(shelf: Any) -> None:
    """The last segment stays while lines may follow, and goes when none will."""
    shelf.live(2)
    two = Two(shelf)
    assert two.deleted(Progress(2, two.size)) == [1]
    shelf.die()
    assert two.deleted(Progress(2, two.size)) == [2]


@pytest.mark.parametrize("offset", [0, -1])
def test_keeps_a_last_segment_not_read_to_its_end(shelf: Any, offset: int) -> None:
    """A dead writer's last segment is needed until its last byte is passed."""
    two = Two(shelf)
    assert two.deleted(Progress(2, two.size), Progress(2, offset if offset == 0 else two.size - 1)) == [1]


def test_keeps_segments_with_pending_lines_withheld(shelf: Any) -> None:
    """The guess of a pending line is still to be read where it was written."""
    shelf.live(2)
    two = Two(shelf)
    waiting = Progress(2, two.size, (Waiting("a", 1, 0),))
    assert two.deleted(waiting) == []
    shelf.die()
    assert two.deleted(waiting) == []
    assert two.deleted(Progress(2, two.size, (Waiting("b", 2, 0),))) == [1]


def test_keeps_what_a_consumer_has_not_begun(shelf: Any) -> None:
    """A consumer that knows nothing of an incarnation needs all of it; without consumers nothing is deleted."""
    two = Two(shelf)
    everything = Checkpoint({"000-a": Progress(2, two.size)})
    assert two.reader.delete_passed([everything, Checkpoint()]) == ()
    assert two.reader.delete_passed([]) == ()
    assert len(two.reader.delete_passed([everything])) == 2


def test_empty_segment_of_a_dead_writer_goes(shelf: Any) -> None:
    """A worker that wrote nothing leaves nothing for ever."""
    shelf.add(b"")
    reader = SegmentReader(shelf.directory)
    checkpoint = reader.read(Checkpoint(), 10).checkpoint
    assert [path.name for path in reader.delete_passed([checkpoint])] == ["000-a-00000001.jsonl"]


def test_segment_never_finished_goes_with_the_last(shelf: Any) -> None:
    """What a writer left that died while it made the next segment is deleted, but never under a live writer."""
    shelf.live(2)
    two = Two(shelf)
    unfinished = shelf.directory / ".000-a-00000003.jsonl"
    unfinished.touch()
    assert two.deleted(Progress(2, two.size)) == [1]
    assert unfinished.exists()
    shelf.die()
    assert two.deleted(Progress(2, two.size)) == [2, 3]


def test_deletion_by_somebody_else_is_fine(shelf: Any) -> None:
    """What is gone already needs no deleting."""
    two = Two(shelf)

    def gone(directory: Path, incarnation: str, number: int) -> bool:
        shelf.path(1).unlink(missing_ok=True)
        return False

    reader = SegmentReader(shelf.directory, is_abandoned=gone)
    assert len(reader.delete_passed([Checkpoint({"000-a": Progress(2, two.size)})])) == 1


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
