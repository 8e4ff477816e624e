"""Settling the journal: every charge in it is made on the ledger, once.

Rule 1. The ledger keeps for each account how far a holder's journal was settled there, and takes a charge only behind
        that. So a charge may be sent as often as one likes; what came of a batch that was lost is learnt by sending it
        again.
Rule 2. The checkpoint is never ahead of the ledger. It is behind it by what was settled since it was stored, and by
        what waits for the rest of an exchange; that is read again after a crash. It is kept where the ledger is, so
        that a ledger that is put back to an earlier moment has the journal charged again from there.
Rule 3. An account is closed, and its position forgotten, only once a checkpoint behind the holder's last line is kept
        for good (`secure`).
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from sluicegate.control.limits.charges import settles
from sluicegate.control.limits.identity import holder_of
from sluicegate.control.limits.ledger_time import LedgerTime
from sluicegate.control.limits.observing import Nobody, Observing
from sluicegate.control.limits.teller import LARGEST_BATCH
from sluicegate.control.limits.trail import Spent
from sluicegate.control.limits.unsettled import Reading, Unsettled
from sluicegate.control.resolution.trouble import Trouble
from sluicegate.domain.leases import Settle
from sluicegate.events.checkpoint import Checkpoint, CheckpointDamagedError
from sluicegate.events.checkpoint_store import CheckpointStore
from sluicegate.events.consumer import Standing
from sluicegate.events.reader import SegmentReader
from sluicegate.events.tail import Damage
from sluicegate.ledger.interface import Ledger, LedgerUnavailableError

NAME = "limits"

LARGEST_READING: Final = 20_000
"""Lines of one look: some 50 ms of reading. The more there are, the fewer charges are made for each of them."""
BUSY_REST: Final = 0.4
"""Seconds until the next look after one that found MANY: the more exchanges there are, the fewer batches of the ledger
they need, since a batch takes as long for a thousand of them as for one."""
MANY: Final = 100
LONGEST_REST: Final = 1.0
"""Seconds after which the journal is read even though it seems unchanged: a writer may have died."""
STORE_SECONDS: Final = 5.0
"""Between two checkpoints: each is a write to the disk, and means only less to read after a crash."""
MOST_POSITIONS: Final = 100_000
"""Accounts whose positions are remembered; one that is not costs a second round trip."""
_ROUNDS: Final = 8
"""Of learning positions: two are enough, unless somebody else settles the same journal."""


class Settlement:
    """One node's consumer of the journal for the ledger."""

    def __init__(
        self,
        directory: Path,
        checkpoints: CheckpointStore,
        ledger: Ledger,
        *,
        node: str,
        time: LedgerTime,
        clock: Callable[[], float],
        log: FilteringBoundLogger,
        most_positions: int = MOST_POSITIONS,
        observing: Observing | None = None,
    ) -> None:
        """The journal is in `directory`; what `checkpoints` stores is on the disk; `clock` gives monotonic seconds."""
        self._most_positions = most_positions
        self._observing = observing or Nobody()
        self._directory = directory
        self._checkpoints = checkpoints
        self._ledger = ledger
        self._node = node
        self._time = time
        self._clock = clock
        self._log = log
        self._trouble = Trouble("limits cannot be settled", log)
        self._unsettled: Unsettled | None = None
        self._reading: Reading | None = None
        self._checkpoint = Checkpoint()
        self._stored = Checkpoint()
        self._stored_at = 0.0
        self._positions: dict[str, dict[str, int]] = {}
        self._traces: tuple[int, ...] | None = None
        self._due = 0.0
        self._read_at = 0.0
        self._settled_at: float | None = None
        self._exchanges = self._errors = self._damages = 0
        self._last_error: str | None = None
        self.name = NAME
        self.over: frozenset[str] = frozenset()
        """Incarnations whose writer is gone and all of whose charges are settled."""
        self.found: frozenset[str] | None = None
        """Incarnations that had segments at the last look; None before the first."""

    def __repr__(self) -> str:
        """Tell how many are settled for good, and what is wrong, if anything."""
        return f"<Settlement {self._unsettled!r} over={len(self.over)} {self._trouble}>"

    async def look(self, *, closely: bool = False) -> None:
        """Settle everything there is. What fails is logged once, and tried again from the same place.

        `closely`: read the journal even where it seems unchanged.
        """
        began = self._clock()
        try:
            unsettled = self._unsettled
            if unsettled is None:
                unsettled = self._unsettled = Unsettled(self._directory, await self._load())
            if self._reading is not None or closely or self._is_worth_reading(unsettled):
                while await self._settle_reading(unsettled):
                    pass
                self._settled_at = began
            elif began >= self._due:
                # Not for rest, but because there is nothing.
                self._settled_at = began
            if self._checkpoint != self._stored and self._clock() - self._stored_at >= STORE_SECONDS:
                await self.secure()
        except (LedgerUnavailableError, CheckpointDamagedError, OSError) as error:
            self._trouble.began(error)
            self._errors += 1
            self._last_error = type(error).__name__
        else:
            self._trouble.ended()
            self._last_error = None

    @property
    def checkpoint(self) -> Checkpoint:
        """How far it is known for good to be settled."""
        return self._stored

    def standing(self) -> Standing:
        """How it fares: its events are exchanges that charge something. Looks at the disk. Raises OSError."""
        backlog = SegmentReader(self._directory).unread_bytes(self._checkpoint)
        lag = None if self._settled_at is None else self._clock() - self._settled_at if backlog else 0.0
        return Standing(
            name=self.name,
            backlog_bytes=backlog,
            lag_seconds=lag,
            events_total=self._exchanges,
            errors_total=self._errors,
            damages_total=self._damages,
            set_aside_total=0,
            last_error=self._last_error,
            is_optional=False,
        )

    async def secure(self) -> None:
        """Have it known for good how far is settled. Raises OSError."""
        checkpoint = self._checkpoint
        await self._checkpoints.store(checkpoint)
        self._stored, self._stored_at = checkpoint, self._clock()

    def close(self) -> None:
        """Close the journal's files."""
        if self._unsettled is not None:
            self._unsettled.close()

    def _is_worth_reading(self, unsettled: Unsettled) -> bool:
        """Whether anything has changed, or nobody has looked for long; not at once after a look that found much."""
        if self._clock() < self._due:
            return False
        traces = unsettled.traces()
        if traces == self._traces and self._clock() - self._read_at < LONGEST_REST:
            return False
        # From before the reading: what comes during it is seen by the next look.
        self._traces = traces
        return True

    async def _settle_reading(self, unsettled: Unsettled) -> bool:
        """Settle what a failure left, or what is new; return whether there is more."""
        if self._reading is None:
            # In a thread: the disk may be slow, and the workers' questions must not wait for it.
            self._reading = await asyncio.to_thread(unsettled.read, LARGEST_READING)
            self._read_at = self._clock()
            self._due = self._read_at + BUSY_REST if _size(self._reading) >= MANY else 0.0
            self._tell(self._reading.damages)
        reading = self._reading
        await self._settle(reading.spent)
        self._reading = None
        self._exchanges += _size(reading)
        self._checkpoint = reading.checkpoint
        self.found, self.over = reading.found, reading.over
        self._forget()
        return reading.has_more

    async def _settle(self, spent: Mapping[str, Iterable[Spent]]) -> None:
        """Make the charges on the ledger. Raises LedgerUnavailableError, and then some may be made."""
        for _ in range(_ROUNDS):
            operations = self._operations(spent)
            is_refused = False
            for start in range(0, len(operations), LARGEST_BATCH):
                is_refused |= await self._apply(operations[start : start + LARGEST_BATCH])
            if not is_refused:
                return
        raise LedgerUnavailableError("another process settles the journal of this node")

    def _operations(self, spent: Mapping[str, Iterable[Spent]]) -> list[Settle]:
        now, skew = self._time.now(), self._time.skew()
        return [
            settle
            for holder, charges in ((holder_of(self._node, each), spent[each]) for each in spent)
            for settle in settles(holder, charges, self._positions.get(holder, {}), now=now, skew=skew)
        ]

    async def _apply(self, operations: Sequence[Settle]) -> bool:
        """One batch; whether the ledger was elsewhere than thought, and what was sent must be thought over."""
        outcomes = await self._ledger.apply(operations)
        for settle, outcome in zip(operations, outcomes, strict=True):
            self._positions.setdefault(settle.holder, {})[settle.account] = outcome.position
            self._observing.used(settle.account, outcome.used)
        return not all(outcome.is_applied for outcome in outcomes)

    def _forget(self) -> None:
        """Forget positions that are not needed any more, or all where they are too many."""
        for incarnation in self.over:
            self._positions.pop(holder_of(self._node, incarnation), None)
        if sum(len(each) for each in self._positions.values()) > self._most_positions:
            self._positions.clear()

    def _tell(self, damages: Iterable[Damage]) -> None:
        for damage in damages:
            self._damages += 1
            self._log.error(
                "a part of the journal is damaged, what it charged is lost",
                segment=damage.segment,
                offset=damage.offset,
                bytes=damage.length,
                reason=damage.reason,
            )

    async def _load(self) -> Checkpoint:
        self._checkpoint = self._stored = await self._checkpoints.load()
        return self._stored


def _size(reading: Reading) -> int:
    """How many exchanges are charged."""
    return sum(map(len, reading.spent.values()))
