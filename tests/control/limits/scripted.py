"""A ledger that answers when the test says so."""

import asyncio
from collections.abc import Callable, Sequence

from sluicegate.control.limits.teller import PROBE
from sluicegate.domain.leases import Ask, Balance, Held, Operation, Outcome, Settle
from sluicegate.ledger.interface import LedgerUnavailableError


class ScriptedLedger:
    """Keeps what it is asked. While `holds`, an answer comes only with `answer`; while `fails`, none comes."""

    def __init__(self) -> None:
        self.batches: list[list[Operation]] = []
        self.holds = False
        self.fails: BaseException | None = None
        self.is_full = False
        """Whether only those are answered who read."""
        self._probes = asyncio.Semaphore(0)
        self._probed = asyncio.Semaphore(0)
        self.now = 1_000_000
        self.held_leases: list[Held] = []
        self.is_closed = False
        self._arrived = asyncio.Event()
        self._may_answer = asyncio.Event()
        self.outcome: Callable[[Operation], Outcome] = self.granting

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Keep the batch, and answer it now or later; of a probe, only answer it."""
        if list(operations) == [*PROBE]:
            self._probed.release()
            if self.fails is not None or self.is_full:
                raise self.fails or AWAY
            return []
        self.batches.append(list(operations))
        self._arrived.set()
        if self.holds:
            await self._may_answer.wait()
            self._may_answer.clear()
        if self.fails is not None or self.is_full:
            raise self.fails or AWAY
        return [self.outcome(operation) for operation in operations]

    async def arrived(self, count: int) -> None:
        """Wait for so many batches."""
        while len(self.batches) < count:
            self._arrived.clear()
            await self._arrived.wait()

    def answer(self) -> None:
        """Let go of the batch that is held."""
        self._may_answer.set()

    async def may_be_probed(self) -> None:
        """The pause before a probe."""
        await self._probes.acquire()

    async def probed(self) -> None:
        """Let it be probed once, and wait for that."""
        self._probes.release()
        await self._probed.acquire()

    def granting(self, operation: Operation) -> Outcome:
        """Everything that is wanted, and every charge."""
        granted = operation.seen + operation.wanted if isinstance(operation, Ask) else 0
        position = operation.position if isinstance(operation, Settle) else 0
        return Outcome(operation.account, 0, granted, granted, position, None, self.now)

    async def look(self, accounts: Sequence[str]) -> list[Balance]:
        """Nothing is used."""
        if self.fails is not None:
            raise self.fails
        return [Balance(account, 0, 0, None, None) for account in accounts]

    async def held(self, node: str) -> list[Held]:
        """What the test says."""
        if self.fails is not None:
            raise self.fails
        return [each for each in self.held_leases if each.holder.startswith(f"{node}/")]

    async def close(self) -> None:
        """Remember it."""
        self.is_closed = True


AWAY = LedgerUnavailableError("no route to it")
