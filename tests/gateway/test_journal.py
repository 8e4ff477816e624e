"""The journal, written to a real directory, with a disk that can refuse."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from sluicegate.domain.events import Exchange, Line, Metadata, Pending
from sluicegate.domain.underway import PLACES, read_entry, table_name, taken_places
from sluicegate.gateway.journal import Facts, Journal, JournalState
from sluicegate.gateway.underway import NO_PLACE

BOOT = "0193a5b0c0de1f2e3d4c"
FIRST = f"007-{BOOT}-00000001.jsonl"
SECOND = f"007-{BOOT}-00000002.jsonl"


def exchange(name: str, *, endpoint: str = "/v1/chat/completions") -> Exchange:
    """Make an exchange whose only interesting property is its name."""
    return Exchange(name, "2025-11-21T05:07:00.000Z", "tok", "prj", "org", endpoint, "POST", 200, 1.5, Metadata())


class Turn:
    """A loop's turn: what was scheduled waits until `end`."""

    def __init__(self) -> None:
        """Begin with nothing scheduled."""
        self.callbacks: list[Callable[[], None]] = []

    def __call__(self, callback: Callable[[], None]) -> None:
        """Stand in for `loop.call_soon`."""
        self.callbacks.append(callback)

    def end(self) -> None:
        """Run what was scheduled."""
        callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            callback()


class Disk:
    """`os.write` with a bound: as many bytes as are free are taken, then `error` is raised."""

    def __init__(self) -> None:
        """Begin with endless room."""
        self.free = 1 << 30
        self.largest_write = 1 << 30
        self.error = errno.ENOSPC
        self.can_truncate = True
        self.writes = 0

    def write(self, file: int, data: bytes) -> int:
        """Write what fits."""
        self.writes += 1
        if data and not self.free:
            raise OSError(self.error, os.strerror(self.error))
        taken = os.write(file, data[: min(self.free, self.largest_write)])
        self.free -= taken
        return taken

    def truncate(self, file: int, size: int) -> None:
        """Truncate, unless told not to."""
        if not self.can_truncate:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.ftruncate(file, size)


class Desk:
    """A journal in `directory / "events"` with everything it was given and what it told."""

    def __init__(self, directory: Path, *, segment_bytes: int = 1 << 20, held_bytes: int = 1 << 20) -> None:
        """Open the journal as worker 7."""
        self.directory = directory / "events"
        self.turn = Turn()
        self.disk = Disk()
        self.told: list[tuple[JournalState, str]] = []
        self.journal = Journal(
            self.directory,
            7,
            BOOT,
            schedule=self.turn,
            on_error=lambda state, reason: self.told.append((state, reason)),
            segment_bytes=segment_bytes,
            held_bytes=held_bytes,
            write=self.disk.write,
            truncate=self.disk.truncate,
        )

    def write(self, *names: str) -> None:
        """Append exchanges of these names in one turn."""
        for name in names:
            self.journal.append(exchange(name))
        self.turn.end()

    def names(self) -> list[str]:
        """List the segments."""
        return sorted(each.name for each in self.directory.iterdir())

    def lines(self, name: str = FIRST) -> list[Line]:
        """Decode a segment, every line of which must be whole."""
        data = (self.directory / name).read_bytes()
        assert data == b"" or data.endswith(b"\n")
        return [msgspec.json.decode(line, type=Line) for line in data.splitlines()]

    def requests(self, name: str = FIRST) -> list[str]:
        """List the request ids in a segment."""
        return [line.request_id for line in self.lines(name)]

    def states(self) -> list[JournalState]:
        """List the changes of state that were told."""
        return [state for state, _ in self.told]

    @contextmanager
    def directory_away(self) -> Iterator[None]:
        """Make it impossible to make a segment."""
        away = self.directory.with_name("away")
        self.directory.rename(away)
        yield
        away.rename(self.directory)


