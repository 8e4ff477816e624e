"""The connections to one provider: which request gets which, and who waits.

Rule 1. The connection used last is used next: the others grow idle and are closed.
Rule 2. A request that finds none idle opens one, up to the provider's limit; whichever is free first serves it.
Rule 3. At the limit a request waits, for a bounded time and in order.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from sluicegate.domain.errors import GatewayError, NoConnectionError, OverloadedError
from sluicegate.domain.snapshot import Provider
from sluicegate.gateway.connector import Opener
from sluicegate.gateway.upstream import UpstreamConnection
from sluicegate.wire.headers import HeaderKinds

IDLE_SECONDS = 55.0
"""Below the 60 s after which common load balancers close an idle connection, so that we are first and none is stale."""
LARGEST_WAITING = 4_096
"""Requests waiting for one provider; beyond it they are refused at once."""


class Waiter(Protocol):
    """A request in want of a connection."""

    def connected(self, connection: UpstreamConnection) -> None:
        """Here it is."""
        ...

    def not_connected(self, error: GatewayError) -> None:
        """There will be none."""
        ...


class Pool:
    """Connections to one provider."""

    __slots__ = ("_connecting", "_idle", "_is_closed", "_kinds", "_make", "_opener", "_waiting", "all", "provider")

    def __init__(self, provider: Provider, opener: Opener, kinds: HeaderKinds) -> None:
        """`opener` opens connections; `kinds` sorts the fields of answers."""
        self.provider = provider
        self._opener = opener
        self._kinds = kinds
        self.all: set[UpstreamConnection] = set()
        self._idle: list[UpstreamConnection] = []
        self._waiting: deque[tuple[float, Waiter]] = deque()
        self._connecting = 0
        self._is_closed = False
        self._make: Callable[[], UpstreamConnection] = lambda: UpstreamConnection(self, self._kinds)

    def __repr__(self) -> str:
        """Tell the sizes: busy, idle, being opened, limit, and requests waiting."""
        idle = len(self._idle)
        return (
            f"<Pool {self.provider.name} busy={len(self.all) - idle} idle={idle} connecting={self._connecting}"
            f" limit={self.provider.max_connections} waiting={len(self._waiting)}>"
        )

    @property
    def is_empty(self) -> bool:
        """Whether it has no connection, is opening none, and nobody waits."""
        return not self.all and not self._waiting and not self._connecting

    def take(self) -> UpstreamConnection | None:
        """An idle connection, or None: then `wait`."""
        return self._idle.pop() if self._idle else None

    def wait(self, waiter: Waiter, now: float, *, fresh: bool = False) -> None:
        """Queue a request. `fresh` puts it first (a request that is tried again). Raises OverloadedError."""
        if len(self._waiting) >= LARGEST_WAITING:
            raise OverloadedError(f"too many requests wait for a connection to provider {self.provider.name}")
        if fresh:
            self._waiting.appendleft((now, waiter))
        else:
            self._waiting.append((now, waiter))
        if self._connecting < len(self._waiting):
            self._open_one()

    def leave(self, waiter: Waiter) -> None:
        """Take a request out of the queue, where it is in it."""
        for entry in self._waiting:
            if entry[1] is waiter:
                self._waiting.remove(entry)
                return

    def _open_one(self) -> None:
        if len(self.all) + self._connecting < self.provider.max_connections:
            self._connecting += 1
            self._opener.open(self.provider, self._make, self._not_opened)

    def opened(self, connection: UpstreamConnection) -> None:
        """A connection stands."""
        self._connecting -= 1
        self.all.add(connection)
        self.released(connection)

    def _not_opened(self, error: GatewayError) -> None:
        self._connecting -= 1
        if self._waiting:
            self._waiting.popleft()[1].not_connected(error)
        if self._connecting < len(self._waiting):
            self._open_one()

    def released(self, connection: UpstreamConnection) -> None:
        """A connection is free."""
        if self._waiting:
            self._waiting.popleft()[1].connected(connection)
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
            if self._connecting < len(self._waiting):
                self._open_one()

    def sweep(self, now: float) -> None:
        """Close what was idle too long, refuse who waited too long."""
        late = now - self.provider.max_wait
        while self._waiting and self._waiting[0][0] < late:
            _, waiter = self._waiting.popleft()
            waiter.not_connected(
                NoConnectionError(
                    f"all {self.provider.max_connections} connections to provider {self.provider.name} stayed busy "
                    f"for {self.provider.max_wait:g} s; raise providers.{self.provider.name}.max_connections",
                    retry_after=1.0,
                )
            )
        for connection in self._idle[:]:
            if connection.since == 0.0:
                connection.since = now
            elif now - connection.since > IDLE_SECONDS:
                connection.close()

    def close(self) -> None:
        """Close what is idle now, and the rest as it gets free."""
        self._is_closed = True
        for connection in self._idle[:]:
            connection.close()
