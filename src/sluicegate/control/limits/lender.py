"""Workers' asks, answered from the ledger: what comes while one batch is under way makes the next one.

Rule 1. An answer says until when its leases may be spent; the ledger keeps them set aside for longer (`ledger_time`).
Rule 2. A failure changes nothing: the worker repeats the same figures later, and gets what it may already have got.
Rule 3. Without the ledger nothing is lent but allowances (`allowance`), on accounts of their own, which come from here
        at all times.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Final, NamedTuple, Protocol

from structlog.typing import FilteringBoundLogger

from sluicegate.control.limits.allowance import Allowance
from sluicegate.control.limits.charges import window_of_account
from sluicegate.control.limits.identity import holder_of
from sluicegate.control.limits.ledger_time import VALIDITY, LedgerTime, valid_until
from sluicegate.control.limits.observing import Nobody, Observing
from sluicegate.control.limits.recalls import Recalls, is_short
from sluicegate.control.limits.teller import LARGEST_BATCH
from sluicegate.domain.fallback import is_fallback
from sluicegate.domain.leases import Ask, Outcome
from sluicegate.ledger.interface import Ledger, LedgerUnavailableError
from sluicegate.wire.link import AskLease, Lend, Lent, Loan

_SHORTEST: Final = VALIDITY / 2
"""Seconds: what is good for less was asked for with a wrong idea of the ledger's clock, and is asked for once more."""
_REMEMBERED: Final = 1_000
"""Dead holders whose last words may still be on their way."""


class Recalling(Protocol):
    """What reaches this node's workers."""

    def recall(self, accounts: Sequence[str], *, but: frozenset[Hashable]) -> None:
        """Have all but these give back what no request has reserved."""
        ...


class _Waiting(NamedTuple):
    lend: Lend
    asker: Hashable
    answer: Callable[[Lent], None]


class Lender:
    """Answers workers while `run` runs."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        node: str,
        allowance: Allowance,
        time: LedgerTime,
        clock: Callable[[], float],
        log: FilteringBoundLogger,
        observing: Observing | None = None,
    ) -> None:
        """`node` is this node's name; `clock` gives monotonic seconds."""
        self._observing = observing or Nobody()
        self._ledger = ledger
        self._node = node
        self._allowance = allowance
        self._time = time
        self._clock = clock
        self._log = log
        self._voice: Recalling | None = None
        self._recalls = Recalls()
        self._waiting: deque[_Waiting] = deque()
        self._due = asyncio.Event()
        self._buried: deque[str] = deque(maxlen=_REMEMBERED)

    def __repr__(self) -> str:
        """Tell how much waits."""
        return f"<Lender waiting={len(self._waiting)} {self._time!r}>"

    def speak_through(self, voice: Recalling) -> None:
        """Reach the workers through this from now on."""
        self._voice = voice

    def lend(self, lend: Lend, asker: Hashable, answer: Callable[[Lent], None]) -> None:
        """Call `answer` later in the loop. `asker` is what recalls are kept from."""
        if lend.holder in self._buried:
            self._log.warning("a worker that is gone asks for a lease", holder=lend.holder)
            return
        unknown = [ask.account for ask in _of_ledger(lend) if window_of_account(ask.account) is None]
        if unknown:
            self._log.error("a worker asks for what is no account", accounts=unknown)
            answer(Lent(lend.number, (), self._clock(), f"no such account: {unknown[0]}"))
            return
        self._waiting.append(_Waiting(lend, asker, answer))
        self._due.set()

    def bury(self, incarnation: str) -> None:
        """This run of a worker is over: whatever it may still have said counts no more."""
        if incarnation not in self._buried:
            self._buried.append(incarnation)

    async def run(self) -> None:
        """Answer for ever."""
        while True:
            await self._due.wait()
            self._due.clear()
            while self._waiting:
                await self.serve()

    async def serve(self) -> None:
        """Answer what waits, up to one batch of the ledger's."""
        batch = self._taken()
        sent = self._clock()
        expires_at = self._time.expiry()
        asks = [self._ask(each.lend.holder, ask, expires_at) for each in batch for ask in _of_ledger(each.lend)]
        try:
            outcomes = await self._ledger.apply(asks)
            self._time.learn(sent, outcomes)
            if valid_until(sent, expires_at, outcomes) - sent < _SHORTEST:
                sent, expires_at = self._clock(), self._time.expiry()
                asks = [_until(ask, expires_at) for ask in asks]
                outcomes = await self._ledger.apply(asks)
        except LedgerUnavailableError as error:
            for each in batch:
                each.answer(await self._without_ledger(each.lend, str(error)))
            return
        place = 0
        short: list[tuple[str, Hashable]] = []
        for each in batch:
            size = sum(1 for _ in _of_ledger(each.lend))
            mine = outcomes[place : place + size]
            asked = asks[place : place + size]
            place += size
            short += [(ask.account, each.asker) for ask, got in zip(asked, mine, strict=True) if is_short(ask, got)]
            until = valid_until(sent, expires_at, mine)
            each.answer(await self._with_ledger(each.lend, mine, until))
        self._recall(short)

    def _taken(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and size < LARGEST_BATCH:
            each = self._waiting.popleft()
            # It may have died while it waited.
            if each.lend.holder not in self._buried:
                batch.append(each)
                size += len(each.lend.asks)
        return batch

    def _ask(self, incarnation: str, ask: AskLease, expires_at: int) -> Ask:
        holder = holder_of(self._node, incarnation)
        return Ask(ask.account, holder, ask.maximum, ask.seen, ask.needed, ask.wanted, ask.returned, expires_at)

    async def _with_ledger(self, lend: Lend, outcomes: Sequence[Outcome], until: float) -> Lent:
        loans: list[Loan] = []
        answers = iter(outcomes)
        for ask in lend.asks:
            if is_fallback(ask.account):
                loans.append(await self._allowance.lend(lend.holder, ask))
            else:
                got = next(answers)
                self._observing.asked(ask.account, ask.maximum, ask.organization, got.used)
                loans.append(Loan(got.account, got.granted, got.used, got.leased, got.frees_at, got.settled))
        return Lent(lend.number, tuple(loans), until)

    async def _without_ledger(self, lend: Lend, reason: str) -> Lent:
        loans = [await self._allowance.lend(lend.holder, ask) for ask in lend.asks if is_fallback(ask.account)]
        failure = reason if any(True for _ in _of_ledger(lend)) else ""
        is_degraded = any(ask.failure_mode == "open" for ask in lend.asks)
        return Lent(lend.number, tuple(loans), self._clock() + VALIDITY, failure, is_degraded)

    def _recall(self, short: Sequence[tuple[str, Hashable]]) -> None:
        if short and self._voice is not None:
            for askers, accounts in self._recalls.due(short, self._clock()).items():
                self._voice.recall(accounts, but=askers)


def _of_ledger(lend: Lend) -> Sequence[AskLease]:
    """The asks that are the ledger's business."""
    return [ask for ask in lend.asks if not is_fallback(ask.account)]


def _until(ask: Ask, expires_at: int) -> Ask:
    return Ask(ask.account, ask.holder, ask.maximum, ask.seen, ask.needed, ask.wanted, ask.returned, expires_at)
