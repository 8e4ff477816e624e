"""What this worker knows about callers' tokens: a bounded cache, filled through the control process.

Rule 1. Control's change feed keeps every entry true, and says up to when: an entry is believed until `as_of + lease` of
        the last `Feed`. Where only this node's control can change a token, the lease is for ever.
Rule 2. Beyond that, an entry is asked for anew; the answer is believed for ANSWER_SECONDS from its question, which was
        asked before control looked. So a revocation takes effect within the second, whatever became of the feed.
Rule 3. When the link is cut, entries stay good for a grace period at most: control is being restarted on this machine.
        It never lengthens the lease. After it nobody is admitted until control is back.
Rule 4. Unknown digests are remembered for a short time only, and only so many of them; and only so many are looked up
        for one address. So random credentials can neither fill memory nor hammer the control process. Whoever was known
        before is not held up by this.
"""

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple, Protocol, TypeVar

from sluicegate.domain.errors import ControlUnavailableError, OverloadedError, TooManyUnknownError
from sluicegate.domain.principal import Principal
from sluicegate.gateway.strangers import Strangers


class Resolver(Protocol):
    """Asks the control process whose token has this digest; the answer comes to `Principals.learn`."""

    def resolve(self, digest: bytes, *, is_damaged: bool = False) -> None:
        """Send the question, now or as soon as there is a link. `is_damaged`: its checksum is wrong."""
        ...


class _Question(NamedTuple):
    since: float
    future: "asyncio.Future[Principal | None]"
    is_damaged: bool
    stranger: str | None
    """The address that is charged for it, None where the digest was known before."""


Value = TypeVar("Value")

LARGEST_KNOWN = 65_536
LARGEST_UNKNOWN = 8_192
LARGEST_ASKED = 1_024
"""Open questions about digests never known before."""
UNKNOWN_SECONDS = 5.0
"""How long an unknown digest is refused without asking again. The feed announces new tokens; this bounds the wait for
one whose announcement was lost."""
ASK_SECONDS = 5.0
"""How long a request waits for the answer: longer than a restart of the control process takes."""
ANSWER_SECONDS = 0.7
"""How long an answer is believed without the feed, from its question on. A revocation must hold within 1 s."""


