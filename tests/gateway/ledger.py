"""Control's side of lending, played with the ledger's own rules: grants, recalls, settles what a journal says."""

import asyncio
from collections.abc import Callable, Iterable

from sluicegate.domain.events import Charge
from sluicegate.domain.fallback import is_fallback
from sluicegate.domain.leases import Account, Ask, Balance, Operation, Outcome, Settle, apply, balance
from sluicegate.wire.link import AskLease, Lent, Loan

VALIDITY = 10.0
HOLDER = "node/worker"


class PlayedLedger:
    """Answers in the loop's next turn, unless it is told to be silent or broken."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float]) -> None:
        self.loop = loop
        self.clock = clock
        self.accounts: dict[str, Account] = {}
        self.asked: list[tuple[AskLease, ...]] = []
        self.open: list[tuple[tuple[AskLease, ...], Callable[[Lent | None], None]]] = []
        self.is_silent = False
        self.is_down = False
        self.failure = ""
        self.drawn: dict[str, int] = {}
        self.position = 0

    @property
    def now(self) -> int:
        """Unix milliseconds."""
        return int((1_700_000_000 + self.clock()) * 1000)

    def lend(self, asks: tuple[AskLease, ...], callback: Callable[[Lent | None], None]) -> None:
        """A question comes."""
        if self.is_down:
            callback(None)
            return
        self.asked.append(asks)
        if self.is_silent:
            self.open.append((asks, callback))
        else:
            self.loop.call_soon(self.answer, asks, callback)

    def answer(self, asks: Iterable[AskLease], callback: Callable[[Lent | None], None]) -> None:
        """Say what comes of it."""
        loans = [self.loan(ask) for ask in asks if is_fallback(ask.account) or not self.failure]
        callback(Lent(0, tuple(loans), self.clock() + VALIDITY, self.failure, bool(self.failure)))

    def answers(self) -> None:
        """Answer what is open."""
        waiting, self.open = self.open, []
        for asks, callback in waiting:
            self.answer(asks, callback)

    def breaks(self) -> None:
        """The link breaks: what is open is never answered."""
        waiting, self.open = self.open, []
        for _, callback in waiting:
            callback(None)

    def loan(self, ask: AskLease) -> Loan:
        """What is lent to the worker under test."""
        if is_fallback(ask.account):
            drawn = self.drawn.get(ask.account, 0)
            more = ask.needed if drawn + ask.needed <= ask.maximum else 0
            self.drawn[ask.account] = drawn + more
            return Loan(ask.account, ask.seen + more, drawn + more, 0, None)
        expires_at = self.now + int((VALIDITY + 3) * 1000)
        got = self.apply(
            ask.account,
            Ask(ask.account, HOLDER, ask.maximum, ask.seen, ask.needed, ask.wanted, ask.returned, expires_at),
        )
        return Loan(got.account, got.granted, got.used, got.leased, got.frees_at, got.settled)

    def apply(self, name: str, operation: Operation) -> Outcome:
        """One operation of the ledger."""
        self.accounts[name], outcome = apply(name, self.accounts.get(name, Account()), operation, self.now)
        return outcome

    def others_take(self, name: str, maximum: int, amount: int, holder: str = "other/worker") -> None:
        """Another worker sets aside so much."""
        seen = self.accounts.get(name, Account()).leases.get(holder)
        have = seen.granted if seen is not None else 0
        expires_at = self.now + 13_000
        self.apply(name, Ask(name, holder, maximum, have, amount, amount, 0, expires_at))

    def others_return(self, name: str, maximum: int, amount: int, holder: str = "other/worker") -> None:
        """It gives some back."""
        lease = self.accounts[name].leases[holder]
        expires_at = self.now + 13_000
        self.apply(name, Ask(name, holder, maximum, lease.granted, 0, 0, lease.returned + amount, expires_at))

    def settles(self, charges: Iterable[Charge]) -> None:
        """Control has read these in the journal."""
        for charge in charges:
            account = self.accounts.get(charge.account, Account())
            lease = account.leases.get(HOLDER)
            self.position += 1
            since = lease.position if lease is not None else 0
            settle = Settle(charge.account, HOLDER, since, self.position, charge.amount, charge.leased, self.now)
            assert self.apply(charge.account, settle).is_applied

    def used(self, name: str) -> int:
        """What was used in all slots."""
        return sum(self.accounts[name].slots.values())

    def balance(self, name: str) -> Balance:
        """What counts now."""
        return balance(name, self.accounts[name], self.now)

    def leased(self, name: str) -> int:
        """What all holders have set aside."""
        return sum(lease.outstanding for lease in self.accounts[name].leases.values())
