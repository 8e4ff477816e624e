"""How units are got from the ledger: batches, renewals, what goes back, and what a lost link changes."""

import asyncio
from collections.abc import Iterator

import pytest

from sluicegate.gateway.borrower import Borrower, ask_of, idle_keep
from sluicegate.gateway.purses import Account, Purse, Reservation, amounts
from tests.gateway.ledger import VALIDITY, PlayedLedger
from tests.gateway.limits import PLACES, REQUESTS, TOKENS, whose


class Bank:
    """A borrower, its ledger, and what it was told."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.now = 1000.0
        self.told: list[tuple[str, str]] = []
        self.ledger = PlayedLedger(self.loop, lambda: self.now)
        self.borrower = Borrower(self.ledger, self, clock=lambda: self.now, loop=self.loop)

    def answered(self, account: Account, now: float) -> None:
        self.told.append(("answered", account.account))

    def failed(self, account: Account, now: float) -> None:
        self.told.append(("failed", account.account))

    def account(self, limit: object = REQUESTS) -> Account:
        assert isinstance(limit, type(REQUESTS))
        account = Account(limit.account, limit.maximum, whose(limit))
        self.borrower.accounts[account.account] = self.borrower.live[account.account] = account
        return account

    def waiter(self, account: Account, need: int) -> Reservation:
        """Somebody waits for so much."""
        reservation = Reservation(Purse(whose(), ()), amounts(0, 0))
        reservation.needs = ((account, need),)
        account.queue.append(reservation)
        return reservation

    def runs(self) -> None:
        for _ in range(6):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()


@pytest.fixture
def bank() -> Iterator[Bank]:
    """A bank of its own."""
    made = Bank()
    yield made
    made.loop.close()


def test_one_question_a_turn(bank: Bank) -> None:
    """All accounts of a turn go into one, each once."""
    one, two = bank.account(REQUESTS), bank.account(TOKENS)
    bank.waiter(one, 2)
    for account in (one, two, one):
        bank.borrower.ask(account)
    bank.runs()
    (asks,) = bank.ledger.asked
    assert [(ask.account, ask.needed, ask.maximum) for ask in asks] == [
        (REQUESTS.account, 2, 10),
        (TOKENS.account, 0, 1000),
    ]
    assert (one.free, one.granted) == (2, 2)
    assert bank.told == [("answered", REQUESTS.account), ("answered", TOKENS.account)]
    assert repr(bank.borrower) == "<Borrower accounts=2 dormant=0 asking=0 due=0>"


def test_one_question_is_open_at_a_time(bank: Bank) -> None:
    """What comes up meanwhile is asked behind the answer."""
    account = bank.account()
    bank.ledger.is_silent = True
    bank.borrower.ask(account)
    bank.runs()
    bank.borrower.ask(account)
    bank.runs()
    assert len(bank.ledger.asked) == 1
    bank.ledger.answers()
    bank.runs()
    assert len(bank.ledger.asked) == 2


def test_the_first_in_line_is_needed_and_all_are_wanted(bank: Bank) -> None:
    """Beyond what is free; with what is reserved already as a measure of what comes."""
    account = bank.account()
    account.lent(5, 0, None, 2000.0)
    account.free = 1
    bank.waiter(account, 3)
    bank.waiter(account, 4)
    asked = ask_of(account, 1000.0)
    assert (asked.seen, asked.needed, asked.wanted, asked.returned) == (5, 2, 6 + 4, 0)


def test_of_a_lease_that_has_ended_all_goes_back(bank: Bank) -> None:
    """Nothing of it is used any more, so the whole is needed anew."""
    account = bank.account()
    account.lent(5, 0, None, 1000.0)
    bank.waiter(account, 3)
    asked = ask_of(account, 1000.0)
    assert (asked.needed, asked.returned) == (3, 5)


def test_a_lease_is_renewed_in_time(bank: Bank) -> None:
    """After a third of its validity, as long as anything of it is held."""
    account = bank.account()
    bank.waiter(account, 2)
    bank.borrower.ask(account)
    bank.runs()
    account.queue.clear()
    account.free -= 2
    until = account.valid_until
    bank.now += VALIDITY / 3 + 0.1
    bank.borrower.sweep(bank.now)
    bank.runs()
    assert account.valid_until > until
    assert (account.granted, len(bank.ledger.asked)) == (2, 2)


def test_what_is_used_is_foreseen(bank: Bank) -> None:
    """As much as the last second used is asked for when less than half of it is left."""
    account = bank.account(TOKENS)
    account.lent(100, 0, None, 2000.0)
    account.free = 60
    account.taken = 40
    bank.now += 2
    bank.borrower.sweep(bank.now)
    assert (account.rate, account.low) == (20, 10)
    bank.borrower.sweep(bank.now + 0.5)
    assert account.rate == 20
    account.free = 5
    assert ask_of(account, bank.now).wanted == 15
    bank.borrower.ask(account)
    assert account.low == 0
    bank.runs()
    assert account.low == 10


def test_the_first_second_of_a_crowd(bank: Bank) -> None:
    """What was used in it already tells how much to ask for: each time twice as much, not one round trip a request."""
    account = bank.account(TOKENS)
    account.lent(8, 0, None, 2000.0)
    account.free, account.taken = 0, 8
    bank.waiter(account, 1)
    assert ask_of(account, bank.now).wanted == 9


def test_what_is_yielded_is_asked_for_in_its_turn(bank: Bank) -> None:
    """Not for who lacks what comes before it, nor ahead of need; but for who lacks nothing else."""
    places, tokens = bank.account(PLACES), bank.account(TOKENS)
    tokens.is_yielding = True
    tokens.rate = 50
    first = bank.waiter(tokens, 100)
    first.blockers = (places, tokens)
    assert (ask_of(tokens, bank.now).needed, ask_of(tokens, bank.now).wanted) == (0, 0)
    second = bank.waiter(tokens, 30)
    second.blockers = (tokens,)
    assert (ask_of(tokens, bank.now).needed, ask_of(tokens, bank.now).wanted) == (30, 80)
    first.blockers = (tokens,)
    assert ask_of(tokens, bank.now).needed == 100


def test_what_is_idle_goes_back(bank: Bank) -> None:
    """All after a second without use; of what is used, what two seconds need stays."""
    account = bank.account(TOKENS)
    account.lent(100, 0, None, 2000.0)
    bank.now += 1
    bank.borrower.sweep(bank.now)
    assert (account.free, account.returned) == (0, 100)
    assert idle_keep(account, 30) == 60
    account.free = 200
    assert idle_keep(account, 30) == 100
    account.is_overlent = True
    assert idle_keep(account, 30) == 0


def test_places_are_used_again(bank: Bank) -> None:
    """How often they are taken says nothing of how many are needed; unused ones go back by and by."""
    account = bank.account(PLACES)
    account.lent(8, 0, None, 2000.0)
    account.turns = 1000
    bank.now += 1
    bank.borrower.sweep(bank.now)
    assert (account.rate, account.free) == (0, 4)
    bank.now += 1
    bank.borrower.sweep(bank.now)
    assert account.free == 0


def test_what_is_not_held_is_not_looked_at(bank: Bank) -> None:
    """Not again, until it is asked for: a worker knows many accounts, and holds few."""
    account = bank.account(TOKENS)
    account.lent(100, 0, None, 2000.0)
    for _ in range(3):
        bank.now += 1
        bank.borrower.sweep(bank.now)
        bank.runs()
    assert not bank.borrower.live
    bank.borrower.ask(account)
    assert bank.borrower.live


def test_what_is_recalled_goes_back(bank: Bank) -> None:
    """At once, and only what is free."""
    account = bank.account()
    account.lent(5, 0, None, 2000.0)
    account.free = 3
    bank.borrower.recalled((REQUESTS.account, "nobody's"))
    bank.runs()
    (asks,) = bank.ledger.asked
    assert (asks[0].returned, asks[0].wanted, account.reserved) == (3, 0, 2)


def test_a_lost_question_is_asked_again(bank: Bank) -> None:
    """On the next link: what it gave back is not given back yet."""
    account, idle = bank.account(REQUESTS), bank.account(TOKENS)
    bank.waiter(account, 1)
    bank.ledger.is_down = True
    bank.borrower.ask(account)
    bank.borrower.ask(idle)
    bank.runs()
    bank.ledger.is_down = False
    bank.borrower.link_restored()
    bank.runs()
    assert [[ask.account for ask in asks] for asks in bank.ledger.asked] == [[REQUESTS.account, TOKENS.account]]
    bank.borrower.link_restored()
    bank.runs()
    assert len(bank.ledger.asked) == 1


def test_a_failure_changes_nothing(bank: Bank) -> None:
    """The figures stay, and whoever waits hears of it; an allowance is no business of the ledger's."""
    account = bank.account()
    allowance = Account("org_a|usd|fallback", 100, whose())
    bank.waiter(account, 1)
    bank.waiter(allowance, 30)
    bank.ledger.failure = "gone"
    bank.borrower.ask(account)
    bank.borrower.ask(allowance)
    bank.runs()
    assert bank.told == [("failed", REQUESTS.account), ("answered", "org_a|usd|fallback")]
    assert (account.granted, allowance.free) == (0, 30)