class Principals:
    """Digest to principal, with who waits for which answer."""

    __slots__ = (
        "_acquainted",
        "_asked",
        "_clock",
        "_fresh",
        "_good_until",
        "_known",
        "_loop",
        "_resolver",
        "_strange",
        "_strangers",
        "_unknown",
    )

    def __init__(
        self, resolver: Resolver, *, clock: Callable[[], float], loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """`clock` is monotonic seconds; `loop` makes the futures that wait (the running one if None)."""
        self._resolver = resolver
        self._clock = clock
        self._loop = loop
        self._known: dict[bytes, Principal] = {}
        self._fresh: dict[bytes, tuple[float, Principal]] = {}
        self._acquainted: dict[bytes, None] = {}
        self._unknown: dict[bytes, float] = {}
        self._asked: dict[bytes, _Question] = {}
        self._strange = 0
        self._strangers = Strangers()
        self._good_until = float("inf")

    def __repr__(self) -> str:
        """Tell the sizes and whether the entries may be believed."""
        feed = "live" if self._good_until == float("inf") else f"good until={self._good_until:.1f}"
        return (
            f"<Principals known={len(self._known)} unknown={len(self._unknown)} asked={len(self._asked)} feed={feed}>"
        )

    def get(self, digest: bytes, now: float) -> Principal | None:
        """The principal of a digest known for sure, None where it must be asked for (`find`)."""
        if now > self._good_until:
            return None
        return self._known.get(digest)

    def find(
        self, digest: bytes, now: float, address: str = "", *, is_damaged: bool = False
    ) -> "Principal | asyncio.Future[Principal | None] | None":
        """What `get` does not know: a principal just asked for, None where it belongs to nobody, or who will tell.

        `address` is charged for looking up what was never known here; `is_damaged` says that its checksum is wrong.
        Raises TooManyUnknownError where that address has asked for too many, OverloadedError where all have.
        """
        fresh = self._fresh.get(digest)
        if fresh is not None and now <= fresh[0]:
            return fresh[1]
        until = self._unknown.get(digest)
        if until is not None:
            if now < until:
                return None
            del self._unknown[digest]
        return self._answer_to(digest, now, address, is_damaged=is_damaged)

    def ask_again(self, digest: bytes, now: float) -> "asyncio.Future[Principal | None]":
        """Look up anew what `get` or `find` told: its time may have been extended meanwhile."""
        self.forget((digest,))
        return self._answer_to(digest, now, "", is_damaged=False)

    def _answer_to(
        self, digest: bytes, now: float, address: str, *, is_damaged: bool
    ) -> "asyncio.Future[Principal | None]":
        asked = self._asked.get(digest)
        if asked is not None:
            return asked.future
        stranger = None if self._was_known(digest) else address
        if stranger is not None:
            self._charge(stranger, now)
        loop = self._loop or asyncio.get_running_loop()
        future: asyncio.Future[Principal | None] = loop.create_future()
        question = self._asked[digest] = _Question(now, future, is_damaged, stranger)
        self._ask(digest, question)
        return future

    def learn(self, digest: bytes, principal: Principal | None) -> None:
        """Take control's answer to a question."""
        asked = self._pop_question(digest)
        now = self._clock()
        if principal is None:
            self._drop(digest)
            self._acquainted.pop(digest, None)
            _put_bounded(self._unknown, digest, now + UNKNOWN_SECONDS, LARGEST_UNKNOWN)
        else:
            self._keep(digest, principal, now, asked)
            if asked is not None and asked.stranger is not None:
                self._strangers.give_back(asked.stranger)
        if asked is not None and not asked.future.done():
            asked.future.set_result(principal)

    def forget(self, digests: tuple[bytes, ...]) -> None:
        """Take a message of the change feed: drop these digests, or all if there are none."""
        if not digests:
            acquainted = self._acquainted | dict.fromkeys(self._known) | dict.fromkeys(self._fresh)
            surplus = max(0, len(acquainted) - LARGEST_KNOWN)
            self._acquainted = dict.fromkeys(islice(acquainted, surplus, None)) if surplus else acquainted
            self._known.clear()
            self._fresh.clear()
            self._unknown.clear()
        for digest in digests:
            if self._drop(digest):
                _put_bounded(self._acquainted, digest, None, LARGEST_KNOWN)
            self._unknown.pop(digest, None)

    def feed_true(self, as_of: float, lease: float) -> None:
        """Every change before `as_of` has been told; what is known is good for `lease` seconds from then on."""
        self._good_until = as_of + lease
        if self._fresh and self._clock() <= self._good_until:
            # The feed told of every change since these were answered, too.
            fresh, self._fresh = self._fresh, {}
            for digest, (_, principal) in fresh.items():
                _put_bounded(self._known, digest, principal, LARGEST_KNOWN)

    def feed_cut(self, grace: float) -> None:
        """The link broke: what is known stays good for `grace` seconds at most."""
        self._good_until = min(self._good_until, self._clock() + grace)

    def feed_restored(self) -> None:
        """The link stands again. What changed meanwhile is unknown, so everything known is asked for anew."""
        self._good_until = float("inf")
        self.forget(())
        for digest, question in self._asked.items():
            self._ask(digest, question)

    def sweep(self, now: float) -> None:
        """Give up on questions that were not answered in time, and drop stale refusals and answers."""
        for digest in [digest for digest, question in self._asked.items() if now - question.since > ASK_SECONDS]:
            question = self._pop_question(digest)
            if question is not None and not question.future.done():
                question.future.set_exception(
                    ControlUnavailableError("the token could not be looked up in time; try again in a moment")
                )
        for digest in [digest for digest, until in self._unknown.items() if now >= until]:
            del self._unknown[digest]
        for digest in [digest for digest, (until, _) in self._fresh.items() if now > until]:
            del self._fresh[digest]
        self._strangers.sweep(now)

    def _was_known(self, digest: bytes) -> bool:
        return digest in self._known or digest in self._acquainted

    def _charge(self, stranger: str, now: float) -> None:
        wait = self._strangers.take(stranger, now)
        if wait:
            raise TooManyUnknownError(
                f"too many unknown API keys came from this address; try again in {wait:.1f} s", retry_after=wait
            )
        if self._strange >= LARGEST_ASKED:
            self._strangers.give_back(stranger)
            raise OverloadedError("too many unknown credentials are being looked up; try again in a moment")
        self._strange += 1

    def _ask(self, digest: bytes, question: _Question) -> None:
        if question.is_damaged:
            self._resolver.resolve(digest, is_damaged=True)
        else:
            self._resolver.resolve(digest)

    def _pop_question(self, digest: bytes) -> _Question | None:
        question = self._asked.pop(digest, None)
        if question is not None and question.stranger is not None:
            self._strange -= 1
        return question

    def _keep(self, digest: bytes, principal: Principal, now: float, asked: _Question | None) -> None:
        if now <= self._good_until:
            self._acquainted.pop(digest, None)
            _put_bounded(self._known, digest, principal, LARGEST_KNOWN)
            return
        # An entry of before must not be found by a request that began while it was still good.
        self._drop(digest)
        _put_bounded(self._acquainted, digest, None, LARGEST_KNOWN)
        if asked is not None:
            _put_bounded(self._fresh, digest, (asked.since + ANSWER_SECONDS, principal), LARGEST_KNOWN)

    def _drop(self, digest: bytes) -> bool:
        """Drop what is known; return whether there was anything."""
        known = self._known.pop(digest, None)
        fresh = self._fresh.pop(digest, None)
        return known is not None or fresh is not None


def _put_bounded(entries: dict[bytes, Value], key: bytes, value: Value, largest: int) -> None:
    """Put an entry, dropping the oldest one where there is no room."""
    entries.pop(key, None)
    if len(entries) >= largest:
        del entries[next(iter(entries))]
    entries[key] = value
