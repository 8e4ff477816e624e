"""The circuit breaker of one deployment: when it is left alone, and how it comes back.

Rule 1. Closed: it is ejected after so many failures in a row, or by the share of failures in a window that begins with
        a failure. Whoever calls says whether it may be: the last one that is left is not, unless its terms say so.
Rule 2. Open: it is not usable until `reopens_at`. What was sent before and ends now changes nothing.
Rule 3. The next request that is admitted is its probe, and the breaker half open. There is one at a time; only one that
        takes longer than the ejection before it makes room for another, so that a hanging provider that heals is found.
Rule 4. In half open the first good answer closes it, whoever asked. A probe's failure ejects it for twice as long as
        before, unless nothing else is left: then the next request tries it again. Failures of others, and how else
        they end, change nothing: they may have been sent before the ejection.
Rule 5. To be limited (429, nothing left of a rate limit) is no failure: it rests, whatever its state is.
Rule 6. Once it has been closed for as long as the longest ejection, the next one is as short as the first.

All times are monotonic seconds.
"""

from typing import Literal

from sluicegate.domain.snapshot import Circuit

State = Literal["closed", "open", "half_open"]
"""`open` also where its time is over and no request has tried it yet; `half_open` while one does."""


class Breaker:
    """One deployment's state, as one worker sees it.

    `answers` are the good answers of this window; the caller adds to it, and to tell `succeeded` is only needed while
    `is_troubled`. It is left alone until `reopens_at` and rests until `rests_until`, 0.0 where it never was or is no
    longer.
    """

    __slots__ = (
        "_began",
        "_closed_at",
        "_ejection",
        "_failures",
        "_in_a_row",
        "_probes",
        "_state",
        "_terms",
        "answers",
        "is_troubled",
        "reopens_at",
        "rests_until",
    )

    def __init__(self, terms: Circuit) -> None:
        """Closed, with nothing known."""
        self._terms = terms
        self._state: State = "closed"
        self.answers = 0
        self.is_troubled = False
        self.reopens_at = 0.0
        self.rests_until = 0.0
        self._began = 0.0
        """When this window did."""
        self._failures = 0
        """In this window."""
        self._in_a_row = 0
        self._ejection = 0.0
        """How long the last one was, in seconds; 0.0 where it is forgotten."""
        self._probes: tuple[object, ...] = ()
        """Those under way since the ejection; the last one is why no other may be."""
        self._closed_at = 0.0

    def __repr__(self) -> str:
        """Tell the state and all figures."""
        return (
            f"<Breaker {self._state} answers={self.answers} failures={self._failures} in_a_row={self._in_a_row}"
            f" reopens_at={self.reopens_at} rests_until={self.rests_until}>"
        )

    @property
    def state(self) -> State:
        """What it was left in by the last call; the passing of time alone changes nothing."""
        return self._state

    @property
    def in_a_row(self) -> int:
        """Failures since the last success."""
        return self._in_a_row

    def is_usable(self, now: float) -> bool:
        """Whether a request may be sent there now: it is neither left alone, nor tried already, nor at rest."""
        return now >= self.reopens_at and now >= self.rests_until

    def usable_at(self) -> float:
        """When it is usable again, as far as is known; in the past where it is now."""
        return max(self.reopens_at, self.rests_until)

    def admit(self, now: float, who: object) -> None:
        """Note that a request is sent there. It is the probe unless the breaker is closed, or is being tried already.

        `who` is the request, and is held while it is a probe: by it, its end is known from that of others.
        A request may also be sent there because nothing else is left, although the time has not come.
        """
        if self._state == "open" or (self._state == "half_open" and now >= self.reopens_at):
            self._state = "half_open"
            self.reopens_at = now + self._ejection
            self._probes += (who,)

    def succeeded(self, now: float) -> None:
        """Note a good answer: it ends a row of failures, and closes a half open breaker."""
        if self._state == "half_open":
            self._state = "closed"
            self._probes = ()
            self.reopens_at = 0.0
            self._closed_at = self._began = now
            self.answers = self._failures = 0
        if self._state == "closed":
            self._in_a_row = 0
            self.is_troubled = False

    def failed(self, now: float, who: object, *, may_eject: bool) -> bool:
        """Note a failure of a request that is the deployment's own; True where it is ejected for it.

        `may_eject` says that another candidate is usable; without it, it stays, unless `Circuit.opens_last`.
        """
        terms = self._terms
        may_eject = may_eject or terms.opens_last
        if self._state == "open":
            return False
        if self._state == "half_open":
            return self._failed_half_open(now, who, may_eject=may_eject)
        self.is_troubled = True
        if now - self._began >= terms.window:
            self._began = now
            self.answers = self._failures = 0
        self._in_a_row += 1
        self._failures += 1
        requests = self.answers + self._failures
        is_bad = self._in_a_row >= terms.consecutive or (
            requests >= terms.least and self._failures >= terms.rate * requests
        )
        if is_bad and may_eject:
            if now - self._closed_at >= terms.longest_ejection:
                self._ejection = 0.0
            self._eject(now)
            return True
        return False

    def limited(self, now: float, who: object, until: float) -> None:
        """Note that it is to rest until then: it answered 429, or said that nothing is left. A probe ends undecided."""
        self.rests_until = max(self.rests_until, until)
        self.abandoned(now, who)

    def abandoned(self, now: float, who: object) -> None:
        """Note that a request ended without a verdict; where it was the probe, the next one is."""
        probes = self._probes
        if not probes:
            return
        self._probes = tuple(one for one in probes if one is not who)
        if self._state == "half_open" and who is probes[-1]:
            self._state = "open"
            self.reopens_at = now

    def _failed_half_open(self, now: float, who: object, *, may_eject: bool) -> bool:
        """A probe's failure; those of others change nothing."""
        if not any(one is who for one in self._probes):
            return False
        if may_eject:
            self._eject(now)
        else:
            self.abandoned(now, who)
        return may_eject

    def _eject(self, now: float) -> None:
        """Leave it alone: for twice as long as last time."""
        terms = self._terms
        self._ejection = min(self._ejection * 2 or terms.ejection, terms.longest_ejection)
        self._state = "open"
        self._probes = ()
        self.reopens_at = now + self._ejection
        self.answers = self._failures = self._in_a_row = 0
