"""Everything at once: workers that die, answers that are lost, control that begins again; and the limit holds."""

import asyncio
import random
from pathlib import Path

import pytest
from structlog.typing import FilteringBoundLogger

from sluicegate.wire.link import AskLease, Lent
from tests.control.limits.journals import Writer, charge
from tests.control.limits.node import Node, told

MAXIMUM = 200
ACCOUNT = "tok_1|tokens|lifetime"


class Worker:
    """A scripted worker: it reserves before it sends, writes down what it reserved, and then what it took."""

    def __init__(self, node: Node, incarnation: str, chance: random.Random) -> None:
        self.node = node
        self.name = incarnation
        self.journal = Writer(node.events, incarnation)
        self.chance = chance
        self.seen = 0
        self.returned = 0
        self.taken = 0
        self.running: dict[str, int] = {}
        self.charged = 0
        """What its provider has counted, the worst case of what is under way included."""
        self._count = 0

    @property
    def free(self) -> int:
        """What it may still reserve."""
        return self.seen - self.returned - self.taken - sum(self.running.values())

    async def ask(self, needed: int) -> Lent:
        """Ask for a lease; the answer may get lost between control and here."""
        wanted = needed * self.chance.randint(1, 4) if needed else 0
        ask = AskLease(ACCOUNT, MAXIMUM, self.seen, needed, wanted, self.returned)
        lent = await self.node.lend(self.name, ask)
        if not lent.failure and self.chance.random() < 0.8:
            self.seen = lent.loans[0].granted
        return lent

    def begin(self, amount: int) -> None:
        """Send a request, if there is enough for it."""
        if amount <= self.free:
            self._count += 1
            request_id = f"{self.name}-{self._count}"
            self.running[request_id] = amount
            self.charged += amount
            self.journal.begin(request_id, charge(ACCOUNT, amount), at=self.node.clock.unix())

    def end(self) -> None:
        """A request is over: less was used than was reserved, and what was reserved for it is free again."""
        if self.running:
            request_id = self.chance.choice(sorted(self.running))
            amount = self.running.pop(request_id)
            used = self.chance.randint(0, amount)
            self.charged -= amount - used
            self.taken += used
            self.journal.end(request_id, charge(ACCOUNT, used), at=self.node.clock.unix())

    def give_back(self) -> None:
        """Part of what is free."""
        self.returned += self.chance.randint(0, self.free)


async def step(node: Node, workers: list[Worker], gone: list[Worker], chance: random.Random) -> None:
    """Something happens."""
    index = chance.randrange(len(workers))
    worker = workers[index]
    match chance.randrange(12):
        case 0 | 1 | 2:
            await worker.ask(chance.randint(1, 20))
        case 3 | 4 | 5:
            worker.begin(chance.randint(1, 20))
        case 6 | 7:
            worker.end()
        case 8:
            worker.give_back()
            await worker.ask(0)
        case 9:
            await node.look()
        case 10:
            if chance.random() < 0.3:
                worker.journal.die()
                gone.append(worker)
                workers[index] = Worker(node, f"{index:03}-{len(gone):04}", chance)
            elif chance.random() < 0.3:
                worker.journal.rotate()
        case _:
            if chance.random() < 0.3:
                await node.start()
            node.clock.seconds += chance.random()


@pytest.mark.parametrize("seed", range(25))
def test_limit_holds_and_everything_is_settled_once(seed: int, tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Whatever fails: never is more used and set aside than the maximum, and in the end everything is charged once."""
    chance = random.Random(seed)

    async def story(node: Node) -> None:
        node.ledger.fault = lambda: chance.choice(["", "", "", "", "", "before", "after"])
        gone: list[Worker] = []
        workers = [Worker(node, f"{index:03}-a", chance) for index in range(3)]
        for _ in range(300):
            await step(node, workers, gone, chance)
            balance = await node.ledger.balance(ACCOUNT)
            assert balance.used + balance.leased <= MAXIMUM
            assert sum(worker.charged for worker in (*workers, *gone)) <= MAXIMUM
        for worker in workers:
            worker.journal.die()
        node.ledger.fault = lambda: ""
        for _ in range(3):
            # A ledger that was away is found back in the next turn.
            await asyncio.sleep(0)
            await node.look()
        balance = await node.ledger.balance(ACCOUNT)
        assert balance.used == sum(worker.charged for worker in (*workers, *gone))
        assert balance.leased == 0
        await node.start()
        await node.look()
        assert (await node.ledger.balance(ACCOUNT)).used == balance.used

    told(tmp_path, log, story)
