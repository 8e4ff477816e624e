"""Telling an edit made from an older copy of the file from one that means what it says."""

from typing import Any

from sluicegate.control.key_file.remembered import REMEMBERED, Remembered

KEY = b"digest"


def state(total: int) -> dict[str, Any]:
    """Usage fields of an entry that was used so much."""
    windows = [{"window_start": "2026-01-01T00:00:00Z", "tokens_used": total}]
    return {"total_lifetime_tokens": total, "last_used": f"2026-01-01T00:00:{total % 60:02}Z", "usage_windows": windows}


def remembered(*totals: int) -> Remembered:
    """Has seen these, one after the other."""
    made = Remembered()
    for total in totals:
        made.learn(KEY, state(total))
    return made


def test_an_earlier_state_is_outdated() -> None:
    """It gets the latest usage again, and keeps what else its editor wrote."""
    seen = remembered(1, 2, 3)
    raw = state(1) | {"name": "Ann"}
    assert seen.is_outdated(KEY, raw)
    seen.restore(KEY, raw)
    assert raw == state(3) | {"name": "Ann"}
    assert repr(seen) == "<Remembered keys=1>"


def test_the_latest_and_the_unknown_are_not() -> None:
    """What is as we know it needs nothing; what we never saw is somebody's wish, or another gateway's usage."""
    seen = remembered(1, 2)
    assert not seen.is_outdated(KEY, state(2))
    assert not seen.is_outdated(KEY, state(9))
    assert not seen.is_outdated(b"other", state(1))


def test_a_reset_is_a_wish() -> None:
    """A key that is set back to nothing has been so before, at its beginning; it stays so nevertheless."""
    seen = Remembered()
    for raw in ({}, {"total_lifetime_tokens": 0, "last_used": None}, state(1), state(2)):
        seen.learn(KEY, raw)
    assert not seen.is_outdated(KEY, {})
    assert not seen.is_outdated(KEY, {"total_lifetime_tokens": 0, "last_used": None})


def test_learning_the_same_again_changes_nothing() -> None:
    """A file is read more often than it changes."""
    assert remembered(1, *[2] * REMEMBERED * 2).is_outdated(KEY, state(1))


def test_only_so_many_states_are_remembered() -> None:
    """The memory is bounded; the oldest go first."""
    seen = remembered(*range(1, REMEMBERED + 3))
    assert not seen.is_outdated(KEY, state(1))
    assert seen.is_outdated(KEY, state(2))
