"""Reservations: who may begin, who waits, in which order, and that nothing is lost on the way."""

import asyncio
from collections.abc import Iterator

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings

from sluicegate.domain.events import Charge
from sluicegate.domain.limits import Calendar, Lifetime, Limit, Rolling
from sluicegate.domain.principal import Principal
from sluicegate.gateway import budgets as module
from sluicegate.gateway.budgets import HOLDING_SECONDS, LARGEST_SURPLUS, Budgets
from sluicegate.gateway.prices import LONGEST_NAMED
from sluicegate.gateway.purses import TOKENS as TOKENS_METRIC
from sluicegate.gateway.purses import Reservation, amounts
from tests.gateway.ledger import HOLDER, VALIDITY, PlayedLedger
from tests.gateway.limits import PLACES, REQUESTS, TOKENS, USD, whose

WAIT = 5.0


class Counter:
    """Budgets, the ledger behind them, and a clock."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.now = 1000.0
        self.ledger = PlayedLedger(self.loop, lambda: self.now)
        self.budgets = Budgets(self.ledger, clock=lambda: self.now, loop=self.loop)

    def asks(self, principal: Principal, tokens: int = 0, usd: int = 0) -> Reservation:
        """A request comes, and the loop runs."""
        reservation = self.comes(principal, tokens, usd)
        self.runs()
        return reservation

    def comes(self, principal: Principal, tokens: int = 0, usd: int = 0) -> Reservation:
        """A request comes."""
        purse = self.budgets.purse_of(principal)
        return self.budgets.reserve(purse, amounts(tokens, usd), self.now, WAIT)

    def runs(self) -> None:
        for _ in range(8):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def ticks(self, seconds: float = 0.05) -> None:
        """Time passes."""
        self.now += seconds
        self.budgets.tick()
        self.runs()


@pytest.fixture
def counter() -> Iterator[Counter]:
    """A counter of its own."""
    made = Counter()
    yield made
    made.loop.close()


def test_a_purse_is_compiled_once(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the principal is the same object; only so many are kept."""
    principal = whose(REQUESTS)
    purse = counter.budgets.purse_of(principal)
    assert counter.budgets.purse_of(principal) is purse
    again = counter.budgets.purse_of(whose(REQUESTS))
    assert again is not purse
    assert again.accounts == purse.accounts
    monkeypatch.setattr(module, "LARGEST_PURSES", 1)
    counter.budgets.purse_of(whose(REQUESTS, token="tok_2"))
    assert repr(counter.budgets).startswith("<Budgets purses=1 waiting=0")


