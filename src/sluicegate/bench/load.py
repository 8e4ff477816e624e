"""The load generator: keep-alive connections that send one prebuilt request again and again and time the answers.

Two ways to decide when a request starts:

- closed loop: each connection sends the next request as soon as its answer is there. It finds the highest throughput,
  but it waits whenever the gateway does, so its latencies are those of a gateway that is never surprised.
- open loop: requests are due at a fixed rate, whatever the gateway does. Latency counts from when a request was due,
  not from when a connection was free for it, so a stall is charged to every request that it delayed.
"""

import asyncio
import ssl
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from sluicegate.bench.answer_scan import AnswerError, AnswerScanner
from sluicegate.bench.metronome import Metronome

_LOOK = 0.1
"""Seconds between two looks at what hangs and how far we are."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, where and how often. One of `requests` and `duration` must be set; the first to be reached ends
    the run.
    """

    request: bytes
    host: str
    port: int
    ssl_context: ssl.SSLContext | None = None
    connections: int = 8
    requests: int | None = None
    duration: float | None = None
    """Seconds in which requests are started."""
    rate: float | None = None
    """Requests per second in the open loop; None for the closed loop."""
    timeout: float = 30.0
    """Seconds that one answer may take, and all that are under way at the end."""

    def __post_init__(self) -> None:
        """Refuse what would never begin or never end."""
        if self.requests is None and self.duration is None:
            raise ValueError("a number of requests or a duration must be given")
        if self.connections < 1 or (self.rate is not None and self.rate <= 0):
            raise ValueError("connections and rate must be positive")


@dataclass(slots=True)
class Samples:
    """What was measured, in seconds, one entry for each good answer (`gaps`: for each event but a stream's first)."""

    latencies: list[float] = field(default_factory=list)
    first_events: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    events: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    elapsed: float = 0.0
    """From the first request to the last answer."""

    @property
    def completed(self) -> int:
        """Good answers."""
        return len(self.latencies)

    @property
    def failed(self) -> int:
        """Everything else that was asked for."""
        return self.errors.total()


class _Client(asyncio.Protocol):
    """One connection: idle, or waiting for one answer."""

    __slots__ = ("_events", "_last", "_load", "_scan", "_transport", "due", "is_busy", "sent")

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._scan = AnswerScanner()
        self._transport = cast("asyncio.Transport", None)
        self._events = 0
        self._last = 0.0
        self.is_busy = False
        self.due = 0.0
        self.sent = 0.0

    def send(self, due: float, now: float) -> None:
        """Ask; `due` is when the request should have started."""
        self.is_busy = True
        self.due = due
        self.sent = now
        self._events = 0
        self._scan.begin()
        self._transport.write(self._load.plan.request)

    def time_out(self) -> None:
        """Wait no longer for the answer that is under way."""
        self._fail("timeout")

    def give_up(self) -> None:
        """Close at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Time what came."""
        now = self._load.clock()
        if not self.is_busy:
            self._transport.abort()
            return
        scan = self._scan
        try:
            is_complete = scan.feed(data)
        except AnswerError as error:
            self._fail(str(error))
            return
        fresh = scan.events - self._events
        if fresh:
            self._count_events(fresh, now)
        if is_complete:
            self._finish(now)

    def eof_received(self) -> None:
        """Let the transport close; some answers end this way."""
        if self.is_busy and self._scan.feed_end():
            self._finish(self._load.clock())

    def connection_lost(self, exc: Exception | None) -> None:
        """Count what is lost with the connection."""
        if self.is_busy:
            self.is_busy = False
            self._load.failed("connection lost")
        self._load.lost(self)

    def _count_events(self, fresh: int, now: float) -> None:
        samples = self._load.samples
        if self._events == 0:
            samples.first_events.append(now - self.due)
        else:
            samples.gaps.append(now - self._last)
        if fresh > 1:
            # What came in the same read as its predecessor came without a gap.
            samples.gaps.extend([0.0] * (fresh - 1))
        self._events += fresh
        self._last = now

    def _finish(self, now: float) -> None:
        self.is_busy = False
        samples, scan = self._load.samples, self._scan
        samples.events += self._events
        if scan.status < 400:
            samples.latencies.append(now - self.due)
            self._load.settled()
        else:
            self._load.failed(f"status {scan.status}")
        if scan.is_kept:
            self._load.free(self, now)
        else:
            self._transport.close()

    def _fail(self, reason: str) -> None:
        self.is_busy = False
        self._load.failed(reason)
        self._transport.abort()


