"""All journals of a node."""

from pathlib import Path

from sluicegate.control.limits.trail import place_of
from sluicegate.control.limits.unsettled import Unsettled
from sluicegate.events.checkpoint import Checkpoint, Progress
from tests.control.limits.journals import Writer, charge

ONE = charge("a|requests|1h", 1)


def test_every_incarnation_is_read_to_its_end(tmp_path: Path) -> None:
    """Where each writer is gone, that is told; what is over is not read again, and forgotten with its segments."""
    living, dying = Writer(tmp_path, "000-a"), Writer(tmp_path, "001-b")
    first, second = living.end("1", ONE), dying.end("2", ONE)
    unsettled = Unsettled(tmp_path, Checkpoint())
    dying.die()
    reading = unsettled.read(100)
    assert {each: [one.place for one in reading.spent[each]] for each in reading.spent} == {
        "000-a": [place_of(1, first)],
        "001-b": [place_of(1, second)],
    }
    assert (set(reading.found), set(reading.over), reading.has_more) == ({"000-a", "001-b"}, {"001-b"}, False)
    assert reading.checkpoint == Checkpoint({"000-a": Progress(1, first), "001-b": Progress(1, second)})
    assert repr(unsettled) == f"<Unsettled {tmp_path} open=1>"
    again = unsettled.read(100)
    assert (again.spent, set(again.over)) == ({}, {"001-b"})
    dying.path.unlink()
    assert unsettled.read(100).found == {"000-a"}
    unsettled.close()
    living.die()


def test_reading_begins_at_the_checkpoint(tmp_path: Path) -> None:
    """What is before it is not told again."""
    writer = Writer(tmp_path, "000-a")
    start = writer.end("1", ONE)
    writer.end("2", ONE)
    unsettled = Unsettled(tmp_path, Checkpoint({"000-a": Progress(1, start)}))
    assert len(unsettled.read(100).spent["000-a"]) == 1
    unsettled.close()
    writer.die()


def test_everybody_gets_a_share(tmp_path: Path) -> None:
    """A busy incarnation does not keep the others waiting until it is read to its end."""
    busy, idle = Writer(tmp_path, "000-a"), Writer(tmp_path, "001-b")
    for number in range(1_000):
        busy.end(f"{number:0500}", ONE)
    idle.end("1", ONE)
    unsettled = Unsettled(tmp_path, Checkpoint())
    reading = unsettled.read(2)
    assert reading.has_more
    assert len(reading.spent["001-b"]) == 1
    assert len(reading.spent["000-a"]) < 1_000
    unsettled.close()
    for writer in (busy, idle):
        writer.die()


def test_damage_is_told_once(tmp_path: Path) -> None:
    """And only with the reading that met it."""
    writer = Writer(tmp_path, "000-a")
    writer.write(b"nonsense\n")
    unsettled = Unsettled(tmp_path, Checkpoint())
    assert len(unsettled.read(100).damages) == 1
    assert unsettled.read(100).damages == ()
    unsettled.close()
    writer.die()


def test_traces_change_with_the_journal(tmp_path: Path) -> None:
    """With every line and every segment; they stay as they are where nothing happens."""
    directory = tmp_path / "events"
    unsettled = Unsettled(directory, Checkpoint())
    seen = [unsettled.traces()]
    assert unsettled.read(100).found == frozenset()
    writer = Writer(directory, "000-a")
    seen.append(unsettled.traces())
    unsettled.read(100)
    seen.append(unsettled.traces())
    assert unsettled.traces() == seen[-1]
    writer.end("1", ONE)
    seen.append(unsettled.traces())
    assert len(set(seen)) == len(seen)
    unsettled.close()
    writer.die()