def test_limits_of_a_forgotten_token_stay_those_of_others(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """One account of an organisation, however many of its tokens come and go; what nobody uses is given back."""
    monkeypatch.setattr(module, "LARGEST_PURSES", 1)
    for _ in range(3):
        for token in ("tok_1", "tok_2"):
            own = msgspec.structs.replace(TOKENS, scope_id=token)
            counter.budgets.release(counter.asks(whose(own, USD, token=token), 100, 100))
    for _ in range(8):
        counter.now += 1.0
        counter.budgets.borrower.sweep(counter.now)
        counter.ticks()
    assert sorted(counter.budgets.borrower.accounts) == [USD.account, own.account]
    (_, account) = counter.budgets.purse_of(whose(own, USD, token="tok_2")).accounts
    assert account is counter.budgets.borrower.accounts[USD.account]
    assert counter.ledger.leased(TOKENS.account) == 0


def test_what_an_organization_chose_is_told_with_the_next_question(counter: Counter) -> None:
    """How it fares without the ledger, and its allowance, may change while its accounts are in use."""
    counter.asks(whose(TOKENS), 100)
    counter.asks(whose(TOKENS, failure_mode="open", allowance=7), 800)
    (ask,) = counter.ledger.asked[-1]
    assert (ask.failure_mode, ask.fallback) == ("open", 7)


def test_more_is_asked_for_ahead_of_need(counter: Counter) -> None:
    """Before nothing is left, while requests still go on."""
    counter.budgets.release(counter.asks(whose(TOKENS), 100))
    (account,) = counter.budgets.purse_of(whose(TOKENS)).accounts
    account.low = account.rate = 60
    asked = len(counter.ledger.asked)
    assert counter.asks(whose(TOKENS), 30).is_held
    assert len(counter.ledger.asked) == asked
    assert counter.asks(whose(TOKENS), 30).is_held
    assert len(counter.ledger.asked) == asked + 1


def test_a_lower_maximum_takes_back_what_is_free(counter: Counter) -> None:
    """What was lent under the old one is given back before anything else is taken of it."""
    counter.budgets.release(counter.asks(whose(TOKENS), 900))
    (account,) = counter.budgets.purse_of(whose(TOKENS)).accounts
    assert account.free == 900
    counter.budgets.purse_of(whose(msgspec.structs.replace(TOKENS, maximum=100)))
    counter.runs()
    assert (account.free, account.maximum, counter.ledger.leased(TOKENS.account)) == (0, 100, 0)


def test_a_lower_maximum_holds_for_places_that_come_back(counter: Counter) -> None:
    """A place that is left is not taken by who waits, until no more run than the new maximum says."""
    first, second = counter.asks(whose(PLACES)), counter.asks(whose(PLACES))
    lower = whose(msgspec.structs.replace(PLACES, maximum=1))
    third = counter.asks(lower)
    counter.budgets.release(first)
    counter.ticks()
    assert third.is_waiting
    counter.budgets.release(second)
    counter.ticks()
    assert third.is_held
    counter.budgets.release(third)
    assert counter.comes(lower).is_held
    assert counter.comes(lower).is_waiting


def test_a_lower_maximum_holds_for_what_requests_leave(counter: Counter) -> None:
    """What a request under way had set aside and did not take was lent under the old maximum, and is nobody's."""
    large = counter.asks(whose(TOKENS), 900)
    lower = whose(msgspec.structs.replace(TOKENS, maximum=300))
    small, fits = counter.asks(lower, 100), counter.asks(lower, 50)
    counter.ledger.settles(counter.budgets.settle(large, (1, 250, 0)))
    counter.ticks()
    counter.ticks()
    assert small.refused_by is not None
    assert fits.is_held
    assert counter.ledger.used(TOKENS.account) + counter.ledger.leased(TOKENS.account) <= 300


def test_an_old_answer_does_not_lend_under_a_lower_maximum(counter: Counter) -> None:
    """What was asked for under the old maximum and comes under the new one is given back."""
    counter.ledger.is_silent = True
    early = counter.comes(whose(TOKENS), 900)
    counter.runs()
    late = counter.comes(whose(msgspec.structs.replace(TOKENS, maximum=500)), 200)
    counter.ledger.is_silent = False
    counter.ledger.answers()
    assert early.refused_by is not None
    assert late.is_waiting
    (account,) = late.purse.accounts
    assert account.free == 0


def test_all_limits_or_none(counter: Counter) -> None:
    """Who lacks one holds none of the others."""
    counter.ledger.others_take(PLACES.account, 2, 2)
    waiting = counter.asks(whose(TOKENS, PLACES), 100)
    assert waiting.is_waiting
    (tokens, _) = waiting.purse.accounts
    assert tokens.reserved == 0


def test_nobody_waits_with_what_another_waits_for(counter: Counter) -> None:
    """What comes after what is lacking is given up soon, and asked for again when that is there."""
    counter.ledger.others_take(USD.account, USD.maximum, 999_000)
    waiting = counter.asks(whose(TOKENS, USD), 100, 5000)
    assert counter.ledger.leased(TOKENS.account) >= 100
    for _ in range(3):
        counter.ticks(HOLDING_SECONDS)
        assert counter.ledger.leased(TOKENS.account) == 0
    assert waiting.is_waiting
    counter.ledger.others_return(USD.account, USD.maximum, 900_000)
    counter.ticks()
    counter.ticks()
    assert waiting.is_held


def test_who_leaves_yields_no_more(counter: Counter) -> None:
    """Whether it stood in that line or not: what it held back for others is asked for ahead of need again."""
    counter.budgets.release(counter.asks(whose(TOKENS), 300))
    counter.ledger.others_take(USD.account, USD.maximum, 999_000)
    waiting = counter.asks(whose(TOKENS, USD), 100, 5000)
    (tokens, _) = waiting.purse.accounts
    counter.ticks(HOLDING_SECONDS)
    assert tokens.is_yielding
    counter.budgets.release(waiting)
    assert not any(account.is_yielding for account in waiting.purse.accounts)


def test_who_lacks_the_last_keeps_what_comes_before(counter: Counter) -> None:
    """In an order that is the same everywhere, so that somebody always has all."""
    counter.ledger.others_take(TOKENS.account, TOKENS.maximum, 990)
    waiting = counter.asks(whose(TOKENS, USD), 100, 5000)
    for _ in range(3):
        counter.ticks(HOLDING_SECONDS)
        assert counter.ledger.leased(USD.account) == 5000
    assert waiting.is_waiting


def test_nobody_waits_with_too_little(counter: Counter) -> None:
    """A part of what is needed is given back, so that whoever needs less, or asks next, may have it."""
    counter.budgets.release(counter.asks(whose(TOKENS), 300))
    counter.ledger.others_take(TOKENS.account, TOKENS.maximum, 600)
    waiting = counter.asks(whose(TOKENS), 500)
    assert counter.ledger.leased(TOKENS.account) == 900
    counter.ticks(HOLDING_SECONDS)
    assert counter.ledger.leased(TOKENS.account) == 600
    assert waiting.is_waiting


def test_first_come_first_served(counter: Counter) -> None:
    """A small request does not pass a larger one that waits for the same limit."""
    first = counter.asks(whose(TOKENS), 900)
    large, small = counter.asks(whose(TOKENS), 800), counter.asks(whose(TOKENS), 50)
    assert large.is_waiting
    assert small.is_waiting
    counter.budgets.release(first)
    counter.runs()
    assert large.is_held
    assert small.is_held


def test_who_needs_little_does_not_pass_who_needs_much(counter: Counter) -> None:
    """Though there is enough for it: else many small ones would keep a large one waiting for ever."""
    counter.ledger.others_take(TOKENS.account, 1000, 500)
    counter.budgets.release(counter.asks(whose(TOKENS), 300))
    large, small = counter.comes(whose(TOKENS), 900), counter.comes(whose(TOKENS), 100)
    assert (large.is_waiting, small.is_waiting) == (True, True)


def test_nobody_is_refused_by_an_answer_from_before_it_came(counter: Counter) -> None:
    """Its figures are old; the answer to the next question says what is."""
    counter.budgets.release(counter.asks(whose(TOKENS), 100))
    counter.ledger.settles([Charge(TOKENS.account, 1000, 0)])
    counter.ledger.is_silent = True
    early = counter.asks(whose(TOKENS), 200)
    counter.now += 0.01
    late = counter.asks(whose(TOKENS), 200)
    counter.ledger.answers()
    assert (early.refused_by is not None, late.is_waiting) == (True, True)
    counter.runs()
    counter.ledger.answers()
    assert late.refused_by is not None


def test_a_lease_that_has_ended_serves_nobody_in_line(counter: Counter) -> None:
    """What is free of it may be somebody else's by now."""
    counter.budgets.release(counter.asks(whose(TOKENS), 300))
    counter.ledger.is_silent = True
    counter.now += VALIDITY
    waiting = counter.asks(whose(TOKENS), 100)
    assert waiting.is_waiting
    counter.ledger.is_silent = False
    counter.ledger.answers()
    assert waiting.is_held


def test_who_could_not_go_anyway_holds_up_nobody(counter: Counter) -> None:
    """One that lacks another limit too is passed by those behind it."""
    counter.ledger.others_take(PLACES.account, 2, 2)
    taken = counter.asks(whose(TOKENS), 900)
    stuck = counter.asks(whose(TOKENS, PLACES), 500)
    behind = counter.asks(whose(TOKENS), 500)
    counter.budgets.release(taken)
    counter.runs()
    assert stuck.is_waiting
    assert behind.is_held
    counter.ledger.others_return(PLACES.account, 2, 1)
    counter.budgets.settle(behind, (1, 100, 0))
    counter.ticks()
    assert stuck.is_held


def test_who_waits_for_one_does_not_pass_in_another(counter: Counter) -> None:
    """Whoever is admitted in one line stands in the others as well."""
    counter.ledger.others_take(PLACES.account, 2, 2)
    taken = counter.asks(whose(TOKENS), 900)
    other = counter.asks(whose(PLACES))
    first = counter.asks(whose(TOKENS), 800)
    both = counter.asks(whose(TOKENS, PLACES), 90)
    counter.ledger.others_return(PLACES.account, 2, 2)
    counter.ticks()
    assert other.is_held
    assert both.is_waiting
    counter.budgets.release(taken)
    counter.runs()
    assert first.is_held
    counter.ticks()
    assert both.is_held


def test_whoever_leaves_makes_room(counter: Counter) -> None:
    """The one behind is looked at at once; leaving twice is nothing."""
    taken = counter.asks(whose(TOKENS), 600)
    large, small = counter.asks(whose(TOKENS), 900), counter.asks(whose(TOKENS), 300)
    counter.budgets.release(large)
    counter.budgets.release(large)
    counter.runs()
    counter.ticks()
    assert small.is_held
    counter.budgets.release(taken)
    counter.budgets.release(taken)
    assert counter.budgets.settle(taken, (1, 1, 1)) == counter.budgets.charges_of(taken, (1, 1, 1)) == ()
    (account,) = small.purse.accounts
    assert account.reserved == 300


def test_nothing_lacking_is_not_waited_for(counter: Counter) -> None:
    """A request that takes no tokens needs no lease of them."""
    counter.ledger.is_silent = True
    assert counter.asks(whose(TOKENS)).is_held


def test_charges_tell_what_was_leased(counter: Counter) -> None:
    """What was used; of the lease as much, and no more than was set aside or free."""
    held = counter.asks(whose(REQUESTS, TOKENS, USD, PLACES), 100, 5000)
    assert counter.budgets.charges_of(held, (1, 150, 0)) == (
        Charge(REQUESTS.account, 1, 1),
        Charge(TOKENS.account, 150, 100),
    )
    assert counter.budgets.settle(held, (1, 150, 4000)) == (
        Charge(REQUESTS.account, 1, 1),
        Charge(TOKENS.account, 150, 100),
        Charge(USD.account, 4000, 4000),
    )


def test_places_are_left_before_the_amounts_are_known(counter: Counter) -> None:
    """Once; the rest stays set aside until it is settled."""
    held, waiting = (counter.asks(whose(PLACES, TOKENS, token="t"), 100) for _ in range(2))
    third = counter.asks(whose(PLACES, TOKENS), 100)
    assert third.is_waiting
    counter.budgets.leave_places(held)
    counter.runs()
    assert third.is_held
    places, tokens = held.purse.accounts
    assert (places.reserved, tokens.reserved) == (2, 300)
    assert counter.budgets.settle(held, (1, 10, 0)) == (Charge(TOKENS.account, 10, 10),)
    counter.budgets.leave_places(held)
    counter.budgets.release(waiting)
    assert places.reserved == 1


def test_more_is_set_aside_in_the_middle(counter: Counter) -> None:
    """Of what is free here, else it is asked for, for the next time; what is not there is not set aside."""
    held = counter.asks(whose(TOKENS, PLACES), 100)
    assert not counter.budgets.extend(held, {TOKENS_METRIC: 50}, counter.now)
    lacking = held.limit
    assert lacking == TOKENS.account
    counter.runs()
    assert counter.budgets.extend(held, {TOKENS_METRIC: 50}, counter.now)
    assert held.limit is None
    assert counter.budgets.settle(held, (1, 140, 0)) == (Charge(TOKENS.account, 140, 140),)


def test_more_is_set_aside_by_who_never_waited(counter: Counter) -> None:
    """Each limit keeps what is its own."""
    counter.budgets.release(counter.asks(whose(REQUESTS, TOKENS), 300))
    held = counter.comes(whose(REQUESTS, TOKENS), 100)
    assert held.is_held
    assert counter.budgets.extend(held, {TOKENS_METRIC: 50}, counter.now)
    requests, tokens = held.purse.accounts
    assert (requests.reserved, tokens.reserved) == (1, 150)
    counter.budgets.release(held)
    assert (requests.reserved, tokens.reserved) == (0, 0)


def test_more_of_a_lease_that_has_ended_is_not_set_aside(counter: Counter) -> None:
    """It may be somebody else's by now."""
    counter.budgets.release(counter.asks(whose(TOKENS), 300))
    held = counter.comes(whose(TOKENS), 100)
    counter.ledger.is_silent = True
    counter.now += VALIDITY
    assert not counter.budgets.extend(held, {TOKENS_METRIC: 50}, counter.now)


def test_the_time_to_wait_is_bounded(counter: Counter) -> None:
    """Whose limit others hold is refused then; who heard nothing of the ledger was not refused by a limit."""
    counter.ledger.others_take(PLACES.account, 2, 2)
    waiting = counter.asks(whose(PLACES))
    counter.ledger.is_silent = True
    unheard = counter.asks(whose(REQUESTS))
    counter.ticks(WAIT)
    assert (waiting.refused_by, waiting.limit) == (waiting.purse.accounts[0], PLACES.account)
    assert unheard.has_failed


def test_without_the_ledger(counter: Counter) -> None:
    """Closed: refused. Open: on the day's allowance, with what is still leased used up first."""
    counter.ledger.failure = "gone"
    assert counter.asks(whose(REQUESTS)).has_failed
    principal = whose(REQUESTS, USD, failure_mode="open", allowance=10_000)
    degraded = counter.asks(principal, 0, 4000)
    assert degraded.is_held
    assert degraded.is_degraded
    assert degraded.fallback is not None
    assert degraded.fallback.reserved == 4000
    assert counter.budgets.settle(degraded, (1, 0, 3000)) == (
        Charge(REQUESTS.account, 1, 0),
        Charge(USD.account, 3000, 0),
    )
    assert degraded.fallback.reserved == 0
    refused = counter.asks(principal, 0, 9000)
    assert refused.refused_by is degraded.fallback
    released = counter.asks(principal, 0, 4000)
    counter.budgets.release(released)
    assert degraded.fallback.reserved == 0
    free = counter.asks(whose(REQUESTS, token="tok_3", failure_mode="open"), 0, 4000)
    assert free.is_held
    assert free.fallback is None


def test_the_day_s_allowance_has_its_line(counter: Counter) -> None:
    """Whoever waits for it is served when it is given up."""
    counter.ledger.failure = "gone"
    principal = whose(USD, failure_mode="open", allowance=10_000)
    first = counter.asks(principal, 0, 6000)
    counter.ledger.is_silent = True
    second = counter.comes(principal, 0, 6000)
    counter.runs()
    counter.ledger.answers()
    counter.runs()
    assert second.is_waiting
    counter.budgets.release(first)
    counter.runs()
    assert second.is_held


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["come", "settle", "release", "leave", "tick", "others", "sweep", "recall", "stall"]),
            st.integers(0, 120),
            st.integers(0, 10),
        ),
        max_size=60,
    )
)
def test_used_and_leased_are_never_over(steps: list[tuple[str, int, int]]) -> None:
    """Whatever happens in whatever order: the ledger's rule holds, and in the end nothing is reserved."""
    limits = (
        Limit("token", "tok_1", "tokens", Rolling(3600), 500),
        Limit("organization", "org_a", "tokens", Rolling(60), 300),
        PLACES,
    )
    counter = Counter()
    principal = whose(*limits)
    running: list[Reservation] = []
    for step, amount, which in steps:
        held = [reservation for reservation in running if reservation.is_held]
        if step == "come":
            running.append(counter.comes(principal, amount))
        elif step == "settle" and held:
            charges = counter.budgets.settle(held[which % len(held)], (1, amount, 0))
            counter.ledger.settles(charge for charge in charges if charge.amount <= charge.leased)
        elif step in ("release", "leave") and running:
            counter.budgets.release(running.pop(which % len(running)))
        elif step == "others":
            counter.ledger.others_take(limits[which % 3].account, limits[which % 3].maximum, amount)
        elif step == "recall":
            counter.budgets.borrower.recalled((limits[which % 3].account,))
        elif step == "stall":
            counter.ledger.is_silent = not counter.ledger.is_silent
            counter.ledger.answers()
        else:
            counter.ticks(amount / 50)
            counter.budgets.borrower.sweep(counter.now)
        counter.runs()
        for limit in limits:
            if limit.account in counter.ledger.accounts:
                balance = counter.ledger.balance(limit.account)
                assert balance.used + balance.leased <= limit.maximum
    counter.ledger.is_silent = False
    counter.ledger.answers()
    counter.runs()
    for reservation in running:
        counter.budgets.release(reservation)
    counter.runs()
    for account in counter.budgets.borrower.accounts.values():
        assert account.reserved == 0
        assert account.free >= 0
        assert not account.queue
    counter.loop.close()


