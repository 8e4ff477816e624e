"""The connections to one deployment of a provider: which request gets which, and who waits.

Rule 1. The connection used last is used next: the others grow idle and are closed.
Rule 2. A request that finds none idle opens one, up to the provider's limit; whichever is free first serves it.
Rule 3. At the limit a request waits, for a bounded time; organisations are served in turn, so that a noisy one delays
        itself. Where the queue is full, the last one of the longest line gives way.
Rule 4. While the provider says that it is overloaded, fewer requests than it may have connections are sent at a time.
"""

from collections.abc import Callable, Hashable
from typing import Protocol

from sluicegate.domain.concurrency import AdaptiveLimit
from sluicegate.domain.errors import GatewayError, NoConnectionError, OverloadedError
from sluicegate.domain.fair_queue import FairQueue
from sluicegate.domain.snapshot import Provider
from sluicegate.gateway.connector import Opener
from sluicegate.gateway.upstream import UpstreamConnection
from sluicegate.wire.headers import HeaderKinds

IDLE_SECONDS = 55.0
"""Below the 60 s after which common load balancers close an idle connection, so that we are first and none is stale."""


class Waiter(Hashable, Protocol):
    """A request in want of a connection. `waiting_since` is the pool's to set; `owner` says with whom it stands in line
    (its organisation)."""

    waiting_since: float

    @property
    def owner(self) -> str:
        """Whose request it is."""
        ...

    def connected(self, connection: UpstreamConnection) -> None:
        """Here it is."""
        ...

    def not_connected(self, error: GatewayError) -> None:
        """There will be none."""
        ...


class Pool:
    """Connections to one deployment."""

    __slots__ = (
        "_connecting",
        "_idle",
        "_in_line",
        "_is_closed",
        "_kinds",
        "_make",
        "_opener",
        "_waiting",
        "all",
        "limit",
        "provider",
    )

    def __init__(self, provider: Provider, opener: Opener, kinds: HeaderKinds) -> None:
        """`opener` opens connections; `kinds` sorts the fields of answers."""
        self.provider = provider
        self._opener = opener
        self._kinds = kinds
        self.all: set[UpstreamConnection] = set()
        self.limit = AdaptiveLimit(provider.concurrency, provider.max_connections)
        self._idle: list[UpstreamConnection] = []
        self._waiting: FairQueue[Waiter] = FairQueue(provider.concurrency.queue)
        self._in_line = self._waiting.owners
        """Who waits, where only whether anybody does matters: for each request this is looked at."""
        self._connecting = 0
        self._is_closed = False
        self._make: Callable[[], UpstreamConnection] = lambda: UpstreamConnection(self, self._kinds)

    def __repr__(self) -> str:
        """Tell the sizes: busy, idle, being opened, limit, and requests waiting."""
        return (
            f"<Pool {self.provider.id} busy={self.busy} idle={len(self._idle)} connecting={self._connecting}"
            f" limit={self.limit.limit} waiting={len(self._waiting)}>"
        )

    @property
    def is_empty(self) -> bool:
        """Whether it has no connection, is opening none, and nobody waits."""
        return not self.all and not self._waiting and not self._connecting

    @property
    def busy(self) -> int:
        """Requests that it serves at the moment."""
        return len(self.all) - len(self._idle)

    @property
    def is_full(self) -> bool:
        """Whether a request would have to wait for another to end."""
        if not self._in_line and len(self.all) < self.limit.limit:
            return False
        return self.busy + len(self._waiting) >= self.limit.limit

    def take(self) -> UpstreamConnection | None:
        """An idle connection, or None: then `wait`."""
        if not self._idle or (self.limit.is_active and self.busy >= self.limit.limit):
            return None
        return self._idle.pop()

    def wait(self, waiter: Waiter, now: float, *, fresh: bool = False) -> None:
        """Queue a request. `fresh` puts it first (a request that is tried again). Raises OverloadedError."""
        waiter.waiting_since = now
        if fresh:
            self._waiting.put_first(waiter.owner, waiter)
        else:
            late = self._waiting.put(waiter.owner, waiter)
            if late is waiter:
                raise self._too_many()
            if late is not None:
                late.not_connected(self._too_many())
        if self._connecting < len(self._waiting):
            self._open_one()

    def _too_many(self) -> OverloadedError:
        return OverloadedError(
            f"too many requests wait for a connection to provider {self.provider.id}", retry_after=1.0
        )

    def _none_free(self) -> NoConnectionError:
        provider, limit = self.provider, self.limit
        if limit.is_active:
            return NoConnectionError(
                f"provider {provider.id} has said that it is overloaded, and the {limit.limit} requests that it is"
                f" given at a time since then took longer than {provider.max_wait:g} s",
                retry_after=1.0,
            )
        return NoConnectionError(
            f"all {limit.limit} places at provider {provider.id} stayed busy for {provider.max_wait:g} s; raise"
            f" providers.{provider.name}.max_connections",
            retry_after=1.0,
        )

    def leave(self, waiter: Waiter) -> None:
        """Take a request out of the queue, where it is in it."""
        self._waiting.remove(waiter)

    def _open_one(self) -> bool:
        """Open a connection, where there may be one more."""
        provider = self.provider
        standing = len(self.all) + self._connecting
        if standing >= provider.max_connections or self.busy + self._connecting >= self.limit.limit:
            return False
        self._connecting += 1
        self._opener.open(provider, self._make, self._not_opened)
        return True

    def opened(self, connection: UpstreamConnection) -> None:
        """A connection stands."""
        self._connecting -= 1
        self.all.add(connection)
        self.released(connection)

    def _not_opened(self, error: GatewayError) -> None:
        self._connecting -= 1
        if self._waiting:
            self._waiting.take().not_connected(error)
        if self._connecting < len(self._waiting):
            self._open_one()

    def released(self, connection: UpstreamConnection) -> None:
        """A connection is free."""
        # It still counts as busy here: who takes it over makes no one more.
        if self._in_line and self.busy <= self.limit.limit:
            self._waiting.take().connected(connection)
            self._serve()
        elif self._is_closed:
            connection.close()
        else:
            connection.since = 0.0
            self._idle.append(connection)

    def removed(self, connection: UpstreamConnection) -> None:
        """A connection is no longer ours: closed, or turned into a tunnel. May be said twice."""
        if connection in self.all:
            self.all.remove(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self._serve()

    def sweep(self, now: float) -> None:
        """Close what was idle too long, refuse who waited too long, serve who waits for a limit that has grown."""
        self.limit.sweep(self.busy + len(self._waiting), now)
        late = now - self.provider.max_wait
        for waiter in [waiter for waiter in self._waiting if waiter.waiting_since < late]:
            self._waiting.remove(waiter)
            waiter.not_connected(self._none_free())
        self._serve()
        for connection in self._idle[:]:
            if connection.since == 0.0:
                connection.since = now
            elif now - connection.since > IDLE_SECONDS:
                connection.close()

    def _serve(self) -> None:
        """Let those who wait have what the limit allows by now."""
        while self._waiting and self._idle and self.busy < self.limit.limit:
            self._waiting.take().connected(self._idle.pop())
        while self._connecting < len(self._waiting) and self._open_one():
            pass

    def close(self) -> None:
        """Close what is idle now, and the rest as it gets free."""
        self._is_closed = True
        for connection in self._idle[:]:
            connection.close()
