"""A worker's end of the link to its control process: asks, learns, and comes back by itself when the link breaks."""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import Snapshot
from sluicegate.wire.link import (
    LARGEST_FRAME,
    AskLease,
    AskPrice,
    Bodies,
    BrokenLinkError,
    Configure,
    Count,
    Counted,
    DeploymentHealth,
    Feed,
    Forget,
    ForgetPrices,
    FrameReader,
    Health,
    Hello,
    Journal,
    Lend,
    Lent,
    Priced,
    Ready,
    Recall,
    Resolve,
    Resolved,
    ToControl,
    ToWorker,
    frame,
    to_worker,
)

RECONNECT_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Pauses between attempts; the last one repeats. The control process is back within a second of its death."""
COUNT_SECONDS = 30.0
"""How long a count may take before the exchange is recorded with its guess."""
LARGEST_COUNTED = LARGEST_FRAME // 2
"""Bytes of one question to be counted, and of all that go in one frame: half of it, for other messages go with them."""
LARGEST_COUNTING = 1_024
"""Exchanges waiting for a count; beyond it they are recorded with their guess at once."""
LARGEST_UNSENT = 2 * LARGEST_FRAME
"""Bytes of questions that control has not taken yet; beyond it the same, as it may hang, and they are whole bodies."""

LARGEST_HANDING = 8 * 1024 * 1024
"""Bytes of bodies on their way to control; beyond it they are dropped. Well within a frame."""


class LinkListener(Protocol):
    """Who acts on what control says."""

    def configured(self, snapshot: Snapshot) -> None:
        """A snapshot to run on; the link stands again."""
        ...

    def resolved(self, digest: bytes, principal: Principal | None) -> None:
        """The principal of a digest, or None."""
        ...

    def forgotten(self, digests: tuple[bytes, ...]) -> None:
        """The change feed."""
        ...

    def feed_true(self, as_of: float, lease: float) -> None:
        """How far the change feed can be believed, as in `wire.link.Feed`."""
        ...

    def recalled(self, accounts: tuple[str, ...]) -> None:
        """Others wait for what this worker holds of these accounts."""
        ...

    def prices_forgotten(self) -> None:
        """Prices have changed."""
        ...

    def link_lost(self) -> None:
        """The link broke."""
        ...


class LinkProtocol(asyncio.Protocol):
    """One connection of the link."""

    def __init__(self, link: "Link") -> None:
        """Messages go to `link`."""
        self._link = link
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Introduce ourselves."""
        self._transport = cast("asyncio.Transport", transport)
        self._link.connected(self)

    def data_received(self, data: bytes) -> None:
        """Take whole frames."""
        try:
            for body in self._reader.feed(data):
                for message in to_worker(body):
                    self._link.received(message)
        except BrokenLinkError:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the link, which connects anew."""
        self._link.lost(self)

    def write(self, data: bytes) -> None:
        """Send one frame."""
        if self._transport is not None:
            self._transport.write(data)

    @property
    def unsent(self) -> int:
        """Bytes that control has not taken yet."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def close(self) -> None:
        """End this connection."""
        if self._transport is not None:
            self._transport.abort()