def test_what_a_model_reads_beyond_the_count_is_remembered(counter: Counter) -> None:
    """Its provider puts words of its own before each request: the next time they are set aside, too."""
    model = ("local", "small", "org_a")

    counter.budgets.learn_surplus(model, 6)
    counter.budgets.learn_surplus(model, -3)
    counter.budgets.learn_surplus(model, 2)

    assert counter.budgets.surplus == {model: 8}


def test_what_models_read_beyond_a_count_is_kept_of_the_latest(counter: Counter) -> None:
    """A provider that answers to any name must not have one caller's inventions crowd out what is learnt later."""
    for number in range(LARGEST_SURPLUS + 1):
        counter.budgets.learn_surplus(("local", f"m{number}", "org"), 5)
    counter.budgets.learn_surplus(("local", "m" * (LONGEST_NAMED + 1), "org"), 5)
    assert len(counter.budgets.surplus) == LARGEST_SURPLUS
    assert ("local", "m0", "org") not in counter.budgets.surplus
    assert ("local", f"m{LARGEST_SURPLUS}", "org") in counter.budgets.surplus


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["come", "come", "settle", "settle", "release", "extend", "idle", "stall", "break", "edit"]
            ),
            st.integers(0, 20),
            st.integers(0, 5),
        ),
        min_size=30,
        max_size=80,
    )
)
def test_limits_that_are_forgotten_and_come_back_are_the_same(steps: list[tuple[str, int, int]]) -> None:
    """Of many tokens only a few are kept: no unit is sold twice or lost on the way, and only figures stay behind."""
    counter = Counter()
    ledger, budgets = counter.ledger, counter.budgets
    shared = Limit("organization", "org_a", "tokens", Calendar("day"), 150)
    own = [Limit("token", f"tok_{number}", "tokens", Lifetime(), 60) for number in range(6)]
    principals = [whose(limit, shared, token=limit.scope_id) for limit in own]
    running: list[Reservation] = []

    def rest(seconds: int) -> None:
        for _ in range(seconds):
            counter.now += 1.0
            budgets.borrower.sweep(counter.now)
            counter.ticks()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LARGEST_PURSES", 2)
        for step, amount, which in steps:
            held = [reservation for reservation in running if reservation.is_held]
            if step == "come":
                running.append(counter.comes(principals[which], amount))
            elif step == "settle" and held:
                reservation = held[which % len(held)]
                charges = budgets.settle(reservation, (1, min(amount, reservation.held[1]), 0))
                for charge in charges:
                    # What it says was leased to it was.
                    assert ledger.accounts[charge.account].leases[HOLDER].outstanding >= charge.leased
                ledger.settles(charges)
            elif step == "extend" and held:
                budgets.extend(held[which % len(held)], {TOKENS_METRIC: amount}, counter.now)
            elif step == "release" and running:
                budgets.release(running.pop(which % len(running)))
            elif step == "edit":
                principals[which] = whose(own[which], shared, token=own[which].scope_id)
            elif step == "stall":
                ledger.is_silent = not ledger.is_silent
                ledger.answers()
            elif step == "break":
                ledger.breaks()
                budgets.borrower.link_restored()
            elif step == "idle":
                rest(3)
            counter.ticks()
            for limit in (*own, shared):
                if limit.account in ledger.accounts:
                    assert ledger.used(limit.account) + ledger.leased(limit.account) <= limit.maximum
        ledger.is_silent = False
        ledger.answers()
        budgets.borrower.link_restored()
        for reservation in running:
            budgets.release(reservation)
        rest(8)
        assert sum(ledger.leased(name) for name in ledger.accounts) == 0
        assert len(budgets.borrower.accounts) <= 3
    counter.loop.close()
