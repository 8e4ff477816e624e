"""Workers, their control process and a clock, played by hypothesis against a ledger and, beside it, the model.

A worker reserves from its lease, writes what it took into its journal, and forgets everything else when it dies. The
control process settles journals and closes the leases of the dead. Messages and answers are lost, repeated and late.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sluicegate.domain.leases import Ask, Close, Operation, Outcome, Reset, Settle
from sluicegate.ledger.interface import Ledger
from sluicegate.ledger.memory import MemoryLedger
from tests.ledger.ground import Clock, Ground

T = TypeVar("T")

ZONE = "America/Sao_Paulo"
MAXIMA = {"tokens|1m": 40, f"usd|day@{ZONE}": 40, "requests|lifetime": 25, "concurrency|lifetime": 12}
"""Metrics and windows of the accounts, each with its hard limit."""

VALIDITY = 10_000
STARTS = (
    1_709_208_000_000,  # 29 February 2024, 12:00 UTC
    1_508_036_395_000,  # 5 seconds before a midnight that does not exist in São Paulo
    1_518_922_790_000,  # 10 seconds before one at which the clock is put back to 23:00
)

FATES = st.sampled_from(("arrives", "arrives", "arrives", "lost", "answer lost", "twice"))
STEPS = st.sampled_from((1, 500, 999, 1000, 9_999, 10_001, 50_000, 61_000, 72_000, 3_600_000, 86_400_000, -90_000))
KINDS = st.sampled_from(sorted(MAXIMA))

_numbers = count()


@dataclass(slots=True)
class Reservation:
    """What a request in flight may take, and when it began."""

    account: str
    units: int
    at: int


@dataclass(frozen=True, slots=True)
class Charge:
    """A line of a journal."""

    place: int
    account: str
    amount: int
    leased: int
    at: int


@dataclass(slots=True)
class Holding:
    """A worker's side of a lease."""

    seen: int = 0
    returned: int = 0
    taken: int = 0
    reserved: int = 0
    valid_until: int = 0

    @property
    def free(self) -> int:
        """What can be reserved."""
        return self.seen - self.returned - self.taken - self.reserved


@dataclass(slots=True)
class Worker:
    """One incarnation of a worker. `settled` is how far control knows its journal to be settled."""

    name: str
    is_alive: bool = True
    is_closed: bool = False
    settled: int = 0
    holdings: dict[str, Holding] = field(default_factory=dict)
    flight: list[Reservation] = field(default_factory=list)
    journal: list[Charge] = field(default_factory=list)

    def write(self, account: str, amount: int, leased: int, at: int) -> None:
        """Append to the journal."""
        self.journal.append(Charge(len(self.journal) + 1, account, amount, leased, at))
        self.holdings[account].taken += leased