LINE_BYTES = len(msgspec.json.encode(exchange("a"))) + 1


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Open a journal with room for everything, and close it."""
    desk = Desk(tmp_path)
    yield desk
    desk.journal.close()


def test_makes_private_directory_and_segment(desk: Desk) -> None:
    """Events name users and addresses: only the owner may read them."""
    assert desk.names() == [FIRST]
    assert FIRST.startswith(desk.journal.incarnation + "-")
    assert stat.S_IMODE(desk.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((desk.directory / FIRST).stat().st_mode) == 0o600


def test_writes_a_turn_at_once(desk: Desk) -> None:
    """All lines of a turn are one flush and one write, in order."""
    pending = Pending("b", exchange("b"))
    desk.journal.append(exchange("a"))
    desk.journal.append(pending)
    desk.journal.append(exchange("c"))
    assert len(desk.turn.callbacks) == 1
    assert desk.requests() == []
    desk.turn.end()
    assert desk.disk.writes == 1
    assert desk.lines() == [exchange("a"), pending, exchange("c")]


def test_schedules_each_turn_anew(desk: Desk) -> None:
    """The first line of the next turn schedules the next flush, also after a flush that came early."""
    desk.write("a")
    desk.journal.append(exchange("b"))
    desk.journal.flush()
    desk.journal.append(exchange("c"))
    desk.turn.end()
    assert desk.requests() == ["a", "b", "c"]
    assert desk.disk.writes == 3


def test_flush_of_nothing_writes_nothing(desk: Desk) -> None:
    """An early flush leaves the scheduled one nothing to do."""
    desk.journal.flush()
    assert desk.disk.writes == 0


def test_line_breaks_stay_inside_their_line(desk: Desk) -> None:
    """Whatever a client sends, an event is one line."""
    odd = exchange("a", endpoint='/v1/\n"\r\u2028é')
    desk.journal.append(odd)
    desk.turn.end()
    assert (desk.directory / FIRST).read_bytes().count(b"\n") == 1
    assert desk.lines() == [odd]


def test_line_that_cannot_be_encoded_is_told_and_spares_its_neighbours(desk: Desk) -> None:
    """One bad event costs one event, not a turn's, and the state stays as it was."""
    desk.journal.append(exchange("a"))
    desk.journal.append(exchange("bad", endpoint="\ud800"))
    desk.journal.append(exchange("c"))
    desk.turn.end()
    assert desk.requests() == ["a", "c"]
    assert (desk.journal.written, desk.journal.dropped, desk.journal.state) == (2, 1, "writing")
    [(state, reason)] = desk.told
    assert state == "writing"
    assert "'bad' cannot be encoded" in reason


def test_rotates_before_the_bound(tmp_path: Path) -> None:
    """A segment never exceeds its bound while turns are smaller than it."""
    desk = Desk(tmp_path, segment_bytes=3 * LINE_BYTES)
    desk.write("a", "b")
    desk.write("c")
    desk.write("d", "e")
    assert desk.requests(FIRST) == ["a", "b", "c"]
    assert desk.requests(SECOND) == ["d", "e"]
    assert desk.names() == [FIRST, SECOND]
    assert desk.told == []


def test_every_segment_has_the_same_room(tmp_path: Path) -> None:
    """Each has a number of its own, and begins empty."""
    desk = Desk(tmp_path, segment_bytes=2 * LINE_BYTES)
    for name in "abcdefg":
        desk.write(name)
    desk.journal.close()
    assert [desk.requests(name) for name in desk.names() if name.endswith(".jsonl")] == [
        ["a", "b"],
        ["c", "d"],
        ["e", "f"],
        ["g"],
    ]
    assert desk.told == []


def test_turn_above_the_bound_is_one_segment(tmp_path: Path) -> None:
    """What one turn brought is never split, and no empty segment is left behind."""
    desk = Desk(tmp_path, segment_bytes=LINE_BYTES)
    desk.write("a", "b", "c")
    assert desk.names() == [FIRST]
    assert desk.requests() == ["a", "b", "c"]


