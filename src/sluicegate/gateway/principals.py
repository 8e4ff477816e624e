"""What this worker knows about callers' tokens: a bounded cache, filled through the control process.

Rule 1. While the link to control stands, its change feed keeps every entry true.
Rule 2. When the link is cut, entries stay good for a grace period: control is being restarted on this machine, and
        while it is away nobody here can change a token. After the grace nobody is admitted until control is back.
Rule 3. Unknown digests are remembered for a short time only, and only so many of them, so that random credentials can
        neither fill memory nor hammer the control process.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from sluicegate.domain.errors import ControlUnavailableError, OverloadedError
from sluicegate.domain.principal import Principal


class Resolver(Protocol):
    """Asks the control process whose token has this digest; the answer comes to `Principals.learn`."""

    def resolve(self, digest: bytes) -> None:
        """Send the question, now or as soon as there is a link."""
        ...


Value = TypeVar("Value")

LARGEST_KNOWN = 65_536
LARGEST_UNKNOWN = 8_192
LARGEST_ASKED = 1_024
UNKNOWN_SECONDS = 5.0
"""How long an unknown digest is refused without asking again. The feed announces new tokens; this bounds the wait for
one whose announcement was lost."""
ASK_SECONDS = 5.0
"""How long a request waits for the answer: longer than a restart of the control process takes."""


class Principals:
    """Digest to principal, with who waits for which answer."""

    __slots__ = ("_asked", "_clock", "_good_until", "_known", "_loop", "_resolver", "_unknown")

    def __init__(
        self, resolver: Resolver, *, clock: Callable[[], float], loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """`clock` is monotonic seconds; `loop` makes the futures that wait (the running one if None)."""
        self._resolver = resolver
        self._clock = clock
        self._loop = loop
        self._known: dict[bytes, Principal] = {}
        self._unknown: dict[bytes, float] = {}
        self._asked: dict[bytes, tuple[float, asyncio.Future[Principal | None]]] = {}
        self._good_until = float("inf")

    def __repr__(self) -> str:
        """Tell the sizes and whether the entries may be believed."""
        feed = "live" if self._good_until == float("inf") else f"cut until={self._good_until:.1f}"
        return (
            f"<Principals known={len(self._known)} unknown={len(self._unknown)} asked={len(self._asked)} feed={feed}>"
        )

    def get(self, digest: bytes, now: float) -> Principal | None:
        """The principal of a digest known for sure, None where it must be asked for (`find`)."""
        if now > self._good_until:
            return None
        return self._known.get(digest)

    def find(self, digest: bytes, now: float) -> "asyncio.Future[Principal | None] | None":
        """Ask for a digest that `get` does not know: a future, or None where it is known to belong to nobody.

        Raises OverloadedError where too many questions are open.
        """
        until = self._unknown.get(digest)
        if until is not None and now <= self._good_until:
            if now < until:
                return None
            del self._unknown[digest]
        asked = self._asked.get(digest)
        if asked is not None:
            return asked[1]
        if len(self._asked) >= LARGEST_ASKED:
            raise OverloadedError("too many unknown credentials are being looked up; try again in a moment")
        loop = self._loop or asyncio.get_running_loop()
        future: asyncio.Future[Principal | None] = loop.create_future()
        self._asked[digest] = (now, future)
        self._resolver.resolve(digest)
        return future

    def learn(self, digest: bytes, principal: Principal | None) -> None:
        """Take control's answer to a question."""
        asked = self._asked.pop(digest, None)
        if principal is None:
            _put_bounded(self._unknown, digest, self._clock() + UNKNOWN_SECONDS, LARGEST_UNKNOWN)
        else:
            _put_bounded(self._known, digest, principal, LARGEST_KNOWN)
        if asked is not None and not asked[1].done():
            asked[1].set_result(principal)

    def forget(self, digests: tuple[bytes, ...]) -> None:
        """Take a message of the change feed: drop these digests, or all if there are none."""
        if not digests:
            self._known.clear()
            self._unknown.clear()
        for digest in digests:
            self._known.pop(digest, None)
            self._unknown.pop(digest, None)

    def feed_cut(self, grace: float) -> None:
        """The link broke: what is known stays good for `grace` seconds."""
        self._good_until = min(self._good_until, self._clock() + grace)

    def feed_restored(self) -> None:
        """The link stands again. What changed meanwhile is unknown, so everything known is asked for anew."""
        self._good_until = float("inf")
        self.forget(())
        for digest in self._asked:
            self._resolver.resolve(digest)

    def sweep(self, now: float) -> None:
        """Give up on questions that were not answered in time, and drop stale refusals."""
        for digest in [digest for digest, (since, _) in self._asked.items() if now - since > ASK_SECONDS]:
            _, future = self._asked.pop(digest)
            if not future.done():
                future.set_exception(
                    ControlUnavailableError("the token could not be looked up in time; try again in a moment")
                )
        for digest in [digest for digest, until in self._unknown.items() if now >= until]:
            del self._unknown[digest]


def _put_bounded(entries: dict[bytes, Value], key: bytes, value: Value, largest: int) -> None:
    """Put an entry, dropping the oldest one where there is no room."""
    entries.pop(key, None)
    if len(entries) >= largest:
        del entries[next(iter(entries))]
    entries[key] = value
