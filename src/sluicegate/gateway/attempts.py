"""What an exchange has tried: attempts that failed, one that goes on beside another, and who waits for what."""

import asyncio
from typing import TYPE_CHECKING

from sluicegate.domain.events import FailedAttempt
from sluicegate.domain.pricing import Price
from sluicegate.domain.usage import Usage
from sluicegate.gateway.providers import ProviderRuntime
from sluicegate.gateway.selection import Candidate

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange
    from sluicegate.gateway.upstream import UpstreamConnection


class Rival:
    """The attempt that was made first, while another is made beside it."""

    __slots__ = (
        "body",
        "connection",
        "elsewhere",
        "filter",
        "model",
        "prefix",
        "price",
        "runtime",
        "sent",
        "waiting_since",
    )

    def __init__(self, exchange: "Exchange", connection: "UpstreamConnection") -> None:
        """What of the exchange belongs to the attempt."""
        self.connection = connection
        self.runtime = exchange.runtime
        self.model = exchange.model
        self.body = exchange.body
        self.filter = exchange.filter
        self.prefix = exchange.prefix
        self.price: Price | None = exchange.price
        self.sent = exchange.sent
        self.elsewhere = exchange.elsewhere
        self.waiting_since = exchange.waiting_since

    @property
    def asked(self) -> tuple[ProviderRuntime, str, Price | None]:
        """Who it was sent to, as which model, and what that costs where it is known."""
        return self.runtime, self.model, self.price

    def __repr__(self) -> str:
        """Tell who."""
        return f"<Rival {self.runtime.id} {self.model}>"


class Retrial:
    """What an exchange has tried, and what it took."""

    __slots__ = ("cost", "failed", "handle", "returns", "rival", "start", "tried", "usage")

    def __init__(self) -> None:
        """Nothing yet."""
        self.failed: list[FailedAttempt] = []
        self.tried: list[Candidate] = []
        self.handle: asyncio.TimerHandle | None = None
        self.rival: Rival | None = None
        self.returns = 0
        """How often the first attempt became the only one again: what the second one waited for is nobody's then."""
        self.start = b""
        """The beginning of a stream, held back until its first event is whole."""
        self.usage: Usage | None = None
        self.cost = 0
        """Nano-dollars of `usage`."""

    def __repr__(self) -> str:
        """Tell how often it failed."""
        return f"<Retrial failed={len(self.failed)} rival={self.rival!r}>"

    def leave(self, exchange: "Exchange") -> None:
        """Nobody waits any more, neither for a pause to end nor for the first of two attempts."""
        self.cancel_timer()
        rival, self.rival = self.rival, None
        if rival is not None:
            rival.runtime.breaker.abandoned(exchange.services.clock(), exchange)
            rival.connection.cancel()

    def cancel_timer(self) -> None:
        """Neither a pause ends, nor is a second one asked."""
        handle, self.handle = self.handle, None
        if handle is not None:
            handle.cancel()


def returns_of(exchange: "Exchange") -> int:
    """Of the first of two attempts: what waited for the second one is of no use behind that."""
    return exchange.retrial.returns if exchange.retrial is not None else 0


def retrial_of(exchange: "Exchange") -> Retrial:
    """The exchange's own, made when it is first needed."""
    if exchange.retrial is None:
        exchange.retrial = Retrial()
    return exchange.retrial
