"""All of token resolution, put together: questions in, answers and announcements out."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from structlog.typing import FilteringBoundLogger

from sluicegate.control.resolution.changes import ChangeFeed, ChangeLog
from sluicegate.control.resolution.declared import AskOwners, BoundTokens, nothing_said
from sluicegate.control.resolution.lookup import Query, StoredTokens
from sluicegate.control.resolution.uses import Used
from sluicegate.control.token_directory import Declared, Directory
from sluicegate.domain.owner_marks import owners_marked
from sluicegate.domain.principal import Principal
from sluicegate.events.consumer import Consumer
from sluicegate.wire.link import Feed

SHARED_LEASE: Final = 0.8
"""Seconds for which a worker believes what it knows after the last moment up to which the feed is known to be true,
where other nodes change tokens too. A revocation must hold within 1 s everywhere."""
SHARED_PAUSE: Final = 0.25
"""Seconds between two looks into the change log: two may be lost within a lease, or one take long."""
OWN_LEASE: Final = float("inf")
OWN_PAUSE: Final = 0.5
"""Where this control process alone changes tokens, it announces its changes itself; only a command that works on the
file while the node serves leaves changes to be found."""
LARGEST_NAMED: Final = 65_536
"""Digests of one announcement; a worker knows no more than that, so beyond it everything is as good."""


class Voice(Protocol):
    """What reaches all workers of this node."""

    def forget(self, digests: Sequence[bytes] | None) -> None:
        """Have them look these up anew, or all; it is on its way when this returns."""
        ...

    def tell_feed(self) -> None:
        """Tell them what `Resolution.feed` says now."""
        ...


class Resolution:
    """Answers workers (`directory`), announces changes, and follows those of other nodes while `run` runs."""

    def __init__(
        self,
        *,
        declared: Sequence[Declared],
        query: Query,
        changes: ChangeLog,
        uses: Callable[[Callable[[Sequence[bytes]], None]], Consumer[Used]],
        is_shared: bool,
        clock: Callable[[], float],
        now: Callable[[], int],
        log: FilteringBoundLogger,
        owners: AskOwners = nothing_said,
    ) -> None:
        """`is_shared`: other nodes change tokens in the same database. `clock` is monotonic seconds, `now` Unix
        milliseconds; `uses` makes the counter of uses, given whom to tell of spent tokens; `query` looks up tokens of
        the database, `owners` what it says of the owners of declared ones."""
        self._clock = clock
        self._is_shared = is_shared
        self._voice: Voice | None = None
        self._true_as_of = 0.0
        self._query = query
        self._declared = BoundTokens(declared, owners)
        self._stored = StoredTokens(
            self._look_up, clock=clock, log=log, known=self._declared.known, announce=self.announce
        )
        self.directory = Directory(declared, self._stored.find)
        self._changes = ChangeFeed(
            changes, announce=self.announce, true_as_of=self._feed_true, clock=clock, now=now, log=log
        )
        self.uses = uses(self.announce)
        """What counts how often tokens are used; `run` runs it."""

    def __repr__(self) -> str:
        """Tell the state of its parts."""
        return f"<Resolution {self._stored!r} {self._changes!r} {self.uses!r}>"

    def speak_through(self, voice: Voice) -> None:
        """Reach the workers through this from now on."""
        self._voice = voice

    def feed(self) -> Feed:
        """What a worker may believe now."""
        if self._is_shared:
            return Feed(self._true_as_of, SHARED_LEASE)
        return Feed(self._clock(), OWN_LEASE)

    def announce(self, digests: Sequence[bytes] | None) -> None:
        """These were changed, or all: this node's workers forget them, before this returns.

        What bounds an owner whose mark is among them was changed, and so are its declared tokens.
        """
        digests = self._with_declared(digests)
        if digests is not None and len(digests) > LARGEST_NAMED:
            digests = None
        self._stored.doubt(digests)
        if self._voice is not None:
            self._voice.forget(digests)

    @contextmanager
    def announcing(self, digests: Sequence[bytes] | None) -> Iterator[None]:
        """Announce around a commit: workers forget before it and again after it, and are told nothing between.

        So whatever happens to this process in the middle, no worker goes on believing what was committed away.
        """
        digests = self._with_declared(digests)
        self._stored.hold(digests)
        try:
            self.announce(digests)
            yield
        finally:
            self._stored.release(digests)
            self.announce(digests)

    async def run(
        self,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Answer, follow and count for ever."""
        look_pause = SHARED_PAUSE if self._is_shared else OWN_PAUSE
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stored.run())
            tasks.create_task(self._changes.run(pause=lambda: pause(look_pause)))
            tasks.create_task(self.uses.run())

    async def _look_up(self, digests: Sequence[bytes]) -> Mapping[bytes, Principal]:
        """See `lookup.Query`: all kinds of tokens."""
        found = dict(await self._declared.find(digests))
        others = [digest for digest in digests if digest not in found]
        if others:
            found.update(await self._query(others))
        return found

    def _with_declared(self, digests: Sequence[bytes] | None) -> Sequence[bytes] | None:
        """With the digests of declared tokens in the place of their owners' marks."""
        owners = owners_marked(digests or ())
        if digests is None or not owners:
            return digests
        tokens = [digest for digest in digests if not owners_marked([digest])]
        return list(dict.fromkeys([*tokens, *self._declared.concerned(owners)]))

    def _feed_true(self, as_of: float) -> None:
        self._true_as_of = as_of
        if self._is_shared and self._voice is not None:
            self._voice.tell_feed()
