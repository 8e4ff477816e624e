"""Limits that are used up to a share of their maximum are told, once."""

import pytest

from sluicegate.control.notices.budgets import Budgets
from tests.control.notices.listening import Listener

DAY = "prj_a|usd|day"
ROLLING = "tok_a|tokens|1h"
EVER = "org_a|requests|lifetime"
HOUR = 3_600_000


class Watched:
    """What is watched, and who listens."""

    def __init__(self, percents: tuple[int, ...] = (80, 50, 100), *, most: int = 100) -> None:
        self.listener = Listener()
        self.percents = percents
        self.budgets = Budgets(
            self.listener, percents=lambda: self.percents, now=lambda: self.listener.now, most_accounts=most
        )

    def ask(self, account: str, used: int = 0, maximum: int = 1_000) -> None:
        """A worker asks."""
        self.budgets.asked(account, maximum, "org_a", used)

    def use(self, account: str, *amounts: int) -> list[object]:
        """So much is used in all, after each other; return the shares told of."""
        before = len(self.listener.facts)
        for used in amounts:
            self.budgets.used(account, used)
        return [facts["percent"] for facts in self.listener.facts[before:]]


def test_each_share_is_told_once_when_it_is_reached() -> None:
    """Neither before nor again, and with all there is to say."""
    watched = Watched()
    watched.ask(DAY)
    assert watched.use(DAY, 0, 499, 500, 501, 799, 800, 999, 999) == [50, 80]
    assert watched.use(DAY, 1_000, 1_001, 5_000) == [100]
    assert watched.listener.told == [("budget.threshold", "prj_a")] * 3
    assert watched.listener.organizations == ["org_a"] * 3
    assert watched.listener.facts[0] == {
        "account": DAY,
        "metric": "usd",
        "window": "day",
        "percent": 50,
        "used": 500,
        "maximum": 1_000,
    }
    assert len(set(watched.listener.occasions)) == 3
    assert repr(watched.budgets) == "<Budgets 1>"


def test_of_several_at_one_step_the_highest_is_told() -> None:
    """The others are told then, too, and not later."""
    watched = Watched()
    watched.ask(DAY)
    assert watched.use(DAY, 850, 400, 600, 900) == [80]


def test_what_is_used_when_it_is_asked_for_counts() -> None:
    """A worker that asks may be the first that this process hears of a limit from."""
    watched = Watched()
    watched.ask(DAY, used=500)
    watched.ask(DAY, used=500)
    assert [facts["percent"] for facts in watched.listener.facts] == [50]


def test_share_is_rounded_up_to_a_unit() -> None:
    """Half of three is not used up with one."""
    watched = Watched()
    watched.ask(DAY, maximum=3)
    assert watched.use(DAY, 1, 2, 3) == [50, 100]


def test_new_calendar_window_begins_anew() -> None:
    """What was told of yesterday is told of today, as another notice."""
    watched = Watched()
    watched.ask(DAY)
    assert watched.use(DAY, 500) == [50]
    assert watched.use(DAY, 0, 500) == []
    watched.listener.now += 24 * HOUR
    assert watched.use(DAY, 0, 500) == [50]
    assert len(set(watched.listener.occasions)) == 2


def test_rolling_window_is_told_again_after_its_length() -> None:
    """Use that goes up and down around a share is told no more often than once in the window's length."""
    watched = Watched()
    watched.ask(ROLLING)
    assert watched.use(ROLLING, 500, 400, 600) == [50]
    watched.listener.now += HOUR - 1
    assert watched.use(ROLLING, 400, 600) == []
    watched.listener.now += 1
    assert watched.use(ROLLING, 400, 600) == [50]
    assert len(set(watched.listener.occasions)) == 2


def test_lifetime_begins_anew_when_it_is_reset() -> None:
    """What lasts for ever is told once, unless what was used is set to nothing."""
    watched = Watched()
    watched.ask(EVER)
    assert watched.use(EVER, 500) == [50]
    watched.listener.now += 10_000 * HOUR
    assert watched.use(EVER, 501, 502) == []
    assert watched.use(EVER, 0, 500) == [50]
    assert len(set(watched.listener.occasions)) == 2


def test_changed_maximum_is_another_limit() -> None:
    """Who raises it wants to know of the new one; one who has not heard of that does not make the old one news."""
    watched = Watched()
    watched.ask(DAY, used=800)
    watched.ask(DAY, used=800, maximum=1_600)
    watched.ask(DAY, used=800)
    watched.ask(DAY, used=800, maximum=1_600)
    assert [(facts["percent"], facts["maximum"]) for facts in watched.listener.facts] == [(80, 1_000), (50, 1_600)]


def test_shares_in_force_count() -> None:
    """After a reload it is the new ones; none are none."""
    watched = Watched()
    watched.ask(DAY, used=400)
    watched.percents = (40,)
    watched.ask(DAY, used=400)
    watched.percents = ()
    watched.ask(DAY, used=1_000)
    assert watched.use(DAY, 2_000) == []
    assert [facts["percent"] for facts in watched.listener.facts] == [40]


@pytest.mark.parametrize(
    ("account", "maximum"), [("tok_a|concurrency|lifetime", 10), (DAY, 0), ("no account", 10), ("a|usd|nonsense", 10)]
)
def test_what_cannot_be_used_up_is_not_watched(account: str, maximum: int) -> None:
    """Requests at the same time are not used up, of nothing there is no half, and some names are none."""
    watched = Watched()
    watched.ask(account, used=10, maximum=maximum)
    assert watched.use(account, 10, 20) == []
    assert repr(watched.budgets) == "<Budgets 0>"


def test_limit_that_has_become_nothing_is_forgotten() -> None:
    """Its old maximum counts no more."""
    watched = Watched()
    watched.ask(DAY)
    watched.ask(DAY, maximum=0)
    assert watched.use(DAY, 1_000) == []


def test_memory_is_bounded() -> None:
    """With too many accounts all are forgotten, and known again when workers ask."""
    watched = Watched(most=2)
    for name in "abc":
        watched.ask(f"tok_{name}|usd|day")
    assert repr(watched.budgets) == "<Budgets 1>"
    assert watched.use("tok_a|usd|day", 1_000) == []
    watched.ask("tok_a|usd|day", used=1_000)
    assert watched.listener.told == [("budget.threshold", "tok_a")]
