"""Who is shown what is used of limits."""

import asyncio
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from sluicegate.control.limits.observing import Nobody
from sluicegate.wire.link import AskLease, Lend, Lent
from tests.control.limits.journals import Writer, charge
from tests.control.limits.node import Node

ACCOUNT = "tok_a|requests|1h"


class Figures:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.asks: list[tuple[str, int, str, int]] = []
        self.uses: list[tuple[str, int]] = []

    def asked(self, account: str, maximum: int, organization: str, used: int) -> None:
        """Keep it."""
        self.asks.append((account, maximum, organization, used))

    def used(self, account: str, used: int) -> None:
        """Keep it."""
        self.uses.append((account, used))


def test_asks_and_charges_are_shown(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """What is used is known with every lease that is asked for, and with every charge that is settled."""

    async def main() -> None:
        node = Node(tmp_path, log)
        figures = Figures()
        node.observing = figures
        await node.start()
        writer = Writer(node.events, "000-a")
        answers: asyncio.Queue[Lent] = asyncio.Queue()
        ask = AskLease(ACCOUNT, 100, 0, 3, 3, 0, "org_a")
        node.limits.lend(Lend(1, "000-a", (ask,)), "worker", answers.put_nowait)
        await answers.get()
        assert figures.asks == [(ACCOUNT, 100, "org_a", 0)]
        writer.end("1", charge(ACCOUNT, 2), at=node.clock.unix())
        await node.limits.look()
        assert figures.uses == [(ACCOUNT, 2)]
        node.limits.lend(Lend(2, "000-a", (ask,)), "worker", answers.put_nowait)
        await answers.get()
        assert figures.asks[1:] == [(ACCOUNT, 100, "org_a", 2)]
        writer.die()
        await node.stop()

    asyncio.run(main())


def test_nobody_need_look() -> None:
    """Then nothing happens."""
    nobody = Nobody()
    nobody.asked(ACCOUNT, 1, "org_a", 1)
    nobody.used(ACCOUNT, 1)
    assert repr(nobody) == "<Nobody>"
