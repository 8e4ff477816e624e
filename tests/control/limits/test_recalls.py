"""Who is reminded, and how often."""

from sluicegate.control.limits.recalls import PAUSE, Recalls, is_short
from sluicegate.domain.leases import Ask, Outcome


def ask(*, needed: int, seen: int = 0, maximum: int = 10) -> Ask:
    """An ask for so much."""
    return Ask("a", "n/1", maximum, seen, needed, needed, 0, 0)


def got(granted: int, *, used: int = 0) -> Outcome:
    """What came of it."""
    return Outcome("a", used, 0, granted, 0, None, 0)


def test_short_is_who_waits_for_others() -> None:
    """Not who got what he needs, nor who asks for more than will ever be free."""
    assert is_short(ask(needed=5), got(0, used=5))
    assert not is_short(ask(needed=5), got(0, used=6))
    assert not is_short(ask(needed=5), got(5))
    assert is_short(ask(needed=5, seen=7), got(11))


def test_not_too_often() -> None:
    """An account is recalled once in a while only, whoever is short of it; others are not held up by that."""
    recalls = Recalls()
    assert recalls.due([("a", 1), ("a", 1), ("b", 1)], 100.0) == {frozenset({1}): ["a", "b"]}
    assert recalls.due([("a", 2), ("c", 2)], 100.0 + PAUSE / 2) == {frozenset({2}): ["c"]}
    assert recalls.due([("a", 2)], 100.0 + PAUSE * 1.01) == {frozenset({2}): ["a"]}


def test_two_who_are_short_are_both_reminded() -> None:
    """Each may have set aside more than the other needs."""
    assert Recalls().due([("a", 1), ("a", 2), ("b", 2)], 5.0) == {frozenset(): ["a"], frozenset({2}): ["b"]}


def test_old_ones_are_forgotten() -> None:
    """What is remembered stays small however many accounts there are."""
    recalls = Recalls()
    recalls.due([(str(number), 1) for number in range(1_000)], 100.0)
    assert repr(recalls) == "<Recalls 1000>"
    recalls.due([("a", 1)], 200.0)
    assert repr(recalls) == "<Recalls 1>"
