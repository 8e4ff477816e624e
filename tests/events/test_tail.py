"""One incarnation's lines: whole, torn, pending, damaged, missing."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sluicegate.domain.events import Exchange, Notice
from sluicegate.events.checkpoint import Progress, Waiting
from sluicegate.events.segments import is_abandoned
from sluicegate.events.tail import ALL_EVENTS, EXCHANGES, Damage, Tail, withheld_id

Probe = Callable[[Path, str, int], bool]


class Read:
    """One reading from `progress` on, of up to `limit` events."""

    def __init__(
        self,
        shelf: Any,
        progress: Progress | None = None,
        *,
        limit: int = 100,
        numbers: tuple[int, ...] = (1,),
        probe: Probe = is_abandoned,
    ) -> None:
        """Read and close."""
        events: list[Exchange] = []
        tail = Tail(shelf.directory, "000-a", numbers, progress, EXCHANGES, is_abandoned=probe)
        self.has_more = tail.read(events, limit)
        self.repr = repr(tail)
        tail.close()
        self.names = [event.request_id for event in events]
        self.progress = tail.progress
        self.damages = tail.damages


def test_reads_whole_lines_in_order(shelf: Any) -> None:
    """Events come as they were written; the position is behind the last."""
    shelf.live()
    shelf.add(shelf.line("a") + shelf.line("b"))
    read = Read(shelf)
    assert read.names == ["a", "b"]
    assert read.progress == Progress(1, len(shelf.line("a") * 2))
    assert not read.has_more


def test_limit_stops_between_events(shelf: Any) -> None:
    """The position never lies behind what was not reported."""
    shelf.live()
    shelf.add(shelf.line("a") + shelf.line("b"))
    read = Read(shelf, limit=1)
    assert (read.names, read.has_more) == (["a"], True)
    assert Read(shelf, read.progress).names == ["b"]


def test_torn_line_waits_for_its_live_writer(shelf: Any) -> None:
    """Half a line is not an event yet, and is one when its rest has come."""
    shelf.live()
    shelf.add(shelf.line("a") + shelf.line("b")[:9])
    read = Read(shelf)
    assert (read.names, read.damages) == (["a"], [])
    shelf.add(shelf.line("b")[9:])
    assert Read(shelf, read.progress).names == ["b"]


def test_torn_line_of_a_dead_writer_is_told_once(shelf: Any) -> None:
    """Damage has a place and a length, and is passed."""
    shelf.add(shelf.line("a") + b'{"kind":')
    read = Read(shelf)
    start = len(shelf.line("a"))
    assert read.names == ["a"]
    assert read.damages == [Damage("000-a-00000001.jsonl", start, 8, "a line without its end")]
    assert read.progress == Progress(1, start + 8)
    assert Read(shelf, read.progress).damages == []


def test_torn_line_before_a_next_segment_is_told(shelf: Any) -> None:
    """A writer that moved on will not finish it either."""
    shelf.add(b"torn")
    shelf.live(2)
    shelf.add(shelf.line("a"), 2)
    read = Read(shelf, numbers=(1, 2))
    assert read.names == ["a"]
    assert [(each.segment, each.offset, each.length) for each in read.damages] == [("000-a-00000001.jsonl", 0, 4)]
    assert read.progress == Progress(2, len(shelf.line("a")))


def test_line_cut_off_while_reading_is_no_damage(shelf: Any) -> None:
    """A torn line that its writer cut off before moving on was never there."""
    shelf.add(shelf.line("a") + b"torn")

    def cut(directory: Path, incarnation: str, number: int) -> bool:
        with shelf.path(1).open("r+b") as segment:
            segment.truncate(len(shelf.line("a")))
        return True

    read = Read(shelf, probe=cut)
    assert (read.names, read.damages) == (["a"], [])


def test_last_lines_before_a_death_are_read(shelf: Any) -> None:
    """What a writer wrote between the last look and its end comes before the verdict on its pending lines."""
    shelf.add(shelf.pending("a"))

    def write_and_die(directory: Path, incarnation: str, number: int) -> bool:
        shelf.add(shelf.line("a") + shelf.line("b"))
        return True

    assert Read(shelf, probe=write_and_die, limit=2).names == ["a", "b"]


@pytest.mark.parametrize("has_two_lines", [False, True])
def test_a_line_is_one_object(shelf: Any, has_two_lines: bool) -> None:
    """Two on one line and one on two are damage, although their numbers agree: places are counted in lines."""
    shelf.live()
    both = shelf.line("b").rstrip() + shelf.line("c")
    halves = shelf.line("d").replace(b",", b",\n", 1)
    shelf.add(shelf.line("a") + both + (halves if has_two_lines else b"") + shelf.line("e"))
    read = Read(shelf)
    assert read.names == ["a", "e"]
    lengths = [len(line) for line in (both + (halves if has_two_lines else b"")).splitlines()]
    assert [damage.length for damage in read.damages] == lengths


@pytest.mark.parametrize("line", [b"", b"\0" * 40, b"{}", b'{"kind":"other"}', b'{"kind":"exchange"}', b'"\xff"'])
def test_line_that_is_no_event_is_told_and_passed(shelf: Any, line: bytes) -> None:
    """Damage in the middle costs its own line only."""
    shelf.live()
    shelf.add(shelf.line("a") + line + b"\n" + shelf.line("b"))
    read = Read(shelf)
    assert read.names == ["a", "b"]
    [damage] = read.damages
    assert (damage.offset, damage.length) == (len(shelf.line("a")), len(line))
    assert damage.reason.startswith("not an event: ")


def test_line_larger_than_a_chunk(shelf: Any) -> None:
    """However long a line is, it is read whole."""
    shelf.live()
    shelf.add(shelf.line("a" * 1_000_000) + shelf.line("b"))
    assert Read(shelf).names == ["a" * 1_000_000, "b"]


def test_many_lines_across_chunks(shelf: Any) -> None:
    """Lines that straddle the end of what is read at once are not torn."""
    names = [f"{number:0200d}" for number in range(3000)]
    shelf.live()
    shelf.add(b"".join(shelf.line(name) for name in names))
    assert Read(shelf, limit=5000).names == names


def test_pending_is_withheld_and_replaced(shelf: Any) -> None:
    """A pending line is nothing until its exchange comes, also in another reading and another segment."""
    shelf.add(shelf.pending("a") + shelf.line("b"))
    shelf.live(2)
    read = Read(shelf, numbers=(1, 2))
    assert read.names == ["b"]
    assert read.progress == Progress(2, 0, (Waiting("a", 1, 0),))
    shelf.add(shelf.line("a"), 2)
    read = Read(shelf, read.progress, numbers=(1, 2))
    assert read.names == ["a"]
    assert read.progress.waiting == ()


def test_pending_of_a_dead_writer_is_reported(shelf: Any) -> None:
    """Guesses come after all lines, in order, no more than asked for, and only once."""
    shelf.add(shelf.pending("a") + shelf.pending("b") + shelf.pending("c") + shelf.line("b") + shelf.line("d"))
    read = Read(shelf, limit=3)
    assert read.names == ["b", "d", "a?"]
    assert read.has_more
    read = Read(shelf, read.progress)
    assert read.names == ["c?"]
    assert Read(shelf, read.progress).names == []


def test_pending_is_withheld_while_its_writer_lives(shelf: Any) -> None:
    """The same lines give no guess before the writer's death and all after it."""
    shelf.live()
    shelf.add(shelf.pending("a"))
    read = Read(shelf)
    assert read.names == []
    shelf.die()
    assert Read(shelf, read.progress).names == ["a?"]


