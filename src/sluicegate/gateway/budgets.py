"""Reservations: who may begin, who waits and who is refused. The usual request is admitted with a few comparisons.

Rule 1. All limits of a principal are reserved at once or not at all: nobody holds one while waiting for another.
Rule 2. Who waits for an account is served in the order of coming. One that could not go anyway, since it lacks another
        account too, holds up nobody.
Rule 3. Nobody is refused on old figures: only an answer of the ledger to a question asked after the request came says
        that its limit is reached. Where others merely hold or reserve what it needs, it waits, and asks again every
        ASK_AGAIN_SECONDS, until its time is up.
Rule 4. A reservation is settled or released once; what it gives up goes to those in line within the same turn.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from sluicegate.domain import holdings
from sluicegate.domain.events import Charge
from sluicegate.domain.fallback import fallback_account, is_fallback
from sluicegate.domain.principal import Principal
from sluicegate.gateway.borrower import Borrower, Lending
from sluicegate.gateway.prices import LONGEST_NAMED, Key
from sluicegate.gateway.purses import CONCURRENCY, USD, Account, Amounts, Purse, Reservation

ASK_AGAIN_SECONDS: Final = 0.05
"""Between two questions for those who wait: others' settlements reach the ledger within about a tenth of a second."""
HOLDING_SECONDS: Final = 0.25
"""For which a request may keep from others what it cannot use yet, as it lacks something else."""
LARGEST_PURSES: Final = 65_536
"""Principals whose limits are kept compiled, as many as are kept known."""

LARGEST_SURPLUS: Final = 4_096
"""Models of which it is remembered by how much they read more than was counted; the oldest go first."""

Spent = tuple[int, int, int]
"""Requests, tokens and nano-dollars that an exchange took."""


