"""Control's end of the link: gives workers their snapshot, answers their questions, tells them of changes.

What is said to one worker within a turn of the loop travels in one frame. A worker that does not read is not read from
either, so what waits for it is bounded by what it asked.
"""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, cast

from structlog.typing import FilteringBoundLogger

from sluicegate.control.token_directory import TokenDirectory
from sluicegate.control.workers import Workers
from sluicegate.domain.pricing import Price
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import Snapshot
from sluicegate.wire.link import (
    AskPrice,
    Bodies,
    BrokenLinkError,
    Configure,
    Count,
    Counted,
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
    to_control,
)


class Counts(Protocol):
    """Counts tokens."""

    def ask(self, question: Count, answer: Callable[[Counted], None]) -> None:
        """Call `answer` with the count, at once or later in the loop."""
        ...


class Lending(Protocol):
    """Lends what limits allow."""

    def lend(self, lend: Lend, asker: Hashable, answer: Callable[[Lent], None]) -> None:
        """Call `answer`, later in the loop. `asker` is who is not to be recalled for its own sake."""
        ...


class Prices(Protocol):
    """Knows what models cost."""

    def find(self, question: AskPrice, answer: Callable[[Price | None], None]) -> None:
        """Call `answer` with the price, at once or later in the loop."""
        ...

    def forget(self) -> None:
        """What was known may have changed."""
        ...


class NoPrices:
    """Where nothing has a price."""

    def __repr__(self) -> str:
        """Tell what it is."""
        return "<NoPrices>"

    def find(self, question: AskPrice, answer: Callable[[Price | None], None]) -> None:
        """No model has one."""
        del question
        answer(None)

    def forget(self) -> None:
        """Nothing was known."""


class LinkServer:
    """All workers' links. Call it to make the protocol of a new connection."""

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        directory: TokenDirectory,
        counts: Counts,
        lending: Lending,
        workers: Workers,
        is_ready: Callable[[int, int], None],
        log: FilteringBoundLogger,
        prices: Prices | None = None,
        feed: Callable[[], Feed] = lambda: Feed(0.0, float("inf")),
        keep: Callable[[Bodies], None] = lambda _bodies: None,
    ) -> None:
        """`is_ready` learns number and process id of a worker that has begun to accept connections.

        `feed` says what workers may believe at the moment: everything, where all tokens are declared. `keep` takes
        bodies; without it, they are dropped.
        """
        self._snapshot = snapshot
        self._feed = feed
        self._keep = keep
        self._directory = directory
        self._counts = counts
        self._lending = lending
        self._prices = prices or NoPrices()
        self._workers = workers
        self._is_ready = is_ready
        self._log = log
        self._links: set[WorkerLink] = set()
        self._all_gone = asyncio.Event()
        self._all_gone.set()

    def __repr__(self) -> str:
        """Tell the version and how many links stand."""
        return f"<LinkServer version={self._snapshot.version} links={len(self._links)}>"

    def __call__(self) -> "WorkerLink":
        """Make the protocol of a new connection."""
        return WorkerLink(self)

    def change(self, snapshot: Snapshot, forgotten: tuple[bytes, ...]) -> None:
        """Have all workers run on `snapshot` and forget what they know of these digests."""
        self._snapshot = snapshot
        messages: list[ToWorker] = [Configure(snapshot), self._feed()]
        if forgotten:
            messages.append(Forget(forgotten))
        for link in self._links:
            link.send(*messages)

    def forget(self, digests: Sequence[bytes] | None) -> None:
        """Have all workers look these digests up anew, or all, and then prices too; it is on its way when this returns.

        What was said before in this turn goes first, so an answer never overtakes the announcement that came after it,
        nor the other way round.
        """
        if digests is not None and not digests:
            return
        messages: list[ToWorker] = [Forget(tuple(digests or ()))]
        if digests is None:
            self._prices.forget()
            messages.append(ForgetPrices())
        for link in self._links:
            link.send(*messages)
            link.flush()

    def tell_feed(self) -> None:
        """Tell all workers what they may believe now."""
        message = self._feed()
        for link in self._links:
            link.send(message)

    def recall(self, accounts: Sequence[str], *, but: frozenset[Hashable]) -> None:
        """Have all workers but these give back what they have of these accounts and no request has reserved."""
        for link in self._links - but:
            link.send(Recall(tuple(accounts)))

    def forget_prices(self) -> None:
        """Have all workers ask for prices anew."""
        self._prices.forget()
        for link in self._links:
            link.send(ForgetPrices())

    def close(self) -> None:
        """Close all links; the workers will ask our successor."""
        for link in tuple(self._links):
            link.close()

    async def all_gone(self) -> None:
        """Wait until no link stands."""
        await self._all_gone.wait()

    def opened(self, link: "WorkerLink", hello: Hello) -> None:
        """A worker has introduced itself."""
        self._links.add(link)
        self._all_gone.clear()
        self._workers.joined(hello.worker, hello.pid)
        # In one frame: a worker that runs on a snapshot knows what it may believe.
        link.send(Configure(self._snapshot), self._feed())

    def received(self, link: "WorkerLink", worker: Hello, message: ToControl) -> None:
        """Act on what a worker says. Raises BrokenLinkError."""
        match message:
            case Resolve(number, digest, is_damaged):
                self._directory.find(digest, _answer_to(link, number), is_damaged=is_damaged)
            case Count():
                self._counts.ask(message, link.send)
            case Bodies():
                self._keep(message)
            case Lend():
                self._lending.lend(message, link, link.send)
            case AskPrice(number):
                self._prices.find(message, _price_to(link, number))
            case Ready(version):
                self._workers.ready(worker.pid, version)
                self._is_ready(worker.worker, worker.pid)
            case Health(deployments):
                self._workers.told(worker.pid, deployments)
            case Journal():
                self._workers.journal(worker.pid, message)
            case Hello():
                raise BrokenLinkError("a worker introduces itself twice")

    def closed(self, link: "WorkerLink", hello: Hello | None) -> None:
        """A link is gone."""
        self._links.discard(link)
        if hello is not None and all(other.process != hello.pid for other in self._links):
            self._workers.left(hello.pid)
        if not self._links:
            self._all_gone.set()

    def broken(self, hello: Hello | None, error: BrokenLinkError) -> None:
        """A worker said what makes no sense; its link is being closed."""
        self._log.error("a worker's link is broken", worker=hello and hello.worker, reason=str(error))