class Link:
    """Questions to control and their answers, over whichever connection stands."""

    def __init__(
        self,
        path: str,
        *,
        worker: int,
        pid: int,
        listener: LinkListener,
        loop: asyncio.AbstractEventLoop,
        holder: str = "",
    ) -> None:
        """`path` is the link's Unix socket; `holder` is who leases are lent to: the journal's incarnation."""
        self._path = path
        self._hello = Hello(worker, pid)
        self._listener = listener
        self._loop = loop
        self._protocol: LinkProtocol | None = None
        self._outbox: list[ToControl] = []
        self._outbox_bytes = 0
        """Of bodies to be counted."""
        self._number = 0
        self._resolving: dict[int, bytes] = {}
        self._counting: dict[int, tuple[float, Callable[[Counted | None], None]]] = {}
        self._lending: dict[int, Callable[[Lent | None], None]] = {}
        self._pricing: dict[int, Callable[[Priced | None], None]] = {}
        self._holder = holder
        self._handing = 0
        """Bytes of bodies in the outbox."""
        self._attempt = 0
        """Connections tried since control has answered one."""
        self._connecting: asyncio.Task[None] | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        """Tell whether the link stands and what is open."""
        state = "up" if self._protocol else "down"
        return f"<Link {state} resolving={len(self._resolving)} counting={len(self._counting)}>"

    @property
    def is_up(self) -> bool:
        """Whether control can be reached now."""
        return self._protocol is not None

    @property
    def is_counting(self) -> bool:
        """Whether a count is still waited for."""
        return bool(self._counting)

    def start(self) -> None:
        """Connect, and keep connected until `close`."""
        if not self._is_closed and self._connecting is None:
            self._connecting = self._loop.create_task(self._connect())

    def close(self) -> None:
        """End the link for good: what is still open is so at once, not only when the connection's end is told."""
        self._is_closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        protocol = self._protocol
        if protocol is not None:
            protocol.close()
            self.lost(protocol)

    async def _connect(self) -> None:
        is_connected = False
        while not is_connected:
            if self._attempt:
                await asyncio.sleep(RECONNECT_SECONDS[min(self._attempt, len(RECONNECT_SECONDS)) - 1])
            self._attempt += 1
            is_connected = await self._is_connected()
        self._connecting = None

    async def _is_connected(self) -> bool:
        """Try it once; False also where the connection was lost before its maker went on, and `lost` told nobody.

        A process that is killed may take a connection just before it closes what it has, and our first write fails.
        """
        try:
            await self._loop.create_unix_connection(lambda: LinkProtocol(self), self._path)
        except OSError:
            return False
        return self._protocol is not None

    def connected(self, protocol: LinkProtocol) -> None:
        """A connection stands: say who we are. Control answers with a snapshot, which restores the feed."""
        if self._is_closed:
            # Within the turn in which it came to stand: nobody would tell of its end.
            protocol.close()
            return
        self._protocol = protocol
        protocol.write(frame([self._hello]))

    def lost(self, protocol: LinkProtocol) -> None:
        """The connection broke: open questions are lost with it."""
        if self._protocol is not protocol:
            return
        self._protocol = None
        self._resolving.clear()
        self._outbox.clear()
        self._outbox_bytes = 0
        self._handing = 0
        counting, self._counting = self._counting, {}
        for _, callback in counting.values():
            callback(None)
        lending, self._lending = self._lending, {}
        for lent in lending.values():
            lent(None)
        pricing, self._pricing = self._pricing, {}
        for priced in pricing.values():
            priced(None)
        self._listener.link_lost()
        self.start()

    def received(self, message: ToWorker) -> None:
        """Act on one message from control."""
        match message:
            case Resolved():
                digest = self._resolving.pop(message.number, None)
                if digest is not None:
                    self._listener.resolved(digest, message.principal)
            case Counted():
                asked = self._counting.pop(message.number, None)
                if asked is not None:
                    asked[1](message)
            case Lent():
                lent = self._lending.pop(message.number, None)
                if lent is not None:
                    lent(message)
            case Priced():
                priced = self._pricing.pop(message.number, None)
                if priced is not None:
                    priced(message)
            case Recall():
                self._listener.recalled(message.accounts)
            case ForgetPrices():
                self._listener.prices_forgotten()
            case Configure():
                # Not when a connection stands: one that ends before this would be made again without a pause, for ever.
                self._attempt = 0
                self._listener.configured(message.snapshot)
            case Forget():
                self._listener.forgotten(message.digests)
            case Feed():
                self._listener.feed_true(message.as_of, message.lease)

    def resolve(self, digest: bytes, *, is_damaged: bool = False) -> None:
        """Ask whose token this is, as in `wire.link.Resolve`.

        While the link is down the question is dropped: a restored feed asks anew.
        """
        if self._protocol is not None:
            number = self._next_number()
            self._resolving[number] = digest
            self._send(Resolve(number, digest, is_damaged))

    def ready(self, version: int) -> None:
        """Tell control that we run on this snapshot."""
        if self._protocol is not None:
            self._send(Ready(version))

    def health(self, deployments: tuple[DeploymentHealth, ...]) -> bool:
        """Tell control how these deployments fare; False where nobody can be told."""
        if self._protocol is None:
            return False
        self._send(Health(deployments))
        return True

    def journal(self, journal: Journal) -> bool:
        """Tell control how the journal does; False where nobody can be told."""
        if self._protocol is None:
            return False
        self._send(journal)
        return True

    def hand_over(self, bodies: Bodies) -> bool:
        """Give control bodies to keep; False where it cannot take them, and they are lost."""
        size = len(bodies.request) + len(bodies.answer)
        if self._protocol is None or self._protocol.unsent + self._handing + size > LARGEST_HANDING:
            return False
        self._handing += size
        self._send(bodies)
        return True

    def count(self, question: Count, now: float, callback: Callable[[Counted | None], None]) -> None:
        """Have tokens counted; `question.number` is filled in here. `callback` gets None where that is impossible."""
        size = len(question.request) + len(question.answer) + len(question.model)
        if (
            self._protocol is None
            or size > LARGEST_COUNTED
            or len(self._counting) >= LARGEST_COUNTING
            or self._protocol.unsent + self._outbox_bytes + size > LARGEST_UNSENT
        ):
            callback(None)
            return
        if self._outbox_bytes + size > LARGEST_COUNTED:
            self._flush()
        self._outbox_bytes += size
        number = self._next_number()
        self._counting[number] = (now, callback)
        self._send(
            Count(
                number,
                question.dialect,
                question.operation,
                question.model,
                question.request,
                question.answer,
                question.is_text,
                question.answer_dropped,
            )
        )

    def lend(self, asks: tuple[AskLease, ...], callback: Callable[[Lent | None], None]) -> None:
        """Ask for leases, and give back. `callback` gets None where the link is down, or breaks before the answer."""
        if self._protocol is None:
            callback(None)
            return
        number = self._next_number()
        self._lending[number] = callback
        self._send(Lend(number, self._holder, asks))

    def ask_price(
        self, provider: str, model: str, organization: str, callback: Callable[[Priced | None], None]
    ) -> None:
        """Ask what a model costs. `callback` gets None where the link is down, or breaks before the answer."""
        if self._protocol is None:
            callback(None)
            return
        number = self._next_number()
        self._pricing[number] = callback
        self._send(AskPrice(number, provider, model, organization))

    def sweep(self, now: float) -> None:
        """Give up on counts that take too long."""
        late = [number for number, (since, _) in self._counting.items() if now - since > COUNT_SECONDS]
        for number in late:
            self._counting.pop(number)[1](None)

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _send(self, message: ToControl) -> None:
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(message)

    def _flush(self) -> None:
        outbox, self._outbox, self._outbox_bytes = self._outbox, [], 0
        self._handing = 0
        if outbox and self._protocol is not None:
            self._protocol.write(frame(outbox))