class Budgets:
    """One worker's accounts and reservations."""

    __slots__ = ("_clock", "_is_ticking", "_loop", "_purses", "_stirred", "_waiting", "borrower", "surplus")

    def __init__(self, lending: Lending, *, clock: Callable[[], float], loop: asyncio.AbstractEventLoop) -> None:
        """`clock` is monotonic seconds."""
        self._clock = clock
        self._loop = loop
        self._purses: dict[str, Purse] = {}
        self._waiting: dict[Reservation, None] = {}
        self._stirred: dict[Account, None] = {}
        self._is_ticking = False
        self.surplus: dict[Key, int] = {}
        """Tokens by which a model was seen to read more than was counted: of words its provider puts before them."""
        self.borrower = Borrower(lending, self, clock=clock, loop=loop)

    def __repr__(self) -> str:
        """Tell how many wait."""
        return f"<Budgets purses={len(self._purses)} waiting={len(self._waiting)} {self.borrower!r}>"

    # -- a request comes

    def purse_of(self, principal: Principal) -> Purse:
        """The limits of a principal, compiled once as long as it stays the same object."""
        purse = self._purses.get(principal.token_id)
        if purse is None or purse.principal is not principal:
            purse = self._compiled(principal)
            before = self._purses.pop(principal.token_id, None)
            if before is None and len(self._purses) >= LARGEST_PURSES:
                before = self._purses.pop(next(iter(self._purses)))
            self._purses[principal.token_id] = purse
            if before is not None:
                self._let_go(before)
        return purse

    def _compiled(self, principal: Principal) -> Purse:
        accounts = tuple([self._account(one.account, one.maximum, principal) for one in principal.limits])
        for account in accounts:
            account.users += 1
        return Purse(principal, accounts)

    def _let_go(self, purse: Purse) -> None:
        for account in purse.accounts:
            account.users -= 1
            if not account.users:
                self.borrower.let_go(account)

    def _account(self, name: str, maximum: int, principal: Principal) -> Account:
        account = self.borrower.accounts.get(name)
        if account is None:
            account = Account(name, maximum, principal)
            self.borrower.begin(account)
            return account
        account.failure_mode = principal.failure_mode
        account.fallback = principal.fallback_daily_limit
        if maximum < account.maximum:
            # What is free here, and what requests under way will leave, was lent under a maximum that holds no more.
            account.is_overlent = True
            account.close_gate()
            account.give_back()
            self.borrower.ask(account)
        account.maximum = maximum
        return account

    def reserve(self, purse: Purse, amounts: Amounts, now: float, wait: float) -> Reservation:
        """Set aside what an exchange may take, or begin to wait for it for `wait` seconds at most.

        Where it waits, its `future` is done as soon as it is held or refused.
        """
        reservation = Reservation(purse, amounts)
        outcome = holdings.reserve(purse.places, amounts, now)
        if outcome == holdings.HELD:
            return reservation
        if outcome == holdings.NOT_HELD:
            return self._stand_in_line(reservation, now, wait)
        for account in purse.accounts:
            if account.free < account.low:
                self.borrower.ask(account)
        return reservation

    def _stand_in_line(self, reservation: Reservation, now: float, wait: float) -> Reservation:
        purse = reservation.purse
        reservation.is_held = False
        needs = [
            (account, reservation.held[index])
            for (account, index), is_shadow in zip(purse.places, purse.is_shadow, strict=True)
            if reservation.held[index] and not is_shadow
        ]
        # In an order that is the same everywhere: `_yield`.
        reservation.needs = tuple(sorted(needs, key=_name))
        reservation.since = now
        reservation.deadline = now + wait
        if not self._try(reservation, now):
            reservation.future = self._loop.create_future()
            self._waiting[reservation] = None
            self._tick_later()
        return reservation

    def _try(self, reservation: Reservation, now: float) -> bool:
        """Admit a request if nothing is lacking; else put it in every line that it must stand in."""
        for account, _ in reservation.needs:
            if account.is_overlent:
                account.give_back()
        blockers = tuple(
            [
                account
                for account, amount in reservation.needs
                if amount > account.free or now >= account.valid_until or not _is_next(account, reservation)
            ]
        )
        reservation.blockers = blockers
        if not blockers:
            self._admit(reservation, now)
            return True
        for account in blockers:
            if reservation not in account.queue:
                account.queue.append(reservation)
                account.close_gate()
                self.borrower.ask(account)
        return False

    def _admit(self, reservation: Reservation, now: float) -> None:
        purse = reservation.purse
        held: list[int] = []
        is_degraded = reservation.is_degraded
        for (account, index), is_shadow in zip(purse.places, purse.is_shadow, strict=True):
            amount = reservation.held[index]
            is_free = amount <= account.free and now < account.open_until
            if not amount or (not is_free and (is_degraded or is_shadow)):
                held.append(0)
                if is_shadow and amount:
                    self._see_shadow(reservation, account, amount)
                continue
            account.free -= amount
            held.append(amount)
        if is_degraded:
            reservation.wanted = tuple([reservation.held[index] for _, index in purse.places])
        if reservation.fallback is not None:
            reservation.fallback_held = reservation.needs[0][1]
            reservation.fallback.free -= reservation.fallback_held
        reservation.held = held
        reservation.has_own = True
        reservation.is_held = True
        self._leave(reservation)

    def _see_shadow(self, reservation: Reservation, account: Account, amount: int) -> None:
        """A limit that only reports has nothing free: note whether it would have refused."""
        if account.remaining < amount and account.answered_at > float("-inf"):
            reservation.limit = account.account
        self.borrower.ask(account)

    def extend(self, reservation: Reservation, more: dict[int, int], now: float) -> bool:
        """Set aside more of hard limits, by metric, if all of it is free here; else ask for it, for the next time."""
        if reservation.is_degraded:
            return self._extend_fallback(reservation, more, now)
        steps = [
            (number, account, more[metric])
            for number, (account, _, metric, is_hard) in enumerate(reservation.steps)
            if is_hard and more.get(metric)
        ]
        lacking = [account for _, account, amount in steps if amount > account.free or now >= account.open_until]
        if lacking:
            for _, account, amount in steps:
                if account in lacking:
                    account.extra = max(account.extra, amount)
                    # Twice as much, if it can be had: of a stream still more will be lacking at the next look.
                    account.rate = max(account.rate, 2 * amount)
                    self.borrower.ask(account)
                    reservation.limit = account.account
            return False
        held = [reservation.held[index] for _, index, _, _ in reservation.steps]
        for number, account, amount in steps:
            account.free -= amount
            held[number] += amount
        reservation.held = held
        reservation.has_own = True
        reservation.limit = None
        return True

    def _extend_fallback(self, reservation: Reservation, more: dict[int, int], now: float) -> bool:
        """The same of the day's allowance, which stands in for all limits."""
        fallback, amount = reservation.fallback, more.get(USD, 0)
        if fallback is not None and amount:
            if amount > fallback.free or now >= fallback.open_until:
                fallback.extra = max(fallback.extra, amount)
                self.borrower.ask(fallback)
                reservation.limit = fallback.account
                return False
            fallback.free -= amount
            reservation.fallback_held += amount
        reservation.wanted = tuple(
            [
                wanted + more.get(metric, 0) if is_hard else wanted
                for wanted, (_, _, metric, is_hard) in zip(reservation.wanted, reservation.steps, strict=True)
            ]
        )
        reservation.limit = None
        return True

    # -- it ends

    def settle(self, reservation: Reservation, spent: Spent) -> tuple[Charge, ...]:
        """The exchange took so much: charge it, and give up the rest."""
        if not reservation.is_held:
            return ()
        reservation.is_held = False
        charges: list[Charge] = []
        figures = reservation.held
        purse = reservation.purse
        for account, index, metric, is_hard in purse.own_steps if reservation.has_own else purse.steps:
            held = figures[index]
            if metric == CONCURRENCY:
                account.free += held
                account.turns += 1
            elif used := spent[metric]:
                over = used
                if used <= held:
                    account.free += held - used
                    account.taken += used
                else:
                    over = holdings.settle(account, held, used, is_hard=is_hard)
                charges.append(Charge(account.account, used, over))
            else:
                account.free += held
            if account.queue:
                self._stir(account)
        if reservation.fallback is not None:
            self._settle_fallback(reservation, spent[USD])
        return tuple(charges)

    def _settle_fallback(self, reservation: Reservation, used: int) -> None:
        fallback = reservation.fallback
        assert fallback is not None, "only degraded reservations come here"
        holdings.settle(fallback, reservation.fallback_held, used, is_hard=True)
        reservation.fallback_held = 0
        if fallback.queue:
            self._stir(fallback)

    def charges_of(self, reservation: Reservation, spent: Spent) -> tuple[Charge, ...]:
        """What `settle` would charge, without doing so."""
        if not reservation.is_held:
            return ()
        return tuple(
            [
                Charge(account.account, spent[metric], min(spent[metric], reservation.held[index]))
                for account, index, metric, _ in reservation.steps
                if metric != CONCURRENCY and spent[metric]
            ]
        )

    def leave_places(self, reservation: Reservation) -> None:
        """The exchange is over, though its amounts are not known yet: others may run in its place."""
        if not reservation.is_held:
            return
        held: list[int] = []
        for account, index, metric, _ in reservation.steps:
            held.append(reservation.held[index])
            if metric == CONCURRENCY:
                account.free += held.pop()
                account.turns += 1
                held.append(0)
                if account.queue:
                    self._stir(account)
        reservation.held = held
        reservation.has_own = True

    def release(self, reservation: Reservation) -> None:
        """Nothing was taken; or nobody waits for it any more."""
        if reservation.is_held:
            reservation.is_held = False
            for account, index, _, _ in reservation.steps:
                account.free += reservation.held[index]
                if account.queue:
                    self._stir(account)
            if reservation.fallback is not None:
                self._settle_fallback(reservation, 0)
        else:
            self._leave(reservation)

    def learn_surplus(self, model: Key, tokens: int) -> None:
        """A model has read so many tokens more than were counted for it: the next time they are set aside."""
        if tokens <= 0 or len(model[1]) > LONGEST_NAMED:
            return
        if model not in self.surplus and len(self.surplus) >= LARGEST_SURPLUS:
            del self.surplus[next(iter(self.surplus))]
        self.surplus[model] = self.surplus.get(model, 0) + tokens

    # -- those in line

    def _leave(self, reservation: Reservation) -> None:
        """Out of every line; whoever stood behind may be next."""
        if self._waiting.pop(reservation, self) is self:
            return
        for account in [*reservation.purse.accounts, reservation.fallback]:
            if account is None:
                continue
            if reservation in account.queue:
                account.queue.remove(reservation)
                account.open_gate()
                if account.queue:
                    self._stir(account)
            account.is_yielding = account.is_yielding and bool(account.queue)

    def _stir(self, account: Account) -> None:
        if not self._stirred:
            self._loop.call_soon(self._serve_stirred)
        self._stirred[account] = None

    def _serve_stirred(self) -> None:
        stirred, self._stirred = self._stirred, {}
        now = self._clock()
        for account in stirred:
            self._serve(account, now)

    def _serve(self, account: Account, now: float) -> None:
        """Admit whom there is enough for, first come first served."""
        for reservation in list(account.queue):
            if self._try(reservation, now):
                self._wake(reservation)
            elif reservation.blockers == (account,):
                return

    def _wake(self, reservation: Reservation) -> None:
        self._waiting.pop(reservation, None)
        if reservation.future is not None and not reservation.future.done():
            reservation.future.set_result(None)

    def answered(self, account: Account, now: float) -> None:
        """The ledger has answered: admit, and refuse those whose limit is reached."""
        self._serve(account, now)
        left = account.maximum - account.used
        if is_fallback(account.account):
            # Of an allowance all that was lent counts as used, and so does what is free here.
            left += account.free
        for reservation in list(account.queue):
            if reservation.since <= account.asked_at and _need(reservation, account) > left:
                self._refuse(reservation, account)

    def failed(self, account: Account, now: float) -> None:
        """The ledger could not be asked: what becomes of those who wait is their organisations' choice."""
        for reservation in list(account.queue):
            if reservation.purse.principal.failure_mode == "open" and reservation.fallback is None:
                self._degrade(reservation, now)
            else:
                reservation.has_failed = True
                self._leave(reservation)
                self._wake(reservation)

    def _degrade(self, reservation: Reservation, now: float) -> None:
        """Go on without the ledger, on the day's allowance."""
        self._leave(reservation)
        self._waiting[reservation] = None
        reservation.is_degraded = True
        principal = reservation.purse.principal
        cost = reservation.held[USD]
        reservation.needs = ()
        if cost and reservation.purse.has_enforced_usd:
            name = fallback_account(principal.organization_id)
            reservation.fallback = self._account(name, principal.fallback_daily_limit, principal)
            # It stays: there is one of an organisation, and no limit names it.
            reservation.fallback.users = 1
            reservation.needs = ((reservation.fallback, cost),)
            reservation.since = now
        if self._try(reservation, now):
            self._wake(reservation)

    def _refuse(self, reservation: Reservation, account: Account) -> None:
        reservation.refused_by = account
        reservation.limit = account.account
        self._leave(reservation)
        self._wake(reservation)

    # -- time

    def _tick_later(self) -> None:
        if not self._is_ticking:
            self._is_ticking = True
            self._loop.call_later(ASK_AGAIN_SECONDS, self.tick)

    def tick(self) -> None:
        """Ask again for those who wait; send away those whose time is up."""
        self._is_ticking = False
        now = self._clock()
        for reservation in list(self._waiting):
            if now >= reservation.deadline:
                self._give_up(reservation)
            else:
                if now - reservation.since >= HOLDING_SECONDS:
                    self._yield(reservation)
                for account in reservation.blockers:
                    self.borrower.ask(account)
        if self._waiting:
            self._tick_later()

    def _yield(self, reservation: Reservation) -> None:
        """Keep nothing from others of what is lacking, or comes after it: else each could wait for what another holds.

        Of what is lacking, all that is needed is asked for at once, with what there was of it given back.
        """
        if reservation.blockers:
            first = reservation.blockers[0].account
            for account, _ in reservation.needs:
                if account.account >= first:
                    account.is_yielding = account.is_yielding or account.account > first
                    if account.give_back():
                        self.borrower.ask(account)

    def _give_up(self, reservation: Reservation) -> None:
        blocker = next(iter(reservation.blockers), None)
        if blocker is None or blocker.answered_at < reservation.since:
            reservation.has_failed = True
            self._leave(reservation)
            self._wake(reservation)
        else:
            self._refuse(reservation, blocker)


def _is_next(account: Account, reservation: Reservation) -> bool:
    """Whether nobody stands before a request in this line who waits for this account alone."""
    for ahead in account.queue:
        if ahead is reservation:
            return True
        if ahead.blockers == (account,):
            return False
    return True


def _name(need: tuple[Account, int]) -> str:
    return need[0].account


def _need(reservation: Reservation, account: Account) -> int:
    return next((amount for one, amount in reservation.needs if one is account), 0)