def test_short_writes_are_continued(desk: Desk) -> None:
    """A write that took a part is followed by one for the rest."""
    desk.disk.largest_write = LINE_BYTES + 5
    desk.write("a", "b")
    assert desk.disk.writes == 2
    assert desk.requests() == ["a", "b"]
    assert desk.journal.state == "writing"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_holds_lines_while_the_disk_refuses(desk: Desk, number: int) -> None:
    """Lines wait in memory, are written in order afterwards, and each change is told once."""
    desk.write("a")
    desk.disk.free = 0
    desk.disk.error = number
    desk.write("b", "c")
    desk.write("d")
    assert desk.requests() == ["a"]
    assert (desk.journal.written, desk.journal.held, desk.journal.dropped) == (1, 3, 0)
    assert desk.states() == ["holding"]
    assert os.strerror(number) in desk.told[0][1]
    desk.disk.free = 1 << 20
    desk.write("e")
    assert desk.requests() == ["a", "b", "c", "d", "e"]
    assert (desk.journal.written, desk.journal.held) == (5, 0)
    assert desk.states() == ["holding", "writing"]


def test_flush_alone_retries_what_is_held(desk: Desk) -> None:
    """A worker without requests can still get rid of what it holds."""
    desk.disk.free = 0
    desk.write("a")
    desk.disk.free = 1 << 20
    desk.journal.flush()
    assert desk.requests() == ["a"]
    assert desk.journal.state == "writing"


@pytest.mark.parametrize("extra", [0, 1, LINE_BYTES - 1])
def test_torn_line_is_cut_off(desk: Desk, extra: int) -> None:
    """The whole lines of a broken write stay, the torn one is removed and written again later."""
    desk.write("a")
    desk.disk.free = LINE_BYTES + extra
    desk.write("b", "c", "d")
    assert desk.requests() == ["a", "b"]
    assert (desk.journal.written, desk.journal.held) == (2, 2)
    desk.disk.free = 1 << 20
    desk.write("e")
    assert desk.requests() == ["a", "b", "c", "d", "e"]
    assert desk.names() == [FIRST]


def test_torn_line_that_cannot_be_cut_off_ends_its_segment(desk: Desk) -> None:
    """Nothing is ever written behind a torn line: the next segment begins with that line."""
    desk.disk.free = LINE_BYTES + 5
    desk.disk.can_truncate = False
    desk.write("a", "b")
    desk.disk.free = 1 << 20
    desk.write("c")
    assert (desk.directory / FIRST).read_bytes()[LINE_BYTES:] == msgspec.json.encode(exchange("b"))[:5]
    assert desk.requests(SECOND) == ["b", "c"]
    assert desk.journal.state == "writing"


def test_torn_segment_without_a_successor_holds_lines(desk: Desk) -> None:
    """While no next segment can be made, a torn segment gets nothing more."""
    desk.disk.free = 5
    desk.disk.can_truncate = False
    desk.write("a")
    desk.disk.free = 1 << 20
    with desk.directory_away():
        desk.write("b")
        assert desk.journal.held == 2
    assert (desk.directory / FIRST).stat().st_size == 5
    desk.write("c")
    assert desk.requests(SECOND) == ["a", "b", "c"]


def test_segment_that_shrank_gets_nothing_more(desk: Desk) -> None:
    """Where someone else cut the file, its end is unknown: truncating it would fill it with zeros."""
    desk.write("a", "b")
    os.truncate(desk.directory / FIRST, 5)
    desk.disk.free = 0
    desk.write("c")
    assert (desk.directory / FIRST).stat().st_size == 5
    desk.disk.free = 1 << 20
    desk.write("d")
    assert desk.requests(SECOND) == ["c", "d"]


def test_writes_on_where_no_segment_can_be_made(tmp_path: Path) -> None:
    """A segment above its bound is better than a lost event; the next one is tried at every turn."""
    desk = Desk(tmp_path, segment_bytes=LINE_BYTES)
    desk.write("a")
    with desk.directory_away():
        desk.write("b")
        desk.write("c")
        assert desk.journal.state == "overlong"
    desk.write("d")
    assert desk.requests(FIRST) == ["a", "b", "c"]
    assert desk.requests(SECOND) == ["d"]
    assert desk.states() == ["overlong", "writing"]
    assert "cannot start segment 2" in desk.told[0][1]