def test_later_pending_replaces_an_earlier_one(shelf: Any) -> None:
    """Two pending lines of one request are one event, the later."""
    shelf.add(shelf.pending("a") + shelf.line("b") + shelf.pending("a"))
    read = Read(shelf, limit=1)
    assert read.names == ["b"]
    assert Read(shelf, read.progress).names == ["a?"]


def test_pending_that_cannot_be_read_again_is_told(shelf: Any) -> None:
    """Where the segment of a withheld line is gone or another line is in its place, that is damage, not silence."""
    shelf.add(shelf.line("x"), 2)
    progress = Progress(2, len(shelf.line("x")), (Waiting("a", 1, 7), Waiting("b", 2, 0)))
    read = Read(shelf, progress, numbers=(2,))
    assert read.names == []
    assert [(each.segment, each.offset, each.length) for each in read.damages] == [
        ("000-a-00000001.jsonl", 7, 0),
        ("000-a-00000002.jsonl", 0, 0),
    ]
    assert read.progress.waiting == ()


@pytest.mark.parametrize("guess", [b"5", b'{"kind":"exchange"}', b'{"kind":"pending","request_id":"a"}'])
def test_pending_without_an_exchange_is_told(shelf: Any, guess: bytes) -> None:
    """Its guess is looked at when it is needed; what is none is damage, and the next one is reported."""
    shelf.add(b'{"kind":"pending","request_id":"a","exchange":' + guess + b"}\n" + shelf.pending("b"))
    read = Read(shelf)
    assert read.names == ["b?"]
    [damage] = read.damages
    assert damage.reason.startswith("the pending line of a cannot be read again: ")


