"""What a dead writer had under way is charged once, whenever and wherever it died."""

import fcntl
import math
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from sluicegate.domain.events import Charge, Exchange
from sluicegate.domain.segments import unfinished_name
from sluicegate.domain.underway import WORKER_LOST, Owner, Sent, table_name
from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.disposal import Disposal
from sluicegate.events.reader import SegmentReader
from sluicegate.events.retention import Bounds
from sluicegate.events.segments import is_abandoned
from sluicegate.gateway.underway import Table
from tests.events.conftest import Shelf

OWNER = Owner("tok", "prj", "org", None, (), (("account", 0, 0),))


def note(table: Table, name: str, *, segment: int = 1, offset: int = 0, attempts: int = 1, amount: int = 7) -> int:
    """Note an exchange, as a worker does."""
    sent = Sent(
        segment, offset, name, 1_700_000_000_000, "/v1/x", "POST", "model", "openai", "chat", "mock", "m", "m",
        attempts, 1, None, None, False, False, (amount,),
    )  # fmt: skip
    return table.put(msgspec.json.encode(sent) + b"\n" + msgspec.json.encode(OWNER) + b"\n")


def read(shelf: Shelf) -> list[Exchange]:
    """Everything a new consumer finds, however often it must ask."""
    reader = SegmentReader(shelf.directory)
    checkpoint = Checkpoint()
    events: list[Exchange] = []
    for _ in range(3):
        batch = reader.read(checkpoint, 100)
        events += batch.events
        checkpoint = batch.checkpoint
    return events


def a_table(shelf: Shelf) -> Table:
    """The table of the shelf's writer."""
    return Table(shelf.directory / table_name("000-a"), places=8)


def test_nothing_is_told_of_a_writer_that_lives(shelf: Shelf) -> None:
    """It will tell itself."""
    shelf.live()
    note(a_table(shelf), "a")
    assert not is_abandoned(shelf.directory, "000-a", 1)
    assert read(shelf) == []


def test_what_was_under_way_becomes_a_segment(shelf: Shelf) -> None:
    """Behind all others; then the table is gone, and the writer's journal is over."""
    shelf.add(shelf.line("a"))
    note(a_table(shelf), "b")
    assert not is_abandoned(shelf.directory, "000-a", 1)
    assert is_abandoned(shelf.directory, "000-a", 2)
    assert not (shelf.directory / table_name("000-a")).exists()
    events = read(shelf)
    assert [(event.request_id, event.error) for event in events] == [("a", None), ("b", WORKER_LOST)]
    assert events[1].charges == (Charge("account", 7, 7),)


@pytest.mark.parametrize("is_final", [True, False])
def test_what_has_a_line_is_not_told_again(shelf: Shelf, *, is_final: bool) -> None:
    """The writer died between the line and the clearing of the note; the line may be one that awaits a count."""
    shelf.add(shelf.line("before"))
    offset = shelf.path(1).stat().st_size
    shelf.add(shelf.line("a") if is_final else shelf.pending("a"))
    shelf.add(b"no line of ours\n")
    note(a_table(shelf), "a", offset=offset)
    assert is_abandoned(shelf.directory, "000-a", 1)
    assert [event.request_id for event in read(shelf)] == ["before", "a" if is_final else "a?"]


def test_a_line_in_a_later_segment_counts(shelf: Shelf) -> None:
    """Even where segments between were deleted."""
    shelf.add(shelf.line("x"), 2)
    shelf.add(shelf.line("a"), 4)
    note(a_table(shelf), "a", segment=2, offset=0)
    assert is_abandoned(shelf.directory, "000-a", 4)


def test_what_was_told_before_a_crash_is_not_told_again(shelf: Shelf) -> None:
    """Whoever told it was killed before the table was deleted."""
    shelf.add(shelf.line("x"))
    note(a_table(shelf), "a")
    table = (shelf.directory / table_name("000-a")).read_bytes()
    assert not is_abandoned(shelf.directory, "000-a", 1)
    (shelf.directory / table_name("000-a")).write_bytes(table)
    assert is_abandoned(shelf.directory, "000-a", 2)
    assert [event.request_id for event in read(shelf)] == ["x", "a"]


def test_a_crash_before_the_name_is_made_good(shelf: Shelf) -> None:
    """Half a segment without its name is written anew."""
    shelf.add(b"")
    (shelf.directory / unfinished_name("000-a", 2)).write_bytes(b"x" * 10_000)
    note(a_table(shelf), "a")
    assert [event.request_id for event in read(shelf)] == ["a"]


def test_of_several_the_earliest_tells_where_lines_begin(shelf: Shelf) -> None:
    """A line of one may lie before what another was noted behind."""
    shelf.add(shelf.line("a"))
    offset = shelf.path(1).stat().st_size
    table = a_table(shelf)
    note(table, "b", offset=offset)
    note(table, "a", offset=0)
    assert not is_abandoned(shelf.directory, "000-a", 1)
    assert [event.request_id for event in read(shelf)] == ["a", "b"]


