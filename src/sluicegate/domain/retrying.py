"""Whether a failed request is sent again, and after which pause.

The budget. In any interval of ten to sixty seconds, at most `share` of its requests are sent again. So a storm at full
load makes no more than `1 + share` attempts of a request, measured from its first moment and whatever calm was before.

The balance is share * requests - retries since the beginning. For an interval from s to t the rule reads: balance(t) >=
balance(s). So one more retry is allowed now if the balance stays, with it, at or above the highest there was ten to
sixty seconds ago: after calm, ten seconds' share is free at once, for a deployment that dies with its requests; what it
took is earned again before more is given, and then the share of each second, evenly. To err on the safe side the
balance is remembered by slots of a second, each as if all its requests had come before all its retries: that is the
highest it can have been. Thereby nine to ten seconds' share is free at once.

Small traffic, of which ten seconds' share is at most thirty (below fifteen requests a second at 0.2), has these
thirty in ten seconds, three a second: else the share would leave a single request no retry. They are not added to the
share of more traffic, as in Finagle's and linkerd's budgets (also a fifth and a few a second, over ten seconds).
"""

from collections import deque
from typing import Final

from sluicegate.domain.snapshot import Retries

_SECONDS: Final = 10
_REMEMBERED: Final = 60
"""After so many seconds a debt is forgotten: much traffic that failed is no reason to refuse a little traffic later."""
_RESERVE: Final = 3 * _SECONDS
_NONE: Final = -1
"""The slot before the first."""


class RetryBudget:
    """How many requests one worker may send again. `requests` is added to by the caller, one for each request."""

    __slots__ = (
        "_asked",
        "_balance",
        "_highest",
        "_lately_asked",
        "_lately_retried",
        "_peaks",
        "_retried",
        "_retries",
        "_share",
        "_slot",
        "requests",
    )

    def __init__(self, share: float) -> None:
        """`share` of the requests; 0 for none at all."""
        self._share = share
        self.requests = 0
        """In the current slot, as are `_retries`."""
        self._retries = 0
        self._slot = _NONE
        self._balance = 0.0
        """At the beginning of the current slot."""
        self._peaks: deque[float] = deque([0.0], _REMEMBERED)
        self._highest = 0.0
        """Of the peaks of slots that ended at least nine seconds before this one."""
        self._asked = deque([0] * _SECONDS, _SECONDS)
        self._retried = deque([0] * _SECONDS, _SECONDS)
        self._lately_asked = self._lately_retried = 0
        """Sums of these: with the current slot, ten seconds at least."""

    def __repr__(self) -> str:
        """Tell what counts lately."""
        requests, retries = self.requests + self._lately_asked, self._retries + self._lately_retried
        return f"<RetryBudget share={self._share} requests={requests} retries={retries}>"

    def may_retry(self, now: float) -> bool:
        """Take one retry if one is left; `now` in monotonic seconds."""
        self.roll(now)
        share, retries = self._share, self._retries + 1
        if self._balance + share * self.requests - retries < self._highest:
            is_small = share > 0 and share * (self.requests + self._lately_asked) <= _RESERVE
            if not is_small or retries + self._lately_retried > _RESERVE:
                return False
        self._retries = retries
        return True

    def roll(self, now: float) -> None:
        """Begin the slot of this moment, if it has not begun.

        It should be called every second or so. Where it was not, requests are taken to have come evenly since then.
        """
        slots = int(now) - self._slot
        if slots <= 0:
            return
        if self._slot == _NONE:
            self._slot += slots
            return
        self._slot += slots
        # Retries are noted only after a roll: they are of the slot that ends, and none are of those after it.
        requests, retries = self.requests // slots, self._retries
        self.requests = self._retries = 0
        for _ in range(min(slots, _REMEMBERED + _SECONDS)):
            self._balance += self._share * requests
            self._peaks.append(self._balance)
            self._balance -= retries
            self._asked.append(requests)
            self._retried.append(retries)
            retries = 0
        self._lately_asked, self._lately_retried = sum(self._asked), sum(self._retried)
        older = len(self._peaks) - _SECONDS + 1
        self._highest = max(list(self._peaks)[: max(1, older)])


def pause(retries: Retries, failures: int, point: float, retry_after: float | None) -> float | None:
    """Seconds before the same target is asked again after so many failures; None: not at all.

    `point` is drawn from [0, 1). What the target asked for (`retry_after`) is kept to and varied upwards only, so that
    those it refused at the same time do not come back at the same time; None where it is more than `longest_wait`.
    """
    if retry_after is not None and retry_after > retries.longest_wait:
        return None
    # Thirty doublings are more than any wait, and no float overflows.
    middle = min(retries.backoff * 2.0 ** min(max(failures - 1, 0), 30), max(retries.backoff, retries.longest_wait))
    own = middle * (0.5 + point)
    return own if retry_after is None else max(own, retry_after + retries.backoff * point)
