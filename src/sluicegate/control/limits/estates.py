"""Closing the accounts of holders that are gone, so that what they had set aside is free again.

Rule 1. A holder is gone when its journal is settled to its end and nobody can write to it any more.
Rule 2. One that has left no journal here is gone once it has not asked for so long that its leases have expired.
        An empty journal is deleted at once, maybe before its accounts are closed, or anybody has seen it. So whenever
        a journal came or went, everything is looked through again.
Rule 3. After the ledger was away, everything is looked through again: an ask that was given up may have arrived late.
"""

from collections.abc import Callable
from typing import Final, Protocol

from structlog.typing import FilteringBoundLogger

from sluicegate.control.limits.charges import window_of_account
from sluicegate.control.limits.identity import incarnation_of
from sluicegate.control.limits.teller import LARGEST_BATCH, Teller
from sluicegate.control.resolution.trouble import Trouble
from sluicegate.domain.leases import Close, Held
from sluicegate.ledger.interface import LedgerUnavailableError

_GRACE: Final = 10_000
"""Milliseconds after the end of its leases until a holder without a journal is given up."""
_AGAIN: Final = 15.0
"""Seconds between two looks while there are such, or may be."""


class Settled(Protocol):
    """How far settling is."""

    @property
    def over(self) -> frozenset[str]:
        """Incarnations that are settled to their end."""
        ...

    @property
    def found(self) -> frozenset[str] | None:
        """Incarnations that have a journal; None where that is not known yet."""
        ...

    async def secure(self) -> None:
        """Have it known for good. Raises OSError."""
        ...


class Estates:
    """Looks after those that are gone."""

    def __init__(
        self,
        teller: Teller,
        settled: Settled,
        *,
        node: str,
        bury: Callable[[str], None],
        now: Callable[[], int],
        clock: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        """`bury` is told of an incarnation before it is closed: nothing is lent to it afterwards.

        `now` is the ledger's time as far as known, Unix milliseconds; `clock` gives monotonic seconds.
        """
        self._teller = teller
        self._settled = settled
        self._node = node
        self._bury = bury
        self._now = now
        self._clock = clock
        self._log = log
        self._trouble = Trouble("the accounts of workers that are gone cannot be closed", log)
        self._closed: frozenset[str] = frozenset()
        self._found: frozenset[str] = frozenset()
        self._absences = -1
        self._again_at = float("inf")

    def __repr__(self) -> str:
        """Tell how many are closed, and what is wrong, if anything."""
        return f"<Estates closed={len(self._closed)} {self._trouble}>"

    async def look(self) -> None:
        """Close what is to be closed. What fails is logged once, and tried again."""
        found, over = self._settled.found, self._settled.over
        if found is None:
            return
        if found != self._found:
            self._found = found
            self._again_at = min(self._again_at, self._clock() + _AGAIN)
        if not self._is_due(over):
            return
        try:
            await self._close(over)
        except (LedgerUnavailableError, OSError) as error:
            self._trouble.began(error)
        else:
            self._trouble.ended()

    def _is_due(self, over: frozenset[str]) -> bool:
        return not over <= self._closed or self._teller.absences != self._absences or self._clock() >= self._again_at

    async def _close(self, over: frozenset[str]) -> None:
        absences = self._teller.absences
        for incarnation in sorted(over - self._closed):
            self._bury(incarnation)
        await self._settled.secure()
        held = await self._teller.held(self._node)
        gone = self._gone(held, over)
        closes = [Close(each.account, each.holder) for each in held if each.holder in gone and _may_be_closed(each)]
        for start in range(0, len(closes), LARGEST_BATCH):
            await self._teller.apply(closes[start : start + LARGEST_BATCH])
        if closes:
            self._log.info("accounts of workers that are gone closed", workers=len(gone), accounts=len(closes))
        self._closed, self._absences = over, absences

    def _gone(self, held: list[Held], over: frozenset[str]) -> frozenset[str]:
        """The holders that are; remembers whether others may be later."""
        ends: dict[str, int] = {}
        for each in held:
            if each.lease.is_closed:
                continue
            ends[each.holder] = max(ends.get(each.holder, 0), each.lease.expires_at)
        found = self._settled.found or frozenset()
        strangers = {holder for holder in ends if incarnation_of(holder) not in found}
        expired = {holder for holder in strangers if ends[holder] + _GRACE < self._now()}
        self._again_at = self._clock() + _AGAIN if strangers != expired else float("inf")
        return frozenset(expired | {holder for holder in ends if incarnation_of(holder) in over})


def _may_be_closed(held: Held) -> bool:
    """Not what is closed already, nor what the ledger would refuse: of a time zone that this machine knows no more."""
    return not held.lease.is_closed and window_of_account(held.account) is not None
