"""How much a key was used: slots of five minutes, five hours of them, and a total that only grows."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.control.key_file.usage import SLOT, WINDOW, Usage, add, used, written

NOW = 1_800_000_123.0
uses = st.lists(st.tuples(st.integers(0, 10_000), st.floats(NOW - 3 * WINDOW, NOW)), max_size=20)


def made(found: list[tuple[int, float]]) -> Usage:
    """All of these uses together."""
    usage = Usage()
    for tokens, at in found:
        usage = usage.and_then(tokens, at)
    return usage


def test_uses_of_five_minutes_share_a_slot() -> None:
    """A window of the file begins with its slot; times are UTC to the millisecond."""
    raw: dict[str, Any] = {}
    add(raw, made([(5, NOW), (6, NOW + 1), (7, NOW - 200)]), now=NOW)
    assert raw == {
        "usage_windows": [
            {"window_start": "2027-01-15T07:55:00.000Z", "tokens_used": 7},
            {"window_start": "2027-01-15T08:00:00.000Z", "tokens_used": 11},
        ],
        "total_lifetime_tokens": 18,
        "last_used": "2027-01-15T08:02:04.000Z",
    }


def test_adding_goes_on_from_what_the_file_says() -> None:
    """The slot that is there is added to, whoever has begun it, and a later last use stays."""
    raw = {
        "usage_windows": [{"window_start": "2027-01-15T09:00:00+01:00", "tokens_used": 1, "note": "x"}],
        "total_lifetime_tokens": 100,
        "last_used": "2027-01-15T09:00:00Z",
    }
    add(raw, made([(5, NOW)]), now=NOW)
    assert raw["usage_windows"] == [{"window_start": "2027-01-15T09:00:00+01:00", "tokens_used": 6, "note": "x"}]
    assert (raw["total_lifetime_tokens"], raw["last_used"]) == (105, "2027-01-15T09:00:00Z")


def test_windows_that_are_over_are_left_out() -> None:
    """The oldest slot counts whole until its last moment is five hours ago."""
    slot = int(NOW) // SLOT * SLOT
    raw: dict[str, Any] = {}
    add(raw, made([(5, slot)]), now=NOW)
    end = slot + SLOT + WINDOW
    assert (used(raw, end - 1), used(raw, end)) == (5, 0)
    add(raw, Usage(), now=end - 1)
    assert len(raw["usage_windows"]) == 1
    add(raw, Usage(), now=end)
    assert (raw["usage_windows"], raw["total_lifetime_tokens"]) == ([], 5)


@given(uses, uses)
def test_adding_twice_or_once_is_the_same(one: list[tuple[int, float]], other: list[tuple[int, float]]) -> None:
    """What waited because it could not be written, and what came meanwhile, end up in the file alike."""
    together: dict[str, Any] = {}
    apart: dict[str, Any] = {}
    add(together, made(one).and_all(made(other)), now=NOW)
    add(apart, made(one), now=NOW)
    add(apart, made(other), now=NOW)

    def windows(raw: dict[str, Any]) -> set[tuple[str, int]]:
        return {(window["window_start"], window["tokens_used"]) for window in raw["usage_windows"]}

    assert windows(together) == windows(apart)
    assert together["total_lifetime_tokens"] == sum(tokens for tokens, _ in one + other)
    assert together["last_used"] == apart["last_used"]


@given(uses)
def test_what_counts_is_at_least_what_was_used_in_five_hours(found: list[tuple[int, float]]) -> None:
    """And at most what was used in one slot more; and never more than 61 windows are kept."""
    raw: dict[str, Any] = {}
    add(raw, made(found), now=NOW)
    counted = used(raw, NOW)
    assert sum(tokens for tokens, at in found if at > NOW - WINDOW) <= counted
    assert counted <= sum(tokens for tokens, at in found if at > NOW - WINDOW - 2 * SLOT)
    assert len(raw["usage_windows"]) <= WINDOW // SLOT + 2


def test_the_file_is_not_changed_behind_its_back() -> None:
    """Windows are copied: what somebody else holds of the entry stays what it was."""
    window = {"window_start": written(int(NOW) // SLOT * SLOT), "tokens_used": 1}
    add({"usage_windows": [window]}, made([(5, NOW)]), now=NOW)
    assert window["tokens_used"] == 1
