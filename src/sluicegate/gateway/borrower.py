"""How a worker gets units of accounts from the ledger, through control: in one question per turn of the loop.

Rule 1. All figures of a question are cumulative, so it may be repeated; one question per account is open at a time.
Rule 2. A lease is renewed after a third of the time it is good for, as long as anything of it is held. What is free of
        one that has ended is given back with the next question.
Rule 3. Of what was not used for a second nothing is kept; of the rest, as much as two seconds use.
Rule 4. A question that the link lost is asked again on the next one.
Rule 5. Of an account that no limit names any more only two figures are kept once nothing of it is held or asked: what
        was granted and what was taken of it, as these are cumulative for the worker's life.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from sluicegate.domain.fallback import is_fallback
from sluicegate.gateway.purses import Account, Reservation
from sluicegate.wire.link import AskLease, Lent

IDLE_SECONDS: Final = 1.0
"""How long units lie unused before others may have them."""


class Lending(Protocol):
    """The link, as far as it lends."""

    def lend(self, asks: tuple[AskLease, ...], callback: Callable[[Lent | None], None]) -> None:
        """Ask for leases. `callback` gets None where the link broke, or is down."""
        ...


class Outcomes(Protocol):
    """Who acts on what came of a question."""

    def answered(self, account: Account, now: float) -> None:
        """The ledger has answered for this account."""
        ...

    def failed(self, account: Account, now: float) -> None:
        """It could not be asked."""
        ...


class Borrower:
    """All accounts that are asked for, and what is open."""

    __slots__ = (
        "_clock",
        "_dormant",
        "_due",
        "_is_down",
        "_lending",
        "_loop",
        "_outcomes",
        "_swept_at",
        "accounts",
        "live",
    )

    def __init__(
        self,
        lending: Lending,
        outcomes: Outcomes,
        *,
        clock: Callable[[], float],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """`clock` is monotonic seconds."""
        self._lending = lending
        self._outcomes = outcomes
        self._clock = clock
        self._loop = loop
        self._due: dict[str, Account] = {}
        self._is_down = False
        self._swept_at = clock()
        self._dormant: dict[str, tuple[int, int]] = {}
        self.accounts: dict[str, Account] = {}
        self.live: dict[str, Account] = {}
        """Those of which anything is held or asked: the only ones to look at again and again."""

    def __repr__(self) -> str:
        """Tell how much is held and asked for."""
        asking = sum(account.is_asking for account in self.accounts.values())
        dormant = len(self._dormant)
        return f"<Borrower accounts={len(self.accounts)} dormant={dormant} asking={asking} due={len(self._due)}>"

    def begin(self, account: Account) -> None:
        """A limit names this account, of which nothing is known but what was kept."""
        self.accounts[account.account] = account
        account.resume(*self._dormant.pop(account.account, (0, 0)))

    def let_go(self, account: Account) -> None:
        """No limit names it any more: keep its figures alone, now or as soon as nothing of it is held or asked."""
        name = account.account
        if name not in self.live and self.accounts.get(name) is account:
            del self.accounts[name]
            if account.granted:
                self._dormant[name] = (account.granted, account.taken)

    def ask(self, account: Account) -> None:
        """Ask for what this account's waiters need and its use makes likely, in this turn's question."""
        if self.accounts.get(account.account) is not account and not self._is_back(account):
            return
        if account.is_asking:
            account.asks_again = True
            return
        # Not once more for each request of this turn.
        account.low = 0
        if not self._due:
            self._loop.call_soon(self._flush)
        self._due[account.account] = self.live[account.account] = account

    def _is_back(self, account: Account) -> bool:
        """Whether one that was let go, while an exchange under way had nothing of it, may be asked for after all: not
        where another has begun since, as both would go on from the same figures.
        """
        name = account.account
        if name in self.accounts or self._dormant.get(name, (0, 0)) != (account.granted, account.taken):
            return False
        self._dormant.pop(name, None)
        self.accounts[name] = account
        return True

    def _flush(self) -> None:
        due = list(self._due.values())
        self._due.clear()
        now = self._clock()
        for account in due:
            account.is_asking = True
            account.asked_at = now
        self._lending.lend(tuple([ask_of(account, now) for account in due]), partial(self._lent, due))

    def _lent(self, asked: list[Account], lent: Lent | None) -> None:
        for account in asked:
            account.is_asking = False
            account.is_unheard = True
        if lent is None:
            self._is_down = True
            return
        now = self._clock()
        loans = {loan.account: loan for loan in lent.loans}
        for account in asked:
            loan = loans.get(account.account)
            if loan is None or (lent.failure and not is_fallback(account.account)):
                self._outcomes.failed(account, now)
                continue
            account.is_unheard = False
            account.lent(loan.granted, loan.used, loan.frees_at, lent.valid_until, settled=loan.settled)
            account.answered_at = now
            if account.is_overlent:
                account.is_overlent = loan.used + loan.leased > account.maximum
            account.extra = 0
            account.renew_at = now + (lent.valid_until - now) / 3
            account.open_gate()
            if account.free >= account.pace // 2:
                account.low = account.pace // 2
            self._outcomes.answered(account, now)
        self._ask_again(asked)

    def _ask_again(self, asked: list[Account]) -> None:
        for account in asked:
            if account.asks_again:
                account.asks_again = False
                self.ask(account)

    def recalled(self, accounts: tuple[str, ...]) -> None:
        """Others wait for these: give back at once what no request has reserved."""
        for name in accounts:
            account = self.accounts.get(name)
            if account is not None and account.give_back():
                self.ask(account)

    def link_restored(self) -> None:
        """There is a link (again): ask what was lost with the last one."""
        if self._is_down:
            self._is_down = False
            for account in list(self.live.values()):
                self.ask(account)

    def sweep(self, now: float) -> None:
        """Renew what is held, give back what lies idle, foresee what will be used."""
        elapsed = now - self._swept_at
        if elapsed < IDLE_SECONDS:
            return
        self._swept_at = now
        for account in list(self.live.values()):
            used = account.activity - account.swept
            account.swept = account.activity
            # Places at the same time are not used up, however often they are taken.
            account.rate = 0 if account.turns else int(used / elapsed)
            account.low = account.rate // 2
            if not account.queue and account.give_back(keep=idle_keep(account, used)):
                self.ask(account)
            is_held = bool(account.free or account.reserved)
            if account.is_unheard or (is_held and now >= account.renew_at):
                self.ask(account)
            if not (is_held or used or account.queue or account.is_asking or account.account in self._due):
                del self.live[account.account]
                if not account.users:
                    self.let_go(account)


def idle_keep(account: Account, used: int) -> int:
    """How much of what is free to keep, when `used` units were used since the last time."""
    if not used or account.is_overlent:
        return 0
    # What was reserved and came back is likely to be reserved again; if not, it goes back little by little.
    return account.free // 2 if account.turns else max(2 * used, account.free // 2)


def ask_of(account: Account, now: float) -> AskLease:
    """The question about an account: what its first waiter needs beyond what is free, and what all of them want."""
    if now >= account.valid_until:
        account.give_back()
    # Who waits in line goes before who has begun already.
    needed = wanted = max(0, account.extra - account.free)
    asking = [each for each in account.queue if _may_ask(each, account)] if account.is_yielding else account.queue
    if asking:
        waiting = [amount for each in asking for one, amount in each.needs if one is account]
        needed = max(0, waiting[0] - account.free)
        wanted = max(0, sum(waiting) - account.free) + account.reserved
    if asking or not account.is_yielding:
        wanted = max(wanted, account.pace + needed - account.free)
    return AskLease(
        account.account,
        account.maximum,
        account.granted,
        needed,
        max(0, wanted),
        account.returned,
        account.organization,
        account.failure_mode,
        account.fallback,
    )


def _may_ask(reservation: Reservation, account: Account) -> bool:
    """Whether nothing is lacking that is asked for before this account."""
    blockers = reservation.blockers
    return not blockers or account.account <= blockers[0].account
