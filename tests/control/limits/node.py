"""A node without its processes: a clock, a ledger that may fail, and control's side of limits, begun again at will."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from sluicegate.control.limits.limits import Limits
from sluicegate.control.limits.observing import Observing
from sluicegate.control.limits.settlement import NAME
from sluicegate.control.limits.teller import PROBE, Teller
from sluicegate.domain.leases import Balance, Held, Operation, Outcome
from sluicegate.events.checkpoint_store import FileStore
from sluicegate.ledger.interface import LedgerUnavailableError
from sluicegate.ledger.memory import MemoryLedger
from sluicegate.wire.link import AskLease, Lend, Lent

NODE = "node"


def checkpoint_path(directory: Path) -> Path:
    """Where it is kept how far its journal is settled."""
    return directory / "checkpoints" / f"{NAME}.json"


class Clock:
    """One moment for all of a node, moved by the test."""

    def __init__(self, seconds: float = 1_800_000_000.0) -> None:
        self.seconds = seconds

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds - 1_700_000_000.0

    def unix(self) -> int:
        """Unix milliseconds."""
        return int(self.seconds * 1000)


class FailingLedger:
    """A ledger behind a line that breaks: `fault` says of every batch whether before or after it was applied.

    Probes find it back whenever it is neither `away` nor `full`: then it writes nothing, and answers who reads.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self.inner = MemoryLedger(clock)
        self.fault: Callable[[], str] = lambda: ""
        self.before: list[Operation] = []
        """What somebody else has applied, one before each batch."""

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Apply, or not, and tell, or not."""
        fault = self.fault()
        if fault == "full":
            raise LedgerUnavailableError("the disk is full")
        if list(operations) == [*PROBE]:
            if fault == "away":
                raise LedgerUnavailableError("away")
            return await self.inner.apply(operations)
        if self.before:
            await self.inner.apply([self.before.pop(0)])
        if fault == "before":
            raise LedgerUnavailableError("lost on the way there")
        outcomes = await self.inner.apply(operations)
        if fault == "after":
            raise LedgerUnavailableError("lost on the way back")
        return outcomes

    async def look(self, accounts: Sequence[str]) -> list[Balance]:
        """The balances."""
        if self.fault() == "away":
            raise LedgerUnavailableError("away")
        return await self.inner.look(accounts)

    async def held(self, node: str) -> list[Held]:
        """All leases of a node."""
        return await self.inner.held(node)

    async def close(self) -> None:
        """There is nothing to let go of."""

    async def balance(self, account: str) -> Balance:
        """What an account shows, whatever the line does."""
        [balance] = await self.inner.look([account])
        return balance


class Recalled:
    """Whoever is told of recalls."""

    def __init__(self) -> None:
        self.accounts: list[str] = []

    def recall(self, accounts: Sequence[str], *, but: frozenset[object]) -> None:
        """Keep them."""
        del but
        self.accounts += accounts


class Node:
    """The data directory outlives its control processes."""

    def __init__(self, directory: Path, log: FilteringBoundLogger) -> None:
        self.directory = directory
        self.clock = Clock()
        self.ledger = FailingLedger(self.clock.unix)
        self.log = log
        self.recalled = Recalled()
        self.observing: Observing | None = None
        self.limits: Limits
        self.teller: Teller
        self._running: asyncio.Task[None] | None = None
        self._threads: ThreadPoolExecutor
        self._number = 0

    @property
    def running(self) -> object:
        """The control process, for who wonders what became of it."""
        return self._running

    @property
    def events(self) -> Path:
        """Where journals are."""
        return self.directory / "events"

    async def start(self, pause: Callable[[], Awaitable[None]] | None = None) -> None:
        """Begin a control process; one that runs dies on the spot. Without a `pause` it looks when the test wants."""
        await self.stop()
        self._threads = ThreadPoolExecutor(1)
        asyncio.get_running_loop().set_default_executor(self._threads)
        self.teller = Teller(self.ledger, log=self.log, pause=_turn)
        self.limits = Limits(
            self.teller,
            node=NODE,
            data_dir=self.directory,
            checkpoints=FileStore(checkpoint_path(self.directory), log=self.log),
            clock=self.clock.monotonic,
            now=self.clock.unix,
            log=self.log,
            observing=self.observing,
        )
        self.limits.speak_through(self.recalled)
        self._running = asyncio.ensure_future(self.limits.run(pause=pause or _for_ever))

    async def stop(self) -> None:
        """End it, without anything it would like to do before."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            self._running = None
            # What its threads are at is done before anybody else begins: a process takes its threads with it.
            self._threads.shutdown()

    async def look(self) -> None:
        """Let it look at the journals."""
        await self.limits.look(closely=True)

    async def ledger_is_back(self) -> None:
        """Let it be probed: that takes a few turns."""
        for _ in range(_MANY_TURNS):
            await asyncio.sleep(0)

    async def lend(self, holder: str, *asks: AskLease) -> Lent:
        """Ask as a worker does, and wait for the answer."""
        answered: asyncio.Future[Lent] = asyncio.get_running_loop().create_future()
        self._number += 1
        self.limits.lend(Lend(self._number, holder, asks), holder, answered.set_result)
        running = self._running
        assert running is not None
        # Should it end, then with an exception, which shall be seen here.

        def tell(ended: asyncio.Task[None]) -> None:
            if not answered.done():
                answered.set_exception(_reason(ended))

        running.add_done_callback(tell)
        return await answered


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _turn() -> None:
    await asyncio.sleep(0)


def _reason(ended: asyncio.Task[None]) -> BaseException:
    return AssertionError("it was ended") if ended.cancelled() else ended.exception() or AssertionError("it ended")


_MANY_TURNS = 10


def told(directory: Path, log: FilteringBoundLogger, story: Callable[[Node], Awaitable[None]]) -> None:
    """Run a story on a node whose control process has begun."""

    async def main() -> None:
        node = Node(directory, log)
        await node.start()
        try:
            await asyncio.wait_for(story(node), 60)
        except TimeoutError:
            raise AssertionError(f"stuck: {node.limits!r} {node.running!r}") from None
        finally:
            await node.stop()

    asyncio.run(main())
