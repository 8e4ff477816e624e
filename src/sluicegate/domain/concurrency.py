"""How many requests a deployment is given at the same time: cut when it is overloaded, and found again step by step.

Decrease by a quarter, increase by steps, as of TCP: whoever shares a deployment with others gets its part, without any
of them knowing of each other (Chiu and Jain, 1989). The steps grow, one, two, three … requests, so that a level is soon
found again; just below the one that was refused they begin anew, and grow again where it turns out to bear more.

One that has no more than the least is not overloaded by us: many refuse a request now and then, whoever asks.
"""

from typing import Final

from sluicegate.domain.snapshot import Concurrency

_PAUSE: Final = 1.0
"""Seconds between two cuts: all requests of one overload fail together, and that is one reason, not many."""
_FORGOTTEN: Final = 60.0
"""Seconds after which an overload is forgotten, where no request had to wait for it: what was borne then says nothing
of what is borne when many come."""


class AdaptiveLimit:
    """One deployment's limit in one worker: `limit` requests; `is_active` while that is less than the most."""

    __slots__ = (
        "_answers",
        "_cut_at",
        "_least",
        "_most",
        "_pressed_at",
        "_refused",
        "_step",
        "_terms",
        "is_active",
        "limit",
    )

    def __init__(self, terms: Concurrency, most: int) -> None:
        """Nothing is known of an overload: `most` requests."""
        self._terms = terms
        self._most = most
        self._least = min(terms.least, most)
        self._answers = 0
        """Of this round."""
        self._step = 0
        """By how much the last full round raised it."""
        self._refused = most
        """How many requests it had when it was cut last."""
        self._cut_at = -_PAUSE
        self._pressed_at = 0.0
        """When it was last in anybody's way."""
        self.limit = most
        self.is_active = False

    def __repr__(self) -> str:
        """Tell the limit."""
        return f"<AdaptiveLimit {self.limit} of {self._most}>"

    def overloaded(self, busy: int, now: float, sent: float) -> None:
        """It says that it is overloaded, having `busy` requests: cut them by a quarter.

        Where that was just done, by one, if the request it said so to was `sent` behind the cut: who refuses at once
        would else refuse all who wait, one by one. `now` and `sent` are monotonic seconds.
        """
        if not self._terms.adaptive:
            return
        # A round with a refusal is not a full one, so it does not grow again while others are still refused.
        self._answers = self._step = 0
        had = min(self.limit, busy)
        if had <= self._least:
            return
        if now - self._cut_at < _PAUSE:
            if sent > self._cut_at:
                self._refused = had
                self.limit -= 1
                self.is_active = True
            return
        self._cut_at = self._pressed_at = now
        self._refused = had
        self.limit = max(self._least, had * 3 // 4)
        self.is_active = True

    def answered(self, busy: int) -> None:
        """Note a good answer, to be called while `is_active`: a full round of them makes room for more requests.

        Answers while less than half of the limit is busy say nothing about more than that.
        """
        if busy * 2 < self.limit:
            return
        self._answers += 1
        if self._answers >= self.limit:
            self._answers = 0
            self._step += 1
            grown = self.limit + self._step
            borne = self._refused - 1
            if self.limit < borne <= grown:
                grown = borne
                self._step = 0
            self.limit = min(grown, self._most)
            self.is_active = self.limit < self._most

    def sweep(self, wanted: int, now: float) -> None:
        """Forget an overload that is long over, to be called every second or so.

        `wanted` is how many requests it has, and how many more wait.
        """
        if not self.is_active:
            return
        if wanted >= self.limit:
            self._pressed_at = now
        elif now - self._pressed_at >= _FORGOTTEN:
            self.limit = self._refused = self._most
            self.is_active = False
