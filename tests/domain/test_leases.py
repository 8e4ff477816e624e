"""What an account does with each operation."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from sluicegate.domain.leases import (
    REMEMBERED,
    STANDSTILL,
    Account,
    Ask,
    Close,
    Lease,
    Operation,
    Outcome,
    Reset,
    Settle,
    apply,
    balance,
)
from sluicegate.domain.limits import WindowError

NOW = 18_000_000 * 90_000
"""The beginning of a slot of five minutes, and of none of a day's."""

HOURS = "tok_x|tokens|5h"
DAY = "tok_x|usd|day"
LIFETIME = "tok_x|requests|lifetime"
CONCURRENCY = "tok_x|concurrency|lifetime"
ALL = (HOURS, DAY, LIFETIME, CONCURRENCY)

SECONDS_5H = 18_000_000
SLOT_5H = 300_000
DAY_ENDS = NOW // 86_400_000 * 86_400_000 + 86_400_000

ASK = Ask(HOURS, "a/1", maximum=100, seen=0, needed=1, wanted=1, returned=0, expires_at=NOW + 10_000)


def after(operations: list[tuple[Operation, int]], account: Account | None = None) -> tuple[Account, Outcome]:
    """The account, and the last outcome, after operations at moments."""
    account, outcome = account or Account(), None
    for operation, now in operations:
        account, outcome = apply(operation.account, account, operation, now)
    assert outcome is not None
    return account, outcome


def granted(name: str, units: int, holder: str = "a/1") -> Account:
    """An account of which a holder was given so much at NOW, until ten seconds later."""
    ask = replace(ASK, account=name, holder=holder, needed=units, wanted=units)
    return after([(ask, NOW)])[0]


@pytest.mark.parametrize(
    ("needed", "wanted", "gets"),
    [(1, 1, 1), (1, 25, 25), (1, 26, 25), (1, 100, 25), (30, 100, 30), (100, 100, 100), (101, 200, 0), (0, 10, 10)],
)
def test_a_quarter_of_what_is_free_is_granted_or_what_is_needed(needed: int, wanted: int, gets: int) -> None:
    """What is wanted, up to a quarter of what is free; what is needed, up to all of it; else nothing."""
    _, outcome = after([(replace(ASK, needed=needed, wanted=wanted), NOW)])
    assert (outcome.granted, outcome.leased, outcome.is_applied) == (gets, gets, True)


def test_leases_shrink_to_single_units_and_the_last_one_is_granted() -> None:
    """Asking for a hundred again and again, with one needed, ends with all granted, the last few one by one."""
    account, grants = Account(), [0]
    for _ in range(60):
        account, outcome = apply(HOURS, account, replace(ASK, seen=grants[-1], wanted=100), NOW)
        grants.append(outcome.granted)
    steps = [later - earlier for earlier, later in pairwise(grants) if later > earlier]
    assert grants[-1] == 100
    assert steps[0] == 25
    assert steps[-7:] == [1] * 7


def test_what_is_used_and_what_others_hold_is_not_free() -> None:
    """Free is the maximum less usage less all leases, the holder's own among them."""
    account = granted(HOURS, 40)
    account, _ = apply(HOURS, account, Settle(HOURS, "a/1", 0, 5, 20, 30, NOW), NOW)
    _, outcome = after([(replace(ASK, holder="b/1", needed=70, wanted=70), NOW)], account)
    assert (outcome.used, outcome.leased, outcome.granted) == (20, 80, 70)
    _, outcome = after([(replace(ASK, holder="b/1", needed=71, wanted=71), NOW)], account)
    assert (outcome.used, outcome.leased, outcome.granted) == (20, 10, 0)
    _, outcome = after([(replace(ASK, seen=40, needed=71, wanted=71), NOW)], account)
    assert outcome.granted == 40


def test_a_lowered_maximum_grants_nothing_until_usage_is_below_it() -> None:
    """More may be set aside than a new maximum; nothing is taken away, and a top-up is granted nothing."""
    _, outcome = after([(replace(ASK, maximum=10, seen=40, needed=0, wanted=5), NOW)], granted(HOURS, 40))
    assert (outcome.granted, outcome.leased) == (40, 40)


