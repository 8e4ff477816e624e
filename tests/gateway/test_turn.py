"""The order of what ends in one loop turn."""

from collections.abc import Callable

from sluicegate.gateway.turn import Turn


def test_the_journal_is_written_before_any_answer_ends() -> None:
    """One callback a turn: first the journal's write, then the ends, in order."""
    due: list[Callable[[], None]] = []
    told: list[bytes] = []
    turn = Turn(schedule=due.append)
    turn.end(told.append, b"one")
    turn.write_first(lambda: told.append(b"journal"))
    turn.end(told.append, b"two")
    assert repr(turn) == "<Turn ends=2>"
    assert len(due) == 1
    due.pop()()
    assert told == [b"journal", b"one", b"two"]


def test_each_turn_is_scheduled_anew() -> None:
    """What comes after a turn waits for the next one, and writes the journal only if it must."""
    due: list[Callable[[], None]] = []
    told: list[bytes] = []
    turn = Turn(schedule=due.append)
    turn.write_first(lambda: told.append(b"journal"))
    due.pop()()
    turn.end(told.append, b"end")
    due.pop()()
    assert told == [b"journal", b"end"]


def test_an_end_may_begin_another() -> None:
    """What an end causes waits for the next turn, behind its own record."""
    due: list[Callable[[], None]] = []
    told: list[bytes] = []
    turn = Turn(schedule=due.append)

    def first(data: bytes) -> None:
        told.append(data)
        turn.end(told.append, b"next")

    turn.end(first, b"first")
    due.pop(0)()
    assert told == [b"first"]
    due.pop(0)()
    assert told == [b"first", b"next"]