class LedgerMachine(RuleBasedStateMachine):
    """See the module."""

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self.clock: Clock = ground.clock
        self.number = next(_numbers)
        self.node = f"node{self.number}"
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.subject: Ledger = self.run(self.stack.enter_async_context(ground.open()))
        self.model = MemoryLedger(self.clock)
        self.workers: list[Worker] = []
        self.positions: dict[tuple[str, str], int] = {}
        self.seen_at: dict[str, int] = {}
        self.sent: list[list[Operation]] = []
        self.applied: set[tuple[str, str, int]] = set()
        self.charged: dict[str, list[tuple[int, int]]] = {}
        self.forgiven: dict[str, int] = {}
        self.touched: set[str] = set()
        self.gone: set[str] = set()
        self.name = ""
        self.hire()
        self.hire()

    # What happens.

    @initialize(kind=KINDS, start=st.sampled_from(STARTS))
    def is_about(self, kind: str, start: int) -> None:
        """Each run is about one account, of its own: so much more happens to it."""
        self.name = f"tok_{self.number}|{kind}"
        self.clock.now = start

    @rule(who=st.integers(0, 9), units=st.integers(1, 12))
    def works(self, who: int, units: int) -> None:
        """A request comes and goes, and all that it reserved is charged."""
        self.asks(who, units, 0, "arrives")
        self.begins(who, 1)
        self.ends(who, -1, 1)

    def hire(self) -> None:
        """A worker starts."""
        self.workers.append(Worker(f"{self.node}/{len(self.workers)}"))

    @rule(step=STEPS)
    def passes(self, step: int) -> None:
        """Time passes, or the clock is put back."""
        self.clock.now += step

    @precondition(lambda self: self.is_quiet())
    @rule()
    def long_pause(self) -> None:
        """Nobody does anything for so long that what is over is forgotten, and no message is repeated any more."""
        self.clock.now += 9 * 86_400_000
        self.sent.clear()

    @rule(who=st.integers(0, 9), needed=st.integers(0, 6), more=st.integers(0, 30), fate=FATES)
    def asks(self, who: int, needed: int, more: int, fate: str) -> None:
        """A worker asks for units, returning what it may not use any more."""
        worker, account = self.living(who), self.name
        holding = worker.holdings.setdefault(account, Holding())
        if self.time(account) >= holding.valid_until:
            holding.returned += holding.free
        self.ask(worker, account, needed, needed + more, fate)

    @rule(who=st.integers(0, 9), fate=FATES)
    def returns(self, who: int, fate: str) -> None:
        """A worker gives back all that no request has reserved."""
        worker, account = self.living(who), self.name
        holding = worker.holdings.setdefault(account, Holding())
        holding.returned += holding.free
        self.ask(worker, account, 0, 0, fate)

    @rule(who=st.integers(0, 9), part=st.sampled_from((1, 2, 4)))
    def begins(self, who: int, part: int) -> None:
        """A request begins, and reserves a part of what is free."""
        worker, account = self.living(who), self.name
        holding = worker.holdings.setdefault(account, Holding())
        units = holding.free // part
        if units > 0 and self.time(account) < holding.valid_until:
            holding.reserved += units
            worker.flight.append(Reservation(account, units, self.time(account)))

    @rule(who=st.integers(0, 9), which=st.integers(0, 9), part=st.sampled_from((0, 1, 2)))
    def ends(self, who: int, which: int, part: int) -> None:
        """A request ends: it took all that it had reserved, or half, or never reached a provider."""
        worker = self.living(who)
        if not worker.flight:
            return
        reservation = worker.flight.pop(which % len(worker.flight))
        worker.holdings[reservation.account].reserved -= reservation.units
        if part and "concurrency" not in reservation.account:
            worker.write(reservation.account, -(-reservation.units // part), reservation.units, reservation.at)

    @rule(who=st.integers(0, 9))
    def dies(self, who: int) -> None:
        """A worker dies; its journal has of each request in flight what it may have taken. Another one starts."""
        worker = self.living(who)
        self.bury(worker)
        self.hire()

    @rule(who=st.integers(0, 99), fate=FATES)
    def settles(self, who: int, fate: str) -> None:
        """Control settles a journal as far as it is written, and closes the leases of a dead worker."""
        self.settle(self.workers[who % len(self.workers)], fate)

    @rule()
    def control_restarts(self) -> None:
        """Control knows only what the ledger tells it, and its checkpoints."""
        self.positions = {
            (held.account, held.holder): held.lease.position for held in self.run(self.subject.held(self.node))
        }

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 99))
    def arrives_again(self, which: int) -> None:
        """An old message arrives once more; nobody hears the answer."""
        self.apply(self.sent[-1 - which % len(self.sent)])

    @rule()
    def is_reset(self) -> None:
        """An administrator resets the account."""
        account = self.name
        self.apply([Reset(account)])
        self.charged[account] = []
        self.forgiven[account] = self.spent(account) - self.in_flight(account)

    # What must hold.

    @invariant()
    def holds(self) -> None:
        """No limit is exceeded: neither by what the ledger knows, nor by what was really taken."""
        accounts = sorted(self.touched)
        balances = self.run(self.subject.look(accounts))
        assert balances == self.run(self.model.look(accounts))
        for account, balance in zip(accounts, balances, strict=True):
            maximum = MAXIMA[account.partition("|")[2]]
            assert balance.used == self.expected(account)
            if "concurrency" in account:
                continue
            assert balance.used + balance.leased <= maximum
            assert self.spent(account) - self.forgiven.get(account, 0) <= maximum or self.forgiven.get(account, 0)
        self.touched.clear()

    def teardown(self) -> None:
        """When the dust settles, everything is accounted for once, and nothing is set aside for anybody."""
        try:
            self.settle_down()
        finally:
            self.run(self.stack.aclose())
            self.runner.close()

    def settle_down(self) -> None:
        """All requests end, all journals are settled, all leases returned or closed."""
        for worker in self.workers:
            for reservation in worker.flight:
                holding = worker.holdings[reservation.account]
                holding.reserved -= reservation.units
                if "concurrency" not in reservation.account:
                    worker.write(reservation.account, reservation.units, reservation.units, reservation.at)
            worker.flight.clear()
            self.settle(worker, "arrives")
            # Twice: a grant whose answer was lost is heard of only now.
            for _ in range(2):
                for account, holding in worker.holdings.items():
                    if worker.is_alive:
                        holding.returned += holding.free
                        self.ask(worker, account, 0, 0, "arrives")
        self.holds()
        (balance,) = self.run(self.subject.look([self.name]))
        assert balance.leased == 0
        written = {(worker.name, line.account, line.place) for worker in self.workers for line in worker.journal}
        assert self.applied == written
        assert self.run(self.subject.held(self.node)) == self.run(self.model.held(self.node))

    # How.

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Do this, now."""
        return self.runner.run(coroutine)

    def time(self, account: str) -> int:
        """The ledger's time, as far as a node can know it."""
        return max(self.clock.now, self.seen_at.get(account, 0))

    def living(self, who: int) -> Worker:
        """One of those that live."""
        alive = [worker for worker in self.workers if worker.is_alive]
        return alive[who % len(alive)]

    def is_quiet(self) -> bool:
        """Whether no request is in flight, everything is settled, of the dead too, and nothing is held."""
        return all(
            not worker.flight
            and worker.settled == len(worker.journal)
            and not (worker.is_alive and any(holding.free for holding in worker.holdings.values()))
            for worker in self.workers
        )

    def ask(self, worker: Worker, account: str, needed: int, wanted: int, fate: str) -> None:
        """Send it, and take what comes of it."""
        holding = worker.holdings[account]
        maximum, expires_at = MAXIMA[account.partition("|")[2]], self.time(account) + VALIDITY
        message = Ask(account, worker.name, maximum, holding.seen, needed, wanted, holding.returned, expires_at)
        answers = self.send([message], fate)
        if answers and answers[0].is_applied:
            holding.seen, holding.valid_until = answers[0].granted, expires_at
            if holding.free < 0:
                raise AssertionError("less was granted than taken")

    def bury(self, worker: Worker) -> None:
        """It is dead."""
        worker.is_alive = False
        for reservation in worker.flight:
            if "concurrency" not in reservation.account:
                worker.write(reservation.account, reservation.units, reservation.units, reservation.at)
        worker.flight.clear()

    def settle(self, worker: Worker, fate: str) -> None:
        """Settle what is not known to be settled yet, and where the ledger says otherwise, go by that."""
        while True:
            batch: list[Operation] = []
            latest: dict[str, int] = {}
            for line in worker.journal[worker.settled :]:
                since = latest.get(line.account, self.positions.get((line.account, worker.name), 0))
                if line.place > since:
                    batch.append(
                        Settle(line.account, worker.name, since, line.place, line.amount, line.leased, line.at)
                    )
                    latest[line.account] = line.place
            if not worker.is_alive:
                batch += self.closes(worker)
            answers = self.send(batch, fate) if batch else []
            if answers is None:
                return
            refused = False
            for message, answer in zip(batch, answers, strict=True):
                self.positions[message.account, worker.name] = answer.position
                refused = refused or not answer.is_applied
            if not refused:
                worker.settled = len(worker.journal)
                return

    def closes(self, worker: Worker) -> list[Close]:
        """Of all that the ledger says it holds: one with nothing to lose is not known there, and needs none."""
        held = self.run(self.subject.held(self.node))
        return [Close(each.account, each.holder) for each in held if each.holder == worker.name]

    def send(self, batch: list[Operation], fate: str) -> list[Outcome] | None:
        """The answers, if they come back."""
        if fate == "lost":
            return None
        self.sent.append(batch)
        del self.sent[:-30]
        answers = self.apply(batch)
        if fate == "twice":
            answers = self.apply(batch)
        return None if fate == "answer lost" else answers

    def apply(self, batch: list[Operation]) -> list[Outcome]:
        """Apply to both, and compare."""
        before = {held.account + held.holder: held.lease for held in self.run(self.model.held(self.node))}
        outcomes = self.run(self.subject.apply(batch))
        assert outcomes == self.run(self.model.apply(batch))
        for message, outcome in zip(batch, outcomes, strict=True):
            self.seen_at[message.account] = outcome.now
            self.touched.add(message.account)
            if isinstance(message, Settle) and outcome.is_applied:
                line = (message.holder, message.account, message.position)
                assert line not in self.applied, "charged twice"
                self.applied.add(line)
                self.charged.setdefault(message.account, []).append((message.at, message.amount))
            if isinstance(message, Close):
                self.gone.add(message.holder)
            if isinstance(message, Ask) and message.holder in self.gone:
                assert not outcome.is_applied, "the dead were granted something"
            if isinstance(message, Ask):
                known = before.get(message.account + message.holder)
                if outcome.granted > max(message.seen, known.granted if known else 0):
                    assert outcome.used + outcome.leased <= message.maximum
        return outcomes

    def expected(self, account: str) -> int:
        """What the account should have used, from what was charged to it."""
        return sum(amount for at, amount in self.charged.get(account, []) if self.counts(account, at, 1000))

    def counts(self, account: str, at: int, slot: int) -> bool:
        """Whether what was used at a moment counts now, in slots of so many milliseconds."""
        now = self.time(account)
        if account.endswith("|1m"):
            return (at // slot + 1) * slot > now - 60_000
        if "|day" in account:
            day, today = (datetime.fromtimestamp(when / 1000, ZoneInfo(ZONE)).date() for when in (at, now))
            return day == today
        return "concurrency" not in account

    def in_flight(self, account: str) -> int:
        """What requests may take that began in the present window."""
        return sum(
            reservation.units
            for worker in self.workers
            for reservation in worker.flight
            if reservation.account == account and self.counts(account, reservation.at, 1)
        )

    def spent(self, account: str) -> int:
        """What was taken in the present window, by the journals and by requests in flight."""
        return self.in_flight(account) + sum(
            line.amount
            for worker in self.workers
            for line in worker.journal
            if line.account == account and self.counts(account, line.at, 1)
        )


def machine(ground: Ground) -> type[LedgerMachine]:
    """A machine that is made without arguments, as hypothesis does for each run."""

    class GroundedMachine(LedgerMachine):
        def __init__(self) -> None:
            super().__init__(ground)

    return GroundedMachine