def test_failed_rotation_leaves_no_descriptor(tmp_path: Path) -> None:
    """A segment that got no name is closed, however often that happens."""
    desk = Desk(tmp_path, segment_bytes=LINE_BYTES)
    desk.write("a")
    before = len(os.listdir("/proc/self/fd"))
    hidden = os.open(desk.directory / f".{SECOND}", os.O_RDWR | os.O_CREAT)
    fcntl.flock(hidden, fcntl.LOCK_EX)
    desk.write("b")
    os.close(hidden)
    assert desk.journal.state == "overlong"
    assert len(os.listdir("/proc/self/fd")) == before


def test_drops_the_newest_beyond_the_bound(tmp_path: Path) -> None:
    """What is held is bounded; the lines that do not fit are counted and told once, not silently lost."""
    desk = Desk(tmp_path, held_bytes=2 * LINE_BYTES + 10)
    desk.disk.free = 0
    desk.write("a")
    desk.write("b", "c", "d")
    desk.write("e")
    desk.journal.flush()
    assert (desk.journal.held, desk.journal.dropped) == (2, 3)
    assert desk.states() == ["holding", "dropping"]
    desk.disk.free = 1 << 20
    desk.write("f")
    assert desk.requests() == ["a", "b", "f"]
    assert (desk.journal.written, desk.journal.held, desk.journal.dropped) == (3, 0, 3)
    assert desk.states() == ["holding", "dropping", "writing"]


def test_what_was_held_makes_room_when_it_is_written(tmp_path: Path) -> None:
    """In the second failure of a disk as many lines are held as in the first, though only part was written between."""
    desk = Desk(tmp_path, held_bytes=3 * LINE_BYTES)
    for _ in range(3):
        desk.disk.free = 0
        desk.write("a", "b", "c")
        desk.disk.free = 2 * LINE_BYTES
        desk.journal.flush()
        assert (desk.journal.held, desk.journal.dropped) == (1, 0)
        desk.disk.free = 0
        desk.write("d", "e")
        assert (desk.journal.held, desk.journal.dropped) == (3, 0)
        desk.disk.free = 1 << 20
        desk.journal.flush()
    assert desk.requests() == list("abcde" * 3)


def test_state_returns_from_dropping_with_nothing_held(tmp_path: Path) -> None:
    """A bound of nothing drops at once and recovers at once."""
    desk = Desk(tmp_path, held_bytes=0)
    desk.disk.free = 0
    desk.write("a")
    desk.disk.free = 1 << 20
    desk.write("b")
    assert desk.requests() == ["b"]
    assert desk.states() == ["dropping", "writing"]


def test_refused_turns_cost_one_small_write_each(desk: Desk) -> None:
    """A full disk makes a turn try one piece of what is held, not all of it."""
    desk.disk.free = 0
    for number in range(20):
        desk.journal.append(exchange(f"a{number}", endpoint="/" * 30_000))
        desk.turn.end()
    assert desk.journal.held == 20
    assert desk.disk.writes == 20
    desk.disk.writes = 0
    desk.disk.free = 1 << 20
    desk.journal.flush()
    assert desk.requests() == [f"a{number}" for number in range(20)]
    assert 2 <= desk.disk.writes <= 5