class WorkerLink(asyncio.Protocol):
    """One worker's link."""

    def __init__(self, server: LinkServer) -> None:
        """Wait for the worker's introduction."""
        self._server = server
        self._reader = FrameReader()
        self._hello: Hello | None = None
        self._outbox: list[ToWorker] = []
        self._transport: asyncio.Transport | None = None

    def __repr__(self) -> str:
        """Tell whose link it is."""
        return f"<WorkerLink {self._hello} waiting={len(self._outbox)}>"

    @property
    def process(self) -> int | None:
        """The worker's process id, once it has said who it is."""
        return None if self._hello is None else self._hello.pid

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take whole frames; close the link where they make no sense."""
        try:
            for body in self._reader.feed(data):
                for message in to_control(body):
                    self._take(message)
        except BrokenLinkError as error:
            self._server.broken(self._hello, error)
            self.close()

    def _take(self, message: ToControl) -> None:
        if self._hello is not None:
            self._server.received(self, self._hello, message)
        elif isinstance(message, Hello):
            self._hello = message
            self._server.opened(self, message)
        else:
            raise BrokenLinkError("a worker asks before it introduces itself")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the worker; answers that are still on their way are dropped."""
        del exc
        self._transport = None
        self._server.closed(self, self._hello)

    def pause_writing(self) -> None:
        """Listen no more to who does not listen."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        if self._transport is not None:
            self._transport.resume_reading()

    def send(self, *messages: ToWorker) -> None:
        """Say this, together with everything else that is said in this turn of the loop."""
        if not self._outbox:
            asyncio.get_running_loop().call_soon(self.flush)
        self._outbox += messages

    def close(self) -> None:
        """Close the link; what was not sent is lost."""
        if self._transport is not None:
            self._transport.abort()

    def flush(self) -> None:
        """Say now what was collected in this turn."""
        outbox, self._outbox = self._outbox, []
        if outbox and self._transport is not None:
            self._transport.write(frame(outbox))


def _answer_to(link: WorkerLink, number: int) -> Callable[[Principal | None], None]:
    return lambda principal: link.send(Resolved(number, principal))


def _price_to(link: WorkerLink, number: int) -> Callable[[Price | None], None]:
    return lambda price: link.send(Priced(number, price))
