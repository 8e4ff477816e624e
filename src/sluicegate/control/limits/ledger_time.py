"""When a lease ends: the ledger goes by its own clock, a worker by the machine's, and the worker must be done first.

Rule. The ledger read its clock after the batch was sent. So for as long after the sending as the lease had left at that
      reading, the ledger has not yet passed its end, however far apart the two clocks are.
"""

from collections.abc import Callable, Iterable
from typing import Final

from sluicegate.domain.leases import Outcome

VALIDITY: Final = 10.0
"""Seconds for which a worker may spend what it has without asking again: a control process that dies is back long
before, and what a dead machine holds is not set aside for long."""
MARGIN: Final = 3.0
"""Seconds that the ledger waits longer: for clocks of different speed, and requests admitted at the last moment."""


class LedgerTime:
    """What is known of the ledger's clock: nothing at first, and then what it said last."""

    __slots__ = ("_ahead", "_clock", "_own")

    def __init__(self, clock: Callable[[], float], now: Callable[[], int]) -> None:
        """`clock` is monotonic seconds; `now` Unix milliseconds of this machine, which is the first guess."""
        self._clock = clock
        self._own = now
        self._ahead = now() - clock() * 1000

    def __repr__(self) -> str:
        """Tell how far it is ahead of the monotonic clock."""
        return f"<LedgerTime ahead={self._ahead:.0f}ms>"

    def now(self) -> int:
        """About what the ledger's clock says, Unix milliseconds; rather later than it does."""
        return int(self._clock() * 1000 + self._ahead)

    def expiry(self) -> int:
        """When a lease that is asked for now shall end by the ledger's clock."""
        return self.now() + int((VALIDITY + MARGIN) * 1000)

    def skew(self) -> int:
        """By how many milliseconds it is ahead of this machine's clock, which a journal's times are by."""
        return self.now() - self._own()

    def learn(self, sent: float, outcomes: Iterable[Outcome]) -> None:
        """Set it by the answers to a batch that was sent at `sent`, monotonic seconds."""
        latest = max((outcome.now for outcome in outcomes), default=None)
        if latest is not None:
            self._ahead = latest - sent * 1000


def valid_until(sent: float, expires_at: int, outcomes: Iterable[Outcome]) -> float:
    """Until when, monotonic seconds, leases may be spent that were asked for with `expires_at` in a batch sent then."""
    left = min(((expires_at - outcome.now) / 1000 - MARGIN for outcome in outcomes), default=VALIDITY)
    return sent + min(VALIDITY, left)
