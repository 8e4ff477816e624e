"""One incarnation's charges."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluicegate.control.limits.trail import Spent, Trail, began_at, place_of
from sluicegate.events import segments
from sluicegate.events.checkpoint import Progress
from tests.control.limits.journals import Writer, charge

START = Progress(1, 0)
ONE, TWO = charge("a|requests|1h", 1), charge("b|tokens|1h", 20)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    """A living writer."""
    made = Writer(tmp_path, "000-a")
    yield made
    made.die()


def trail(writer: Writer, start: Progress = START) -> Trail:
    """Its trail."""
    return Trail(writer.directory, writer.incarnation, start)


def read(trail: Trail, writer: Writer) -> list[Spent]:
    """Everything there is now."""
    spent, has_more = trail.read(tuple(range(1, writer.number + 1)), 1_000)
    assert not has_more
    return spent


def places(spent: list[Spent]) -> list[tuple[int, tuple[int, ...]]]:
    """Where, and how much."""
    return [(each.place, tuple(amount for _, amount, _ in each.charges)) for each in spent]


def test_charges_are_told_once_with_their_places(writer: Writer) -> None:
    """Each is behind its line; what has no charges is passed over; an unfinished line waits."""
    first = writer.end("1", ONE, TWO, at=1_800_000_000_123)
    writer.end("2")
    third = writer.end("3", TWO)
    writer.write(b'{"kind":')
    road = trail(writer)
    spent = read(road, writer)
    assert places(spent) == [(place_of(1, first), (1, 20)), (place_of(1, third), (20,))]
    assert spent[0].at == 1_800_000_000_123
    assert spent[0].charges == (("a|requests|1h", 1, 1), ("b|tokens|1h", 20, 20))
    assert road.restart == Progress(1, third)
    assert read(road, writer) == []
    assert road.size() == third + 8
    assert repr(road) == f"<Trail 000-a-00000001.jsonl offset={third} waiting=0>"


def test_limit_is_kept_roughly(writer: Writer) -> None:
    """Reading stops after a piece of the file when enough lines are read, and says that there may be more."""
    for number in range(1_000):
        writer.end(f"{number:0500}", ONE)
    road = trail(writer)
    spent, has_more = road.read((1,), 10)
    assert has_more
    assert 10 <= len(spent) < 1_000
    assert len(spent) + len(read(road, writer)) == 1_000


def test_line_longer_than_a_piece_is_read(writer: Writer) -> None:
    """However long."""
    writer.end("x" * 600_000, ONE)
    assert len(read(trail(writer), writer)) == 1


def test_pending_waits_for_its_exchange(writer: Writer) -> None:
    """Who begins again before it was told finds it again, whatever was told meanwhile."""
    writer.begin("1", charge("a|requests|1h", 5))
    other = writer.end("2", ONE)
    road = trail(writer)
    assert places(read(road, writer)) == [(place_of(1, other), (1,))]
    assert road.restart == START
    last = writer.end("1", ONE)
    assert places(read(road, writer)) == [(place_of(1, last), (1,))]
    assert road.restart == Progress(1, last)
    assert places(read(trail(writer), writer)) == [(place_of(1, other), (1,)), (place_of(1, last), (1,))]


@pytest.mark.parametrize("request_id", ["plain", 'quo"ted', "back\\slash", "ünï", ""])
def test_exchange_is_known_again_whatever_its_id(request_id: str, writer: Writer) -> None:
    """A pending line is not read as JSON where its id can be told without; both ways lead to the same."""
    writer.begin(request_id, charge("a|requests|1h", 5))
    end = writer.end(request_id, ONE)
    road = trail(writer)
    assert places(read(road, writer)) == [(place_of(1, end), (1,))]
    assert road.restart == Progress(1, end)
    begun = writer.begin(request_id, charge("a|requests|1h", 5))
    writer.die()
    assert places(read(road, writer)) == [(place_of(2, end + 1), (5,))]
    assert road.restart == Progress(1, begun)


def test_exchange_without_charges_ends_its_pending_line(writer: Writer) -> None:
    """It takes nothing, and says so for good."""
    writer.begin("1", charge("a|requests|1h", 5))
    writer.end("2")
    end = writer.end("1")
    road = trail(writer)
    assert read(road, writer) == []
    assert road.restart == Progress(1, end)
    writer.die()
    assert read(road, writer) == []


def test_pending_line_that_is_damaged_is_told_when_it_would_count(writer: Writer) -> None:
    """What it would have charged is lost; one that was cut off is told at once."""
    writer.write(b'{"kind":"pending","request_id":"1","exchange":{nonsense}}\n')
    writer.write(b'{"kind":"pending","request_id":"2","exch\n')
    road = trail(writer)
    assert read(road, writer) == []
    assert [each.offset for each in road.damages] == [58]
    writer.die()
    assert read(road, writer) == []
    assert [each.offset for each in road.damages] == [58, 0]
    assert road.is_over


def test_dead_writers_pending_lines_are_told_as_guessed(writer: Writer) -> None:
    """The newest guess of each exchange, behind all lines, in the order of writing, at the same places every time."""
    writer.begin("1", charge("a|requests|1h", 5))
    second = writer.begin("2", charge("a|requests|1h", 6))
    writer.begin("3", charge("a|requests|1h", 7))
    writer.begin("4")
    writer.rotate()
    writer.begin("1", charge("a|requests|1h", 8))
    last = writer.end("3", ONE)
    road = trail(writer)
    told = read(road, writer)
    writer.die()
    told += read(road, writer)
    assert [amount for _, amount in places(told)] == [(1,), (6,), (8,)]
    assert [each.place for each in told] == sorted(each.place for each in told)
    assert told[1].place < place_of(3, second)
    assert road.is_over
    assert road.restart == Progress(2, last)
    assert repr(road) == f"<Trail 000-a-00000002.jsonl offset={last} over>"
    assert read(road, writer) == []
    assert read(trail(writer), writer) == told


def test_damage_is_passed_over_and_told(writer: Writer) -> None:
    """Lines that are no events, and a last line that was never finished; the rest is not harmed."""
    writer.write(b"nonsense\n\xff\n")
    good = writer.end("1", ONE)
    writer.write(b"torn")
    road = trail(writer)
    writer.die()
    assert places(read(road, writer)) == [(place_of(1, good), (1,))]
    assert [(each.offset, each.length) for each in road.damages] == [(0, 8), (9, 1), (good, 4)]
    assert road.is_over


def test_missing_segments_are_told(writer: Writer) -> None:
    """What was deleted unread is a loss that is not kept silent."""
    writer.end("1", ONE)
    for _ in range(2):
        writer.rotate()
    last = writer.end("2", ONE)
    for number in (1, 2):
        (writer.directory / f"000-a-{number:08d}.jsonl").unlink()
    road = trail(writer)
    spent, _ = road.read((3,), 100)
    assert places(spent) == [(place_of(3, last), (1,))]
    assert [each.reason for each in road.damages] == ["missing, with all segments before 3"]


def test_gap_behind_a_segment_is_told(writer: Writer) -> None:
    """Also where it begins in the middle."""
    writer.end("1", ONE)
    road = trail(writer)
    assert len(read(road, writer)) == 1
    for _ in range(2):
        writer.rotate()
    (writer.directory / "000-a-00000002.jsonl").unlink()
    assert road.read((1, 3), 100) == ([], False)
    assert [each.segment for each in road.damages] == ["000-a-00000002.jsonl"]


def test_line_written_at_the_last_moment_is_not_lost(writer: Writer) -> None:
    """A writer may write and die between two looks of ours: what it wrote counts."""

    def dies_writing(directory: Path, incarnation: str, number: int) -> bool:
        if writer.path.stat().st_size == 0:
            writer.end("1", ONE)
            writer.die()
        return segments.is_abandoned(directory, incarnation, number)

    road = Trail(writer.directory, writer.incarnation, START, is_abandoned=dies_writing)
    assert len(road.read((1,), 100)[0]) == 1


def test_closed_trail_goes_on(writer: Writer) -> None:
    """Its file is opened again."""
    road = trail(writer)
    writer.end("1", ONE)
    assert len(read(road, writer)) == 1
    road.close()
    road.close()
    writer.end("2", ONE)
    assert len(read(road, writer)) == 1


@pytest.mark.parametrize("text", ["", "now", "2026-11-21T10:00:00Z"])
def test_time_that_is_none_is_the_present(text: str) -> None:
    """It lies later than every present, which is as late as a ledger charges."""
    assert began_at(text) == 1 << 60


def test_time_is_read() -> None:
    """To the millisecond."""
    assert began_at("1970-01-02T00:00:00.007Z") == 86_400_007


def test_notices_charge_nothing(writer: Writer) -> None:
    """They are passed over, as no damage."""
    writer.write(b'{"kind":"notice","id":"ntc_1","timestamp":"now","event":"circuit.opened","subject":"openai"}\n')
    end = writer.end("1", ONE)
    road = trail(writer)
    assert places(read(road, writer)) == [(place_of(1, end), (1,))]
    assert road.damages == []
