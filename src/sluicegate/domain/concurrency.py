"""How many requests a deployment is given at the same time: cut when it is overloaded, and found again step by step.

Additive increase, multiplicative decrease, as of TCP (Chiu and Jain, 1989): whoever shares a deployment with others
gets its part, without any of them knowing of each other.
"""

from typing import Final

from sluicegate.domain.snapshot import Concurrency

_PAUSE: Final = 1.0
"""Seconds between two cuts: all requests of one overload fail together, and that is one reason, not many."""


class AdaptiveLimit:
    """One deployment's limit in one worker: `limit` requests; `is_active` while that is less than the most."""

    __slots__ = ("_answers", "_cut_at", "_least", "_most", "_terms", "is_active", "limit")

    def __init__(self, terms: Concurrency, most: int) -> None:
        """Nothing is known of an overload: `most` requests."""
        self._terms = terms
        self._most = most
        self._least = min(terms.least, most)
        self._answers = 0
        """Of this round."""
        self._cut_at = -_PAUSE
        self.limit = most
        self.is_active = False

    def __repr__(self) -> str:
        """Tell the limit."""
        return f"<AdaptiveLimit {self.limit} of {self._most}>"

    def overloaded(self, busy: int, now: float) -> None:
        """It says that it is overloaded, having `busy` requests: cut them by a quarter, unless that was just done.

        `now` in monotonic seconds.
        """
        if not self._terms.adaptive:
            return
        # A round with a refusal is not a full one, so it does not grow again while others are still refused.
        self._answers = 0
        if now - self._cut_at < _PAUSE:
            return
        self._cut_at = now
        self.limit = max(self._least, min(self.limit, busy) * 3 // 4)
        self.is_active = self.limit < self._most

    def answered(self, busy: int) -> None:
        """Note a good answer, to be called while `is_active`: a full round of them makes room for one more request.

        Answers while less than half of the limit is busy say nothing about more than that.
        """
        if busy * 2 < self.limit:
            return
        self._answers += 1
        if self._answers >= self.limit:
            self._answers = 0
            self.limit += 1
            self.is_active = self.limit < self._most
