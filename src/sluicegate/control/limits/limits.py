"""Limits on this node, put together: lending, settling, and closing what is left behind."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from sluicegate.control.limits import allowance
from sluicegate.control.limits.allowance import Allowance
from sluicegate.control.limits.estates import Estates
from sluicegate.control.limits.ledger_time import LedgerTime
from sluicegate.control.limits.lender import Lender, Recalling
from sluicegate.control.limits.observing import Nobody, Observing
from sluicegate.control.limits.settlement import Settlement
from sluicegate.control.limits.teller import Teller
from sluicegate.events.checkpoint_store import CheckpointStore
from sluicegate.wire.link import Lend, Lent

PAUSE: Final = 0.1
"""Seconds between two looks at the journal: what is shown as used is behind by about this."""
_FINISH_SECONDS: Final = 3.0
"""For settling what is left when the process ends: its successor does it otherwise."""


class Limits:
    """All of it. `run` must be running for workers to be answered."""

    def __init__(
        self,
        teller: Teller,
        *,
        node: str,
        data_dir: Path,
        checkpoints: CheckpointStore,
        clock: Callable[[], float],
        now: Callable[[], int],
        log: FilteringBoundLogger,
        observing: Observing | None = None,
    ) -> None:
        """`node` is this node's name; `checkpoints` keeps how far its journal is settled. `clock` is monotonic seconds,
        `now` Unix milliseconds."""
        self._teller = teller
        observing = observing or Nobody()
        time = LedgerTime(clock, now)
        self._lender = Lender(
            teller,
            node=node,
            allowance=Allowance(data_dir / allowance.FILE, now=now, log=log),
            time=time,
            clock=clock,
            log=log,
            observing=observing,
        )
        self.settlement = Settlement(
            data_dir / "events",
            checkpoints,
            teller,
            node=node,
            time=time,
            clock=clock,
            log=log,
            observing=observing,
        )
        self._estates = Estates(
            teller, self.settlement, node=node, bury=self._lender.bury, now=time.now, clock=clock, log=log
        )
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        """Tell the state of its parts."""
        return f"<Limits {self._teller!r} {self._lender!r} {self.settlement!r} {self._estates!r}>"

    def speak_through(self, voice: Recalling) -> None:
        """Reach the workers through this from now on."""
        self._lender.speak_through(voice)

    def lend(self, lend: Lend, asker: Hashable, answer: Callable[[Lent], None]) -> None:
        """Call `answer` later in the loop. `asker` is who is not to be recalled for its own sake."""
        self._lender.lend(lend, asker, answer)

    async def run(self, *, pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(PAUSE)) -> None:
        """Lend and settle for ever."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._teller.run())
                tasks.create_task(self._lender.run())
                tasks.create_task(self._settle(pause))
        finally:
            self.settlement.close()

    async def look(self, *, closely: bool = False) -> None:
        """Settle what there is, and close who is gone. `closely`: even where the journal seems unchanged."""
        async with self._turn:
            await self.settlement.look(closely=closely)
            await self._estates.look()

    async def finish(self) -> None:
        """The workers are gone: settle what they left, as far as there is time. `run` must still be running."""
        try:
            async with asyncio.timeout(_FINISH_SECONDS):
                await self.look(closely=True)
                await self.settlement.secure()
        except (TimeoutError, OSError):
            # The next control process begins with it; what kept us is logged.
            return

    async def _settle(self, pause: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self.look()
            await pause()