def test_a_lost_answer_is_given_again_and_not_twice() -> None:
    """A grant that its holder has not seen is what it gets; only what is lacking beyond it is granted."""
    account = granted(HOURS, 20)
    _, outcome = after([(replace(ASK, needed=20, wanted=20), NOW)], account)
    assert outcome.granted == 20
    _, outcome = after([(replace(ASK, needed=25, wanted=25), NOW)], account)
    assert outcome.granted == 25
    account, outcome = after([(replace(ASK, seen=20, needed=20, wanted=20), NOW)], account)
    assert outcome.granted == 40
    _, outcome = after([(replace(ASK, seen=20, needed=15, wanted=15), NOW)], account)
    assert (outcome.granted, outcome.leased) == (40, 40)


def test_a_lost_answer_is_given_though_nothing_is_free() -> None:
    """What was granted and not seen covers a need that could not be granted now."""
    account = granted(HOURS, 100)
    _, outcome = after([(replace(ASK, needed=60, wanted=60), NOW)], account)
    assert (outcome.granted, outcome.leased) == (100, 100)


def test_returned_units_are_free_at_once_and_once() -> None:
    """Returns are cumulative: telling them again, or an older figure, changes nothing."""
    account = granted(HOURS, 40)
    back = replace(ASK, seen=40, needed=0, wanted=0, returned=30)
    account, outcome = after([(back, NOW), (back, NOW), (replace(back, returned=10), NOW)], account)
    assert (outcome.leased, account.leases["a/1"].returned) == (10, 30)


@pytest.mark.parametrize(("name", "used"), [(HOURS, 30), (DAY, 30), (LIFETIME, 30), (CONCURRENCY, 0)])
def test_a_charge_ends_its_part_of_the_lease(name: str, used: int) -> None:
    """Used grows by the amount, the lease shrinks by what it is for; requests at the same time are never used up."""
    settle = Settle(name, "a/1", 0, 5, amount=30, leased=35, at=NOW)
    account, outcome = after([(settle, NOW)], granted(name, 40))
    assert (outcome.used, outcome.leased, outcome.granted, outcome.position) == (used, 5, 40, 5)
    assert outcome.is_applied
    assert outcome.frees_at == balance(name, account, NOW).ends_at
    again, outcome = after([(settle, NOW)], account)
    assert not outcome.is_applied
    assert (again, outcome.position) == (account, 5)


@pytest.mark.parametrize("since", [4, 6])
def test_a_charge_out_of_turn_does_not_apply(since: int) -> None:
    """Only what follows the position exactly applies; the outcome tells the position to go on from."""
    account, _ = after([(Settle(HOURS, "a/1", 0, 5, 10, 10, NOW), NOW)], granted(HOURS, 40))
    same, outcome = after([(Settle(HOURS, "a/1", since, 9, 10, 10, NOW), NOW)], account)
    assert (same, outcome.is_applied, outcome.position, outcome.used) == (account, False, 5, 10)


def test_a_charge_without_a_lease_applies_once() -> None:
    """A holder that was never granted anything is charged all the same, and its position is kept."""
    settle = Settle(HOURS, "a/1", 0, 5, 10, 0, NOW)
    _, outcome = after([(settle, NOW), (settle, NOW)])
    assert (outcome.used, outcome.leased, outcome.position, outcome.is_applied) == (10, 0, 5, False)
    _, outcome = after([(replace(settle, since=3), NOW)])
    assert (outcome.used, outcome.position, outcome.is_applied) == (0, 0, False)