def test_is_locked_until_closed(desk: Desk) -> None:
    """Whoever can lock the segment knows that no line will follow."""
    with (desk.directory / FIRST).open("rb") as segment:
        with pytest.raises(BlockingIOError):
            fcntl.flock(segment, fcntl.LOCK_SH | fcntl.LOCK_NB)
        desk.journal.close()
        fcntl.flock(segment, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_new_segment_is_locked_before_the_old_is_released(tmp_path: Path) -> None:
    """After a rotation the old segment is free and the new one is not."""
    desk = Desk(tmp_path, segment_bytes=LINE_BYTES)
    desk.write("a")
    desk.write("b")
    with (desk.directory / FIRST).open("rb") as old, (desk.directory / SECOND).open("rb") as new:
        fcntl.flock(old, fcntl.LOCK_SH | fcntl.LOCK_NB)
        with pytest.raises(BlockingIOError):
            fcntl.flock(new, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_close_writes_the_rest_and_may_be_repeated(desk: Desk) -> None:
    """The lines of the last turn are not lost."""
    desk.journal.append(exchange("a"))
    desk.journal.close()
    desk.journal.close()
    assert desk.requests() == ["a"]
    assert desk.journal.state == "closed"
    assert desk.told == []


def test_close_tells_what_it_could_not_write(desk: Desk) -> None:
    """What is held at the end is lost, counted and told."""
    desk.disk.free = 0
    desk.write("a", "b")
    desk.journal.close()
    assert (desk.journal.held, desk.journal.dropped) == (0, 2)
    assert desk.told[-1][0] == "closed"
    assert "2 lines were never written" in desk.told[-1][1]


def test_line_after_the_end_is_told(desk: Desk) -> None:
    """An exchange that outlives the journal raises nothing, but leaves a trace."""
    desk.journal.close()
    desk.write("late")
    assert desk.requests() == []
    assert desk.told == [("closed", "1 lines came after the journal's end")]
    assert desk.journal.dropped == 1


def test_refuses_an_id_of_a_start_used_before(desk: Desk) -> None:
    """An old segment is never touched again."""
    desk.write("a")
    with pytest.raises(FileExistsError, match="used twice"):
        Journal(desk.directory, 7, BOOT, schedule=desk.turn, on_error=lambda state, reason: None)
    assert desk.requests() == ["a"]


OWNER = b'["tok","prj","org",null,[],[["account",0,0]]]'


def facts(name: str) -> Facts:
    """What is noted of an exchange before it is sent."""
    return (name, 0, "", "POST", "model", "openai", "chat", "", "", "", 1, 0, None, None, False, False, (7,))


def noted(desk: Desk) -> list[str]:
    """The requests that a reader finds in the table."""
    path = desk.directory / table_name(f"007-{BOOT}")
    return [read_entry(entry)[0].request_id for entry in taken_places(path.read_bytes())] if path.exists() else []


def test_a_note_lasts_until_the_line_is_written(desk: Desk) -> None:
    """It is in the file at once, with the place behind which its line will be."""
    desk.write("before")
    place = desk.journal.note(facts("a"), OWNER)
    assert noted(desk) == ["a"]
    (entry,) = taken_places((desk.directory / table_name(f"007-{BOOT}")).read_bytes())
    sent, _ = read_entry(entry)
    assert (sent.segment, sent.offset) == (1, len(msgspec.json.encode(exchange("before"))) + 1)
    desk.journal.tell(exchange("a"), place)
    assert noted(desk) == ["a"]
    desk.turn.end()
    assert (noted(desk), desk.requests()) == ([], ["before", "a"])


def test_a_note_is_made_anew(desk: Desk) -> None:
    """The one before is cleared; after the end nothing is."""
    first = desk.journal.note(facts("a"), OWNER)
    second = desk.journal.note(facts("b"), OWNER)
    desk.journal.clear(first)
    assert noted(desk) == ["b"]
    desk.journal.close()
    desk.journal.clear(second)
    assert noted(desk) == ["b"]


def test_a_note_stays_while_its_line_is_held(desk: Desk) -> None:
    """If this process died now, the note would be all there is of it."""
    place = desk.journal.note(facts("a"), OWNER)
    desk.disk.free = 0
    desk.journal.tell(exchange("a"), place)
    desk.turn.end()
    assert noted(desk) == ["a"]
    assert desk.journal.note(facts("b"), OWNER) == NO_PLACE
    desk.disk.free = 1 << 20
    desk.journal.flush()
    assert (noted(desk), desk.requests()) == ([], ["a"])


def test_a_note_stays_for_good_where_its_line_is_dropped(tmp_path: Path) -> None:
    """The other lines' notes go."""
    desk = Desk(tmp_path, held_bytes=LINE_BYTES)
    places = {name: desk.journal.note(facts(name), OWNER) for name in "abc"}
    desk.disk.free = 0
    for name in "ab":
        desk.journal.tell(exchange(name), places[name])
    desk.turn.end()
    desk.disk.free = 1 << 20
    desk.journal.tell(exchange("c", endpoint="\ud83d"), places["c"])
    desk.turn.end()
    assert (desk.requests(), noted(desk)) == (["a"], ["b", "c"])
    desk.journal.close()
    assert noted(desk) == ["b", "c"]


def test_the_table_goes_with_the_journal(desk: Desk) -> None:
    """Nothing is left where nothing is under way."""
    desk.journal.tell(exchange("a"), desk.journal.note(facts("a"), OWNER))
    desk.journal.close()
    assert (desk.names(), desk.told) == ([FIRST], [])
    assert desk.journal.note(facts("b"), OWNER) == NO_PLACE


def test_a_table_that_somebody_has_deleted(desk: Desk) -> None:
    """It is told."""
    desk.journal.tell(exchange("a"), desk.journal.note(facts("a"), OWNER))
    (desk.directory / table_name(f"007-{BOOT}")).unlink()
    desk.journal.close()
    assert desk.states() == ["closed"]


def test_there_is_no_table_to_be_had(desk: Desk) -> None:
    """It is tried once for each segment."""
    with desk.directory_away():
        assert desk.journal.note(facts("a"), OWNER) == NO_PLACE
    assert desk.journal.note(facts("a"), OWNER) == NO_PLACE
    assert desk.names() == [FIRST]


@pytest.mark.parametrize("name", ["\ud83d", "x" * 3000])
def test_what_cannot_be_noted(desk: Desk, name: str) -> None:
    """Half of a surrogate pair is not encoded, and what is too long has no room."""
    assert desk.journal.note(facts(name), OWNER) == NO_PLACE
    assert noted(desk) == []


def test_all_places_are_taken(desk: Desk) -> None:
    """There is one more as soon as one line is written."""
    places = [desk.journal.note(facts(str(number)), OWNER) for number in range(PLACES)]
    assert desk.journal.note(facts("a"), OWNER) == NO_PLACE
    desk.journal.tell(exchange("7"), places[7])
    desk.turn.end()
    assert desk.journal.note(facts("a"), OWNER) == places[7]


def test_repr_tells_what_became_of_all_lines(desk: Desk) -> None:
    """The journal's state can be read off in a debugger or log."""
    desk.write("a", "b")
    desk.disk.free = 0
    desk.write("c")
    desk.journal.append(exchange("d"))
    expected = f"<Journal {FIRST} holding size={2 * LINE_BYTES} written=2 waiting=1 held=1 dropped=0>"
    assert repr(desk.journal) == expected


FULL_DISK = """
import resource, sys
from pathlib import Path
from sluicegate.domain.events import Exchange, Metadata
from sluicegate.gateway.journal import Journal

def exchange(name):
    return Exchange(name, "", "", "", "", "", "POST", 200, 1.0, Metadata())

states = []
told = lambda state, reason: states.append(state)
journal = Journal(Path(sys.argv[1]), 0, "b", schedule=lambda flush: None, on_error=told)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
for number in range(20):
    journal.append(exchange(f"a{number}"))
journal.flush()
size = (Path(sys.argv[1]) / "000-b-00000001.jsonl").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.flush()
print(size, states, journal.written)
"""


def test_kernel_that_really_refuses(tmp_path: Path) -> None:
    """At the kernel's own limit: a short write, then an error; the segment ends whole, and all is written later."""
    output = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], check=True, capture_output=True, text=True
    ).stdout
    size, rest = output.split(" ", 1)
    data = (tmp_path / "000-b-00000001.jsonl").read_bytes()
    assert rest.strip() == "['holding', 'writing'] 20"
    assert 0 < int(size) < 1000
    assert data[int(size) - 1 : int(size)] == b"\n"
    names = [msgspec.json.decode(line, type=Exchange).request_id for line in data.splitlines()]
    assert names == [f"a{number}" for number in range(20)]