@pytest.mark.parametrize(
    "notes", [((1, 7), (2, 9)), ((2, 9), (1, 7)), ((1, 9), (1, 7)), ((1, 7), (1, 9)), ((2, 9), (1, 11))]
)
def test_of_two_notes_of_one_exchange_the_later_counts(shelf: Shelf, notes: tuple[tuple[int, int], ...]) -> None:
    """Of a second provider, or with more set aside: the first is cleared when there is a second, whose place is any."""
    shelf.add(b"")
    table = a_table(shelf)
    for attempts, amount in notes:
        note(table, "a", attempts=attempts, amount=amount)
    (event,) = read(shelf)
    assert event.charges == (Charge("account", 9, 9),)


def test_what_takes_nothing_is_not_told(shelf: Shelf) -> None:
    """Nothing was set aside that is not given back."""
    shelf.add(b"")
    note(a_table(shelf), "a", amount=0)
    assert is_abandoned(shelf.directory, "000-a", 1)


def test_damage_is_told(shelf: Shelf) -> None:
    """As that of any line; the rest is read."""
    shelf.add(b"")
    table = a_table(shelf)
    table.put(b"half of a")
    note(table, "a")
    assert not is_abandoned(shelf.directory, "000-a", 1)
    batch = SegmentReader(shelf.directory).read(Checkpoint(), 10)
    assert [event.request_id for event in batch.events] == ["a"]
    assert len(batch.damages) == 1


def test_one_at_a_time(shelf: Shelf) -> None:
    """While somebody else is about it, it is not settled."""
    shelf.add(b"")
    note(a_table(shelf), "a")
    with (shelf.directory / table_name("000-a")).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert not is_abandoned(shelf.directory, "000-a", 1)
        assert not shelf.path(2).exists()
    assert [event.request_id for event in read(shelf)] == ["a"]


def test_a_disk_that_refuses_is_asked_again(shelf: Shelf) -> None:
    """The table stays until what it tells is written."""
    shelf.add(b"")
    note(a_table(shelf), "a")
    obstacle = shelf.directory / unfinished_name("000-a", 2)
    obstacle.mkdir()
    assert not is_abandoned(shelf.directory, "000-a", 1)
    obstacle.rmdir()
    assert [event.request_id for event in read(shelf)] == ["a"]
    (shelf.directory / table_name("000-b")).symlink_to(table_name("000-b"))
    shelf.add(b"", 1, "000-b")
    assert not is_abandoned(shelf.directory, "000-b", 1)


WRITER = """
import sys
from pathlib import Path
import msgspec
from sluicegate.domain.events import Charge, Exchange, Metadata
from sluicegate.domain.underway import Owner
from sluicegate.gateway.journal import Journal

journal = Journal(
    Path(sys.argv[1]), 0, "b", schedule=lambda flush: None, on_error=lambda state, reason: sys.exit(reason),
    segment_bytes=5_000,
)
owner = msgspec.json.encode(Owner("t", "p", "o", None, (), (("account", 0, 0),)))
under_way = []
number = 0
while True:
    for _ in range(1 + number % 4):
        facts = (
            str(number), 0, "", "POST", "model", "openai", "chat", "", "", "", 1, 0, None, None, False, False, (7,),
        )
        under_way.append((number, journal.note(facts, owner)))
        sys.stdout.write(f"sent {number}\\n")
        sys.stdout.flush()
        number += 1
    ended = [under_way.pop(0) for _ in range(min(len(under_way), number % 5))]
    for each, place in ended:
        charges = (Charge("account", 1, 1),)
        line = Exchange(str(each), "", "", "", "", "", "POST", 200, 1.0, Metadata(), charges=charges)
        journal.tell(line, place)
    journal.flush()
    sys.stdout.write("".join(f"told {each}\\n" for each, _ in ended))
    sys.stdout.flush()
"""


@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_killed_writer_sent_is_charged_once(tmp_path: Path, seed: int) -> None:
    """Killed anywhere: what it was told to have ended as it ended, all else that was sent with the worst case."""
    patience = random.Random(seed).randrange(30, 900)
    reader = SegmentReader(tmp_path)
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(patience)]
        batch = reader.read(Checkpoint(), 10_000)
        found = list(batch.events)
        writer.kill()
        said += [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    for _ in range(2):
        batch = reader.read(batch.checkpoint, 10_000)
        found += batch.events
    sent = {line.split()[1] for line in said if line.startswith("sent")}
    told = {line.split()[1] for line in said if line.startswith("told")}
    charged = {event.request_id: event.charges[0].amount for event in found}
    assert len(found) == len(charged)
    assert sent <= charged.keys()
    assert {charged[name] for name in told} <= {1}
    # One more may have been noted than was said to be sent.
    assert len(charged.keys() - sent) <= 1
    assert 7 in charged.values()
    Disposal(tmp_path).dispose([batch.checkpoint], Bounds(1 << 40, longest_seconds=0), now=math.inf)
    assert list(tmp_path.iterdir()) == []