class Load:
    """One run of a plan."""

    def __init__(
        self, plan: Plan, clock: Callable[[], float], on_progress: Callable[[Samples], None] | None = None
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.samples = Samples()
        self._on_progress = on_progress
        self._tasks = asyncio.TaskGroup()
        self._connecting = 0
        self._clients: set[_Client] = set()
        self._idle: list[_Client] = []
        self._due: deque[float] = deque()
        self._issued = 0
        self._settled = 0
        self._is_over = False
        self._is_closing = False
        self._last_answer = 0.0
        self._ended = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Load issued={self._issued} settled={self._settled} clients={len(self._clients)}>"

    async def run(self) -> Samples:
        """Connect, send, wait for the answers, close. Raises OSError if there is nobody to connect to at first."""
        try:
            for _ in range(self.plan.connections):
                await self._connect()
            async with self._tasks:
                began = self._last_answer = self.clock()
                await self._start_and_wait(began)
                self._is_closing = True
                self.samples.elapsed = self._last_answer - began
        finally:
            self._is_closing = True
            for client in self._clients:
                client.give_up()
        if self._on_progress is not None:
            self._on_progress(self.samples)
        return self.samples

    # The connections' side.

    def settled(self) -> None:
        """Take note of a good answer, which is in the samples already."""
        self._settled += 1

    def failed(self, reason: str) -> None:
        """Count a request that got no good answer."""
        self._settled += 1
        self.samples.errors[reason] += 1

    def free(self, client: _Client, now: float) -> None:
        """Give the connection its next request, if there is one."""
        self._last_answer = now
        if self._due:
            client.send(self._due.popleft(), now)
        elif self.plan.rate is None and self._may_issue():
            client.send(now, now)
        else:
            self._idle.append(client)
            self._end_if_done()

    def lost(self, client: _Client) -> None:
        """Replace a connection that is gone."""
        self._clients.discard(client)
        if client in self._idle:
            self._idle.remove(client)
        if not self._is_closing:
            self._last_answer = self.clock()
            self._connecting += 1
            self._tasks.create_task(self._reconnect())

    # Our own.

    async def _connect(self) -> _Client:
        plan = self.plan
        _, client = await asyncio.get_running_loop().create_connection(
            lambda: _Client(self),
            plan.host,
            plan.port,
            ssl=plan.ssl_context,
            server_hostname=plan.host if plan.ssl_context else None,
        )
        self._clients.add(client)
        self._idle.append(client)
        return client

    async def _reconnect(self) -> None:
        try:
            client = await self._connect()
        except OSError:
            # Counted once and not tried again: a gateway that is down ends the run instead of prolonging it.
            self._connecting -= 1
            if self._may_issue():
                self.failed("cannot connect")
            if not self._clients and not self._connecting:
                self._abandon("cannot connect")
            return
        self._connecting -= 1
        self._idle.remove(client)
        if self._is_closing:
            client.give_up()
        else:
            self.free(client, self.clock())

    async def _start_and_wait(self, began: float) -> None:
        plan, loop = self.plan, asyncio.get_running_loop()
        self._look_after(loop)
        ending = None
        try:
            if plan.rate is None:
                if plan.duration is not None:
                    ending = loop.call_later(plan.duration, self._issue_no_more)
                idle, self._idle = self._idle, []
                for client in idle:
                    self.free(client, self.clock())
                await self._ended.wait()
            else:
                with Metronome(1 / plan.rate) as metronome:
                    # Requests are due by its beat: to count from any earlier would make each of them late.
                    began = self.clock()
                    loop.add_reader(metronome.descriptor, self._beat, metronome, began, 1 / plan.rate)
                    try:
                        await self._ended.wait()
                    finally:
                        loop.remove_reader(metronome.descriptor)
        finally:
            self._look_handle.cancel()
            if ending is not None:
                ending.cancel()

    def _beat(self, metronome: Metronome, began: float, interval: float) -> None:
        longest = self.plan.duration
        for _ in range(metronome.beats()):
            since = (self._issued + 1) * interval
            # By when it is due, not by when we come to it: who stood still has missed none of its requests, and no more
            # are due for that.
            if longest is not None and since > longest:
                self._issue_no_more()
                return
            due = began + since
            if not self._may_issue():
                return
            if self._idle:
                self._idle.pop().send(due, self.clock())
            else:
                self._due.append(due)

    def _may_issue(self) -> bool:
        """Whether there is one more request to send, which counts as issued from now on."""
        if self._is_over:
            return False
        self._issued += 1
        self._is_over = self._issued == self.plan.requests
        return True

    def _issue_no_more(self) -> None:
        """The time to start requests is over."""
        self._is_over = True
        self._end_if_done()

    def _look_after(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look, again and again, for what hangs, and tell how far we are."""
        plan, now = self.plan, self.clock()
        if self._on_progress is not None:
            self._on_progress(self.samples)
        for client in [client for client in self._clients if client.is_busy and now - client.sent > plan.timeout]:
            client.time_out()
        if self._due and now - self._due[0] > plan.timeout:
            self._abandon("not sent in time")
        self._look_handle = loop.call_later(_LOOK, self._look_after, loop)

    def _abandon(self, reason: str) -> None:
        """Give up on everything that is still to be sent."""
        self._is_over = True
        while self._due:
            self._due.popleft()
            self.failed(reason)
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._is_over and self._settled == self._issued:
            self._ended.set()
