"""The ledger as one counter with one queue: whatever this node wants of it goes through here.

Rule 1. One batch at a time. What comes meanwhile, from whomever, makes the next one, in the order in which it came.
Rule 2. A batch that is not answered in PATIENCE has failed; whether it was applied is not known, and every operation
        may be repeated.
Rule 3. After a failure the ledger is away: everybody is told so at once, without waiting for it, until a probe finds it
        back. A probe writes as a batch does: a store on a full disk answers whoever reads, and nobody else.
Rule 4. Who asks which leases there are learns of every one that was asked for before, however long that takes to be
        granted: the worker that asked for it may be dead, and nobody else would ever give it back.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from structlog.typing import FilteringBoundLogger

from sluicegate.control.limits.charges import window_of_account
from sluicegate.control.resolution.trouble import FAILURES, Trouble
from sluicegate.domain.leases import Balance, Held, Operation, Outcome, Reset
from sluicegate.domain.limits import WindowError
from sluicegate.ledger.interface import Ledger, LedgerUnavailableError

AnswerT = TypeVar("AnswerT")

PATIENCE: Final = 5.0
"""Seconds. A batch takes milliseconds, on a disk that is busy with something else seconds: a request that waits for a
lease is better answered late than refused. A ledger that is gone costs this once; from then on it is known."""
HELD_PATIENCE: Final = 30.0
"""Seconds for a look at all leases of a node: it is rare, and nobody waits for it."""
LARGEST_BATCH: Final = 500
"""Operations after which a batch takes no further submission: some ten milliseconds of the ledger's time."""
PROBE_PAUSE: Final = 0.5
"""Seconds between two probes of a ledger that is away."""

PROBE: Final = (Reset("probe|requests|lifetime"),)
"""The batch that finds a ledger back: it changes an account that nobody has."""

_ENDING: Final = "this node is ending"


class _Submission(NamedTuple):
    operations: Sequence[Operation]
    outcomes: "asyncio.Future[list[Outcome]]"


class Teller:
    """A `Ledger` in front of the ledger. `run` must be running for `apply` to be answered."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        log: FilteringBoundLogger,
        patience: float = PATIENCE,
        pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(PROBE_PAUSE),
    ) -> None:
        """`patience` is how long the ledger may take, in seconds; `pause` is between two probes."""
        self._ledger = ledger
        self._patience = patience
        self._pause = pause
        self._trouble = Trouble("the ledger cannot be asked", log)
        self._queue: deque[_Submission] = deque()
        self._due = asyncio.Event()
        self._away = ""
        self._has_ended = False
        self.absences = 0
        """How often the ledger was away so far: after each, what it did last is not known."""

    def __repr__(self) -> str:
        """Tell how much waits, and what is wrong, if anything."""
        return f"<Teller waiting={len(self._queue)} {self._trouble}>"

    @property
    def is_away(self) -> bool:
        """Whether the ledger cannot be asked."""
        return bool(self._away)

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """As the ledger does, in a batch with others. Raises LedgerUnavailableError, WindowError."""
        self._need_ledger()
        for operation in operations:
            if window_of_account(operation.account) is None:
                # Here, so that it is this caller's trouble and not that of everybody in its batch.
                raise WindowError(f"no such account: {operation.account}")
        return await self._submitted(operations) if operations else []

    async def look(self, accounts: Sequence[str]) -> list[Balance]:
        """As the ledger does. Raises LedgerUnavailableError."""
        self._need_ledger()
        return await self._patiently(self._ledger.look(accounts), self._patience)

    async def held(self, node: str) -> list[Held]:
        """As the ledger does, once all that was asked before is answered. Raises LedgerUnavailableError."""
        self._need_ledger()
        await self._submitted(())
        return await self._patiently(self._ledger.held(node), HELD_PATIENCE)

    async def close(self) -> None:
        """Let go of the ledger's connections."""
        await self._ledger.close()

    async def run(self) -> None:
        """Serve for ever; at the end, tell those who still wait."""
        try:
            while True:
                await self._due.wait()
                self._due.clear()
                while self._queue:
                    await self._serve()
                while self._away:
                    await self._pause()
                    await self._probe()
        finally:
            self._has_ended = True
            self._refuse(self._queue, _ENDING)

    async def _submitted(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Stand in the queue with these; with none, nothing is done but to wait for those before."""
        if self._has_ended:
            # Of a request to the management, which is served a little longer.
            raise LedgerUnavailableError(_ENDING)
        submission = _Submission(operations, asyncio.get_running_loop().create_future())
        self._queue.append(submission)
        self._due.set()
        return await submission.outcomes

    def _need_ledger(self) -> None:
        if self._away:
            raise LedgerUnavailableError(self._away)

    async def _serve(self) -> None:
        """One batch."""
        batch = self._taken()
        operations = [operation for each in batch for operation in each.operations]
        try:
            outcomes = await self._patiently(self._ledger.apply(operations), self._patience) if operations else []
        except LedgerUnavailableError as error:
            self._went(error, batch)
            return
        except BaseException:  # whatever it is, a cancellation too: nobody may wait for ever, and it is raised again
            self._refuse(batch, _ENDING)
            raise
        place = 0
        for each in batch:
            if not each.outcomes.done():
                each.outcomes.set_result(outcomes[place : place + len(each.operations)])
            place += len(each.operations)

    def _taken(self) -> deque[_Submission]:
        batch: deque[_Submission] = deque()
        size = 0
        while self._queue and (not batch or size + len(self._queue[0].operations) <= LARGEST_BATCH):
            size += len(self._queue[0].operations)
            batch.append(self._queue.popleft())
        return batch

    def _went(self, error: LedgerUnavailableError, batch: deque[_Submission]) -> None:
        """The ledger is away."""
        self._away = str(error) or "the ledger does not answer"
        self.absences += 1
        self._trouble.began(error)
        self._refuse(batch, self._away)
        self._refuse(self._queue, self._away)
        self._due.set()

    async def _probe(self) -> None:
        try:
            await self._patiently(self._ledger.apply(PROBE), self._patience)
        except LedgerUnavailableError as error:
            self._trouble.began(error)
            self._away = str(error) or self._away
        else:
            self._away = ""
            self._trouble.ended()

    def _refuse(self, waiting: deque[_Submission], reason: str) -> None:
        while waiting:
            outcomes = waiting.popleft().outcomes
            if not outcomes.done():
                outcomes.set_exception(LedgerUnavailableError(reason))

    async def _patiently(self, work: Awaitable[AnswerT], seconds: float) -> AnswerT:
        try:
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError:
            raise LedgerUnavailableError(f"the ledger did not answer within {seconds:g} s") from None
        except FAILURES as error:
            raise LedgerUnavailableError(str(error) or type(error).__name__) from error