def test_what_was_given_back_unheard_is_given_back_again(bank: Bank) -> None:
    """Every second, until the ledger has heard it."""
    account = bank.account()
    account.lent(5, 0, None, 2000.0)
    bank.ledger.failure = "gone"
    for _ in range(3):
        bank.now += 1
        bank.borrower.sweep(bank.now)
        bank.runs()
    assert [asks[0].returned for asks in bank.ledger.asked] == [5, 5, 5]
    bank.ledger.failure = ""
    for _ in range(3):
        bank.now += 1
        bank.borrower.sweep(bank.now)
        bank.runs()
    assert len(bank.ledger.asked) == 4
    assert not bank.borrower.live


def test_of_an_account_that_nobody_uses_the_figures_stay(bank: Bank) -> None:
    """It is let go once nothing of it is held, and whoever begins it again goes on from there."""
    account = bank.account()
    bank.waiter(account, 4)
    bank.borrower.ask(account)
    bank.runs()
    account.queue.clear()
    account.free -= 3
    account.taken += 3
    bank.borrower.let_go(account)
    assert bank.borrower.accounts == {REQUESTS.account: account}
    for _ in range(4):
        bank.now += 1.0
        bank.borrower.sweep(bank.now)
        bank.runs()
    assert (bank.borrower.accounts, bank.borrower.live) == ({}, {})
    assert repr(bank.borrower) == "<Borrower accounts=0 dormant=1 asking=0 due=0>"
    again = Account(REQUESTS.account, REQUESTS.maximum, whose(REQUESTS))
    bank.borrower.begin(again)
    assert (again.granted, again.taken, again.returned, again.free, again.pace) == (4, 3, 1, 0, 0)
    assert repr(bank.borrower) == "<Borrower accounts=1 dormant=0 asking=0 due=0>"
    bank.waiter(again, 2)
    bank.borrower.ask(again)
    bank.runs()
    assert (again.granted, again.free) == (6, 2)


def test_one_that_was_let_go_may_be_asked_for_after_all(bank: Bank) -> None:
    """An exchange under way that had nothing of it lacks something; but not beside another that has begun since."""
    account = bank.account()
    del bank.borrower.live[account.account]
    bank.borrower.let_go(account)
    bank.borrower.ask(account)
    bank.runs()
    assert bank.borrower.accounts == {account.account: account}
    assert len(bank.ledger.asked) == 1
    del bank.borrower.live[account.account]
    bank.borrower.let_go(account)
    other = Account(REQUESTS.account, REQUESTS.maximum, whose(REQUESTS))
    bank.borrower.begin(other)
    bank.borrower.ask(account)
    bank.runs()
    assert bank.borrower.accounts == {account.account: other}
    bank.waiter(other, 2)
    bank.borrower.ask(other)
    bank.runs()
    other.give_back()
    del bank.borrower.live[account.account]
    bank.borrower.let_go(other)
    bank.borrower.ask(account)
    bank.runs()
    assert bank.borrower.accounts == {}