def test_damage_between_pending_lines_moves_no_place(shelf: Any) -> None:
    """Each withheld line is found again where it begins."""
    shelf.add(shelf.pending("a") + b"\0\n" + shelf.pending("b") + shelf.line("a"))
    shelf.live(2)
    read = Read(shelf, numbers=(1, 2))
    place = len(shelf.pending("a")) + 2
    assert (read.names, read.progress.waiting) == (["a"], (Waiting("b", 1, place),))


def test_missing_segments_are_told(shelf: Any) -> None:
    """A gap in the numbers is damage; reading goes on behind it."""
    shelf.add(shelf.line("a"), 1)
    shelf.add(shelf.line("d"), 4)
    read = Read(shelf, numbers=(1, 4))
    assert read.names == ["a", "d"]
    assert read.damages == [Damage("000-a-00000002.jsonl", 0, 0, "missing, with all segments before 4")]


def test_missing_current_segment_is_told(shelf: Any) -> None:
    """A segment deleted before it was read to its end is damage."""
    shelf.add(shelf.line("b"), 2)
    read = Read(shelf, Progress(1, 10), numbers=(2,))
    assert read.names == ["b"]
    assert read.damages == [Damage("000-a-00000001.jsonl", 0, 0, "missing, with all segments before 2")]


def test_last_segment_that_vanished_changes_nothing(shelf: Any) -> None:
    """Where another process just deleted what we were to read, we have nothing to say about it."""
    read = Read(shelf, Progress(1, 10))
    assert (read.names, read.damages, read.progress) == ([], [], Progress(1, 10))


def test_new_consumer_begins_with_the_oldest_segment(shelf: Any) -> None:
    """What was deleted before it existed is no damage."""
    shelf.add(shelf.line("e"), 5)
    read = Read(shelf, numbers=(5,))
    assert (read.names, read.damages) == (["e"], [])


def test_no_segment_stays_open(shelf: Any) -> None:
    """Neither those that were passed nor the last, however often it was looked at: a reader lives for months."""
    for number in (1, 2, 3):
        shelf.add(shelf.line("a") + b"torn", number)
    shelf.live(4)
    before = len(os.listdir("/dev/fd"))
    assert Read(shelf, numbers=(1, 2, 3, 4)).names == ["a"] * 3
    assert len(os.listdir("/dev/fd")) == before


def test_repr_tells_the_position(shelf: Any) -> None:
    """The state can be read off in a debugger."""
    shelf.live()
    shelf.add(shelf.pending("a"))
    assert Read(shelf).repr == f"<Tail 000-a-00000001.jsonl offset={len(shelf.pending('a'))} waiting=1>"


@pytest.mark.parametrize("name", ['quo"ted', "back\\slash", "ünï", ""])
def test_pending_is_known_whatever_its_name(shelf: Any, name: str) -> None:
    """Where its name cannot be told by a glance at the line, it is read as JSON."""
    shelf.live()
    shelf.add(shelf.pending(name) + shelf.line("a") + shelf.line(name))
    assert withheld_id(shelf.pending(name)) == ""
    read = Read(shelf)
    assert (read.names, read.progress.waiting) == (["a", name], ())


def test_pending_is_told_by_a_glance(shelf: Any) -> None:
    """Nothing else is taken for one, nor one that was cut off."""
    assert withheld_id(shelf.pending("req_1")) == "req_1"
    assert withheld_id(shelf.line("req_1")) == ""
    assert withheld_id(shelf.pending("req_1")[:50] + b"\n") == ""


def test_notice_is_passed_over_where_nobody_wants_it(shelf: Any) -> None:
    """It is no damage to who reads exchanges, nor is it reported to them; half of one is damage."""
    line = b'{"kind":"notice","id":"ntc_1","timestamp":"now","event":"circuit.opened","subject":"openai"}'
    shelf.live()
    shelf.add(shelf.line("a") + line + b"\n" + shelf.line("b") + line[:-1] + b"\n")
    read = Read(shelf)
    assert read.names == ["a", "b"]
    assert [damage.length for damage in read.damages] == [len(line) - 1]


def test_notice_is_an_event_where_it_is_wanted(shelf: Any) -> None:
    """Its id is what it is known by; a pending line is withheld as ever."""
    shelf.live()
    notice = Notice("ntc_1", "now", "circuit.opened", "openai", facts={"worker": 0})
    shelf.add(shelf.pending("p") + msgspec.json.encode(notice) + b"\n" + shelf.line("a"))
    events: list[Exchange | Notice] = []
    tail: Tail[Exchange | Notice] = Tail(shelf.directory, "000-a", (1,), None, ALL_EVENTS, is_abandoned=is_abandoned)
    tail.read(events, 10)
    tail.close()
    assert events == [notice, shelf.exchange("a")]
    assert [waiting.request_id for waiting in tail.progress.waiting] == ["p"]