def test_a_charge_counts_from_when_it_was_used() -> None:
    """It goes into the slot of its moment; into none, where that has left; never into the future."""
    account = granted(HOURS, 40)
    early, late = NOW - SLOT_5H, NOW + 3 * SLOT_5H
    account, _ = after([(Settle(HOURS, "a/1", 0, 1, 10, 10, early), NOW)], account)
    account, _ = after([(Settle(HOURS, "a/1", 1, 2, 7, 7, late), NOW)], account)
    account, outcome = after([(Settle(HOURS, "a/1", 2, 3, 5, 5, NOW - SECONDS_5H), NOW)], account)
    assert account.slots == {early // SLOT_5H: 10, NOW // SLOT_5H: 7, (NOW - SECONDS_5H) // SLOT_5H: 5}
    account, outcome = after([(Settle(HOURS, "a/1", 3, 4, 5, 5, NOW - SECONDS_5H - 1), NOW)], account)
    assert (outcome.used, outcome.leased, outcome.position) == (22, 13, 4)


def test_a_charge_of_the_future_counts_from_now() -> None:
    """Where a node's clock is ahead, what it used without a lease is used now."""
    account, _ = after([(Settle(HOURS, "a/1", 0, 1, 10, 0, NOW + SLOT_5H), NOW)])
    assert account.slots == {NOW // SLOT_5H: 10}


def test_a_charge_of_yesterday_does_not_count_today() -> None:
    """A day's charge is one of the day at which it was used."""
    account = granted(DAY, 40)
    _, outcome = after([(Settle(DAY, "a/1", 0, 1, 10, 10, DAY_ENDS - 1), DAY_ENDS)], account)
    assert (outcome.used, outcome.leased, outcome.is_applied) == (0, 0, True)
    _, outcome = after([(Settle(DAY, "a/1", 0, 1, 10, 0, DAY_ENDS), DAY_ENDS)], account)
    assert outcome.used == 10


def test_a_charge_of_more_than_its_lease_takes_all_of_it() -> None:
    """Outstanding does not fall below zero, and what is granted later is not hidden by it."""
    account, outcome = after([(Settle(HOURS, "a/1", 0, 1, 50, 50, NOW), NOW)], granted(HOURS, 40))
    assert (outcome.used, outcome.leased) == (50, 0)
    _, outcome = after([(replace(ASK, seen=40, needed=10, wanted=10), NOW)], account)
    assert outcome.leased == 10


def test_what_a_lease_covers_is_charged_no_later_than_it_was_good_for() -> None:
    """Beyond that, as by a soft limit, what was used counts from when it was."""
    account = granted(HOURS, 1)
    used_at = NOW + 2 * SLOT_5H
    account, outcome = after([(Settle(HOURS, "a/1", 0, 1, 500, 1, used_at), used_at)], account)
    assert account.slots == {NOW // SLOT_5H: 1, used_at // SLOT_5H: 499}
    assert (outcome.used, outcome.leased) == (500, 0)


@pytest.mark.parametrize(
    ("name", "lapses"),
    [(HOURS, NOW + SLOT_5H + SECONDS_5H), (DAY, DAY_ENDS), (LIFETIME, None), (CONCURRENCY, NOW + 10_000)],
)
def test_an_expired_lease_counts_as_long_as_what_it_may_have_been_spent_on(name: str, lapses: int | None) -> None:
    """Presumed spent at the last moment, it is not sold twice; where that could not count any more, it is free."""
    account = granted(name, 40)
    if lapses is None:
        assert balance(name, account, NOW + 400 * 86_400_000).leased == 40
        return
    assert balance(name, account, lapses - 1).leased == 40
    assert balance(name, account, lapses).leased == 0


@pytest.mark.parametrize("name", [HOURS, DAY])
def test_a_lapsed_lease_gets_nothing_before_it_is_over(name: str) -> None:
    """Its holder, back again, is not renewed and granted nothing until all is settled or returned."""
    later = DAY_ENDS + SECONDS_5H
    back = replace(ASK, account=name, seen=40, needed=5, wanted=5, returned=10, expires_at=later + 10_000)
    account, outcome = after([(back, later)], granted(name, 40))
    assert (outcome.granted, outcome.leased, outcome.is_applied) == (40, 0, False)
    account, outcome = after([(Settle(name, "a/1", 0, 1, 30, 30, NOW + 1), later)], account)
    assert (outcome.used, outcome.leased) == (0, 0)
    _, outcome = after([(back, later)], account)
    assert (outcome.granted, outcome.leased, outcome.is_applied) == (45, 5, True)


def test_of_a_lapsed_lease_what_was_not_heard_of_is_void() -> None:
    """A grant whose answer was lost may not be spent in another window; a holder that had nothing else goes on."""
    later = DAY_ENDS + SECONDS_5H
    back = replace(ASK, account=DAY, needed=5, wanted=5, expires_at=later + 10_000)
    _, outcome = after([(back, later)], granted(DAY, 40))
    assert (outcome.granted, outcome.leased, outcome.is_applied) == (5, 5, True)
    _, outcome = after([(replace(back, seen=10), later)], granted(DAY, 40))
    assert (outcome.granted, outcome.leased, outcome.is_applied) == (10, 0, False)


def test_a_void_grant_is_not_given_where_nothing_is_free() -> None:
    """Others hold all of the new window: the grant that was lost in the old one is forgotten, and not given again."""
    later = DAY_ENDS + SECONDS_5H
    back = replace(ASK, account=DAY, needed=5, wanted=5, expires_at=later + 10_000)
    account, _ = after([(replace(back, holder="b/1", needed=100, wanted=100), later)], granted(DAY, 40))
    for ask in (back, replace(back, needed=0, wanted=0)):
        left, outcome = after([(ask, later)], account)
        assert (outcome.granted, outcome.leased) == (0, 100)
        assert set(left.leases) == {"b/1"}


def test_a_lease_that_ends_with_its_window_goes_on_in_the_next() -> None:
    """Its last millisecond is the first of the new window: what is held may still be spent there, and is renewed."""
    account, _ = after([(replace(ASK, account=DAY, needed=40, wanted=40, expires_at=DAY_ENDS), NOW)])
    assert balance(DAY, account, DAY_ENDS).leased == 40
    back = replace(ASK, account=DAY, seen=40, needed=5, wanted=5, expires_at=DAY_ENDS + 10_000)
    _, outcome = after([(back, DAY_ENDS)], account)
    assert (outcome.granted, outcome.leased, outcome.is_applied) == (45, 45, True)


def test_requests_at_the_same_time_come_back_with_their_holder() -> None:
    """They still run: the lease counts again, and nothing is granted beyond the maximum."""
    back = replace(ASK, account=CONCURRENCY, maximum=40, seen=40, expires_at=NOW + 90_000)
    _, outcome = after([(back, NOW + 60_000)], granted(CONCURRENCY, 40))
    assert (outcome.granted, outcome.leased, outcome.is_applied) == (40, 40, True)


@pytest.mark.parametrize("late", [0, 1])
def test_an_ask_after_its_own_end_only_returns(late: int) -> None:
    """It grants and renews nothing, whatever it says."""
    account, outcome = after(
        [(replace(ASK, seen=40, needed=5, wanted=5, returned=15), ASK.expires_at + late)], granted(HOURS, 40)
    )
    assert (outcome.granted, outcome.leased, outcome.is_applied, outcome.frees_at) == (40, 25, False, None)
    assert account.leases["a/1"].expires_at == ASK.expires_at


def test_an_earlier_end_does_not_shorten_a_lease() -> None:
    """Messages may overtake each other."""
    ask = replace(ASK, seen=40, needed=0, wanted=0)
    account, _ = after([(replace(ask, expires_at=NOW + 50_000), NOW), (ask, NOW)], granted(HOURS, 40))
    assert account.leases["a/1"].expires_at == NOW + 50_000


@pytest.mark.parametrize("name", ALL)
def test_a_closed_lease_is_free_and_gets_nothing(name: str) -> None:
    """Closing gives back what is outstanding; once more it changes nothing; asks of the dead change nothing."""
    close = Close(name, "a/1")
    account, outcome = after([(Settle(name, "a/1", 0, 5, 10, 10, NOW), NOW), (close, NOW)], granted(name, 40))
    assert (outcome.leased, outcome.position) == (0, 5)
    assert account.leases["a/1"] == Lease(40, 10, 30, 5, NOW, is_closed=True)
    same, outcome = after([(close, NOW + 5), (replace(ASK, account=name, needed=50, wanted=50), NOW + 5)], account)
    assert (same.leases, outcome.leased, outcome.granted, outcome.is_applied) == (account.leases, 0, 40, False)
    assert outcome.frees_at == balance(name, account, NOW + 5).ends_at


def test_closing_what_there_is_not_changes_nothing() -> None:
    """A holder that never had anything leaves no trace."""
    account, outcome = after([(Close(HOURS, "a/1"), NOW)])
    assert account == Account(seen_at=NOW)
    assert (outcome.granted, outcome.position, outcome.is_applied) == (0, 0, True)


def test_a_refused_holder_leaves_no_trace() -> None:
    """An ask that is granted nothing makes no lease."""
    account, _ = after([(replace(ASK, needed=101, wanted=101), NOW)])
    assert account.leases == {}


def test_a_reset_forgets_usage_and_keeps_leases() -> None:
    """What is set aside stays so."""
    account, _ = after([(Settle(HOURS, "a/1", 0, 5, 10, 10, NOW), NOW)], granted(HOURS, 40))
    account, outcome = after([(Reset(HOURS), NOW)], account)
    assert (account.slots, outcome.used, outcome.leased) == ({}, 0, 30)


def test_time_does_not_run_backwards() -> None:
    """An earlier moment is taken for the latest that the account has seen, by its balance too."""
    account, outcome = after([(Reset(DAY), DAY_ENDS), (Reset(DAY), DAY_ENDS - 1)])
    assert (outcome.now, account.seen_at) == (DAY_ENDS, DAY_ENDS)
    assert balance(DAY, account, DAY_ENDS - 1).began_at == DAY_ENDS


@pytest.mark.parametrize(("back", "stands_still"), [(STANDSTILL, True), (STANDSTILL + 1, False)])
def test_time_stands_still_for_an_hour_at_most(back: int, *, stands_still: bool) -> None:
    """A clock that is put back by more was wrong: it is followed, and what was charged ahead of it counts on."""
    ahead = NOW + back
    _, outcome = after([(Settle(DAY, "a/1", 0, 5, 10, 0, ahead), ahead), (replace(ASK, account=DAY), NOW)])
    assert outcome.now == (ahead if stands_still else NOW)
    assert outcome.used == 10


def test_what_does_not_count_is_dropped() -> None:
    """Slots that have left and leases long over are not kept."""
    account = granted(HOURS, 40)
    for number in range(100):
        settle = Settle(HOURS, "a/1", number, number + 1, 1, 0, NOW + number * SLOT_5H)
        account, _ = after([(settle, settle.at)], account)
    assert len(account.slots) == 61


@pytest.mark.parametrize(
    ("name", "forgotten"),
    [
        (HOURS, NOW + SLOT_5H + SECONDS_5H + REMEMBERED),
        (DAY, DAY_ENDS + REMEMBERED),
        (CONCURRENCY, NOW + REMEMBERED),
        (LIFETIME, NOW + REMEMBERED + 1),
    ],
)
def test_a_lease_is_remembered_for_a_week_after_it_has_ceased_to_count(name: str, forgotten: int) -> None:
    """Until then its position keeps charges from being repeated; in a lifetime, a week after it was over."""
    account, _ = after([(Close(name, "a/1"), NOW)], granted(name, 40))
    nothing = Reset(name)
    assert after([(nothing, forgotten - 1)], account)[0].leases
    last = forgotten + (86_400_000 if name == DAY else SLOT_5H)
    assert not after([(nothing, last)], account)[0].leases


def test_what_may_have_been_spent_of_a_lifetime_is_never_forgotten() -> None:
    """A holder that never came back keeps what it held."""
    account, outcome = after([(Reset(LIFETIME), NOW + 1000 * 86_400_000)], granted(LIFETIME, 40))
    assert (outcome.leased, len(account.leases)) == (40, 1)


def test_a_forgotten_holder_starts_with_nothing_outstanding() -> None:
    """All that it tells of is over; what it asks for is granted beyond that."""
    _, outcome = after([(replace(ASK, seen=70, returned=20, needed=5, wanted=5), NOW)])
    assert (outcome.granted, outcome.leased) == (75, 5)


def test_a_holder_that_knows_of_more_is_right() -> None:
    """A ledger that has lost its last steps takes as set aside what the holder tells of."""
    ask = replace(ASK, seen=60, needed=5, wanted=5)
    for maximum, leased in ((100, 65), (40, 60)):
        _, outcome = after([(replace(ask, maximum=maximum), NOW)], granted(HOURS, 40))
        assert (outcome.granted, outcome.leased) == (leased, leased)


def test_when_enough_is_free_again_is_told_to_the_millisecond() -> None:
    """For what was needed and not granted: when as much has left, used or set aside; an ask then is granted."""
    account = granted(HOURS, 60)
    account, _ = after([(Settle(HOURS, "a/1", 0, 1, 10, 10, NOW - SLOT_5H), NOW)], account)
    account, _ = after([(Settle(HOURS, "a/1", 1, 2, 20, 20, NOW), NOW)], account)
    frees = [NOW + SECONDS_5H, NOW + SECONDS_5H + SLOT_5H, NOW + SECONDS_5H + SLOT_5H, None]
    for needed, frees_at in zip((50, 51, 100, 101), frees, strict=True):
        ask = replace(ASK, holder="b/1", needed=needed, wanted=needed)
        _, outcome = after([(ask, NOW)], account)
        assert (outcome.granted, outcome.frees_at) == (0, frees_at)
        if frees_at is not None:
            in_time = replace(ask, expires_at=frees_at + 1)
            assert after([(in_time, frees_at - 1)], account)[1].granted == 0
            assert after([(in_time, frees_at)], account)[1].granted == needed


@pytest.mark.parametrize(
    ("name", "short", "otherwise"),
    [(DAY, DAY_ENDS, DAY_ENDS), (LIFETIME, None, None), (CONCURRENCY, NOW + 10_000, None)],
)
def test_when_other_windows_free_enough(name: str, short: int | None, otherwise: int | None) -> None:
    """A day at its end, a lifetime never; requests at the same time when their lease has expired."""
    account = granted(name, 40)
    _, outcome = after([(replace(ASK, account=name, holder="b/1", needed=61, wanted=61), NOW)], account)
    assert (outcome.granted, outcome.frees_at) == (0, short)
    _, outcome = after([(replace(ASK, account=name, holder="b/1", needed=60, wanted=60), NOW)], account)
    assert (outcome.granted, outcome.frees_at) == (60, otherwise)


def test_a_lease_frees_its_units_after_its_last_moment() -> None:
    """A request that asks at that very moment is told of it, not that nothing will be free."""
    ask = replace(ASK, account=CONCURRENCY, holder="b/1", needed=61, wanted=61, expires_at=NOW + 90_000)
    _, outcome = after([(ask, NOW + 10_000)], granted(CONCURRENCY, 40))
    assert (outcome.granted, outcome.frees_at) == (61, None)
    _, outcome = after([(ask, NOW + 9_999)], granted(CONCURRENCY, 40))
    assert (outcome.granted, outcome.frees_at) == (0, NOW + 10_000)


def test_requests_at_the_same_time_do_not_wait_for_what_is_free_already() -> None:
    """An expired lease frees nothing more."""
    ask = replace(ASK, account=CONCURRENCY, holder="b/1", needed=101, wanted=101, expires_at=NOW + 90_000)
    _, outcome = after([(ask, NOW + 60_000)], granted(CONCURRENCY, 40))
    assert outcome.frees_at is None


@pytest.mark.parametrize(
    ("name", "began_at", "ends_at"),
    [
        (HOURS, NOW, NOW + SLOT_5H + SECONDS_5H),
        (DAY, DAY_ENDS - 86_400_000, DAY_ENDS),
        (LIFETIME, None, None),
        (CONCURRENCY, None, None),
    ],
)
def test_a_balance_tells_when_its_window_began_and_ends(name: str, began_at: int | None, ends_at: int | None) -> None:
    """A rolling window's are those of the oldest slot that counts; those of a calendar are there without usage too."""
    account, _ = after([(Settle(name, "a/1", 0, 5, 10, 15, NOW + 1), NOW + 1)], granted(name, 40))
    shown = balance(name, account, NOW + 2)
    assert (shown.account, shown.leased, shown.began_at, shown.ends_at) == (name, 25, began_at, ends_at)
    later = Settle(name, "a/1", 5, 6, 10, 10, NOW + SLOT_5H)
    account, _ = after([(later, NOW + SLOT_5H)], account)
    shown = balance(name, account, NOW + SLOT_5H)
    assert (shown.began_at, shown.ends_at) == (began_at, ends_at)
    empty = balance(name, Account(), NOW)
    assert (empty.used, empty.leased) == (0, 0)
    assert (empty.began_at, empty.ends_at) == ((began_at, ends_at) if name == DAY else (None, None))


def test_what_is_no_account_is_refused() -> None:
    """A name that is not of a scope, a metric and a window."""
    with pytest.raises(WindowError):
        apply("tok_x", Account(), Reset("tok_x"), NOW)
