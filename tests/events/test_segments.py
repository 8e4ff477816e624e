"""Finding segments and telling dead writers from live ones."""

from typing import Any

from sluicegate.events.segments import found_segments, is_abandoned, segment_path, segment_size, whole_lines


def test_finds_segments_in_order(shelf: Any) -> None:
    """Incarnations come in the order of their names, numbers ascending; what is no segment is left alone."""
    for name in (
        "001-b-00000001.jsonl",
        "000-c-00000010.jsonl",
        "000-c-00000009.jsonl",
        ".000-c-00000011.jsonl",
        "notes.txt",
    ):
        (shelf.directory / name).touch()
    found = found_segments(shelf.directory)
    assert list(found.items()) == [("000-c", (9, 10)), ("001-b", (1,))]


def test_path_is_the_name_in_the_directory(shelf: Any) -> None:
    """Reader and writer mean the same file."""
    assert segment_path(shelf.directory, "000-a", 3) == shelf.directory / "000-a-00000003.jsonl"


def test_size_of_a_segment_that_is_gone_is_zero(shelf: Any) -> None:
    """Another process may delete a segment between listing and looking."""
    shelf.add(b"12345")
    assert segment_size(shelf.directory, "000-a", 1) == 5
    assert segment_size(shelf.directory, "000-a", 2) == 0


def test_locked_segment_has_a_writer(shelf: Any) -> None:
    """While the lock is held, lines may follow; when it is gone, none will."""
    shelf.live(1)
    assert not is_abandoned(shelf.directory, "000-a", 1)
    shelf.die()
    assert is_abandoned(shelf.directory, "000-a", 1)


def test_unlocked_segment_with_a_successor_says_nothing(shelf: Any) -> None:
    """The writer may have moved on since the directory was listed."""
    shelf.add(b"", 1)
    shelf.live(2)
    assert not is_abandoned(shelf.directory, "000-a", 1)


def test_missing_segment_says_nothing(shelf: Any) -> None:
    """A file that is gone cannot tell of its writer."""
    assert not is_abandoned(shelf.directory, "000-a", 1)


def test_looking_leaves_no_lock_behind(shelf: Any) -> None:
    """After a reader looked, a lock can be had."""
    shelf.add(b"")
    assert is_abandoned(shelf.directory, "000-a", 1)
    shelf.live(1)
    assert not is_abandoned(shelf.directory, "000-a", 1)


def test_only_whole_lines_are_taken() -> None:
    """Each with its end, also an empty one; what has none yet is left out, and a carriage return ends none."""
    assert whole_lines(b"a\n\nb\rc\nd") == [b"a\n", b"\n", b"b\rc\n"]
    assert whole_lines(b"a\n") == [b"a\n"]
    assert whole_lines(b"a") == whole_lines(b"") == []
