"""The sections of a comparison: each loads running proxies in one way and says what that cost them.

Processor time is measured in turns: all proxies are up, and each is loaded for a few seconds, again and again. What
else the machine does changes from minute to minute, and so meets all of them alike.
"""

import asyncio
import json
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from operator import attrgetter

import msgspec

from sluicegate.bench.held import StreamsLostError, held_streams
from sluicegate.bench.latency import Added, added, distribution
from sluicegate.bench.load import Load, Plan, Samples
from sluicegate.bench.measure import Memory, memory, processor_seconds, used_between
from sluicegate.bench.request import Target, request_bytes

ENDPOINT = "/v1/chat/completions"

CONNECTIONS = 16
"""Of the closed loop: enough to keep any proxy busy, few enough that nothing but work is measured."""

STREAMS, STREAM_RATE, STREAM_TOKENS = 100, 100, 100
"""Streams at once, events per second of each, events of each. Paced, as those of providers are, so that no proxy gets
several events in one read only because it is slow."""

MOCK_TOKENS = 16
"""Of all other answers: small, since a proxy's own cost shows best with them."""

HELD_RATE, HELD_TOKENS = 0.5, 1000
"""Pace and length of streams held open: they are alive, do not end, and cost next to nothing to feed."""

_LATENCY_CONNECTIONS = 64
_WARM_REQUESTS, _WARM_STREAMS = 1000, 20
_REST_LOOK, _REST_LOOKS, _RESTING, _QUIET_LOOKS = 0.25, 80, 0.05, 10
"""Work that is put off counts too: after a load we look every so many seconds, so many times at most, until the proxy
has used less than this share of a processor for so many looks: our own control process reads what is new every two
seconds, and would else do the rest of it at the cost of the next section.
"""
_SETTLE = 0.5
"""Seconds of rest before memory is read."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A running proxy: its process and how to ask it."""

    process: int
    target: Target
    token: str = ""
    model: str = "mock-model"
    ssl_context: ssl.SSLContext | None = None

    def request(self, *, stream: bool = False) -> bytes:
        """One request."""
        return request_bytes(self.target, ENDPOINT, token=self.token, model=self.model, stream=stream)

    def plan(
        self,
        request: bytes,
        *,
        connections: int = 8,
        requests: int | None = None,
        duration: float | None = None,
        rate: float | None = None,
    ) -> Plan:
        """Send `request` to this proxy."""
        return Plan(
            request,
            self.target.host,
            self.target.port,
            self.ssl_context,
            connections=connections,
            requests=requests,
            duration=duration,
            rate=rate,
        )


class Cost(msgspec.Struct, frozen=True):
    """Processor time by work done: microseconds for each unit in all processes and in the busiest one, the latter also
    for each turn; units per second, what went wrong.
    """

    microseconds: float
    busiest: float
    per_second: float
    errors: dict[str, int]
    turns: tuple[float, ...] = ()


class Delay(msgspec.Struct, frozen=True):
    """Latency at a fixed rate (requests per second), in milliseconds: what the proxy adds, and its own percentiles."""

    rate: float
    added: Added
    p50: float
    p99: float
    errors: dict[str, int]


class StreamMemory(msgspec.Struct, frozen=True):
    """Growth of the resident set for each of `streams` open streams, in kilobytes; None with a `note` if it failed."""

    streams: int
    kilobytes: float | None
    note: str = ""


async def warm_up(subject: Subject) -> Memory:
    """Serve some requests and streams, which fills pools and caches; return the memory of the idle proxy then."""
    await _run(subject.plan(subject.request(), requests=_WARM_REQUESTS))
    stream = subject.request(stream=True)
    await _run(subject.plan(stream, requests=_WARM_STREAMS))
    # What a proxy still does after its first answers is part of its start, not of what is measured next.
    await _rest(subject.process)
    return memory(subject.process)


async def costs_of_requests(subjects: Sequence[Subject], seconds: float, turns: int) -> list[Cost]:
    """Small chat completions, as many as go through, so many seconds a turn."""
    plans = [one.plan(one.request(), connections=CONNECTIONS, duration=seconds) for one in subjects]
    return await _in_turn(subjects, plans, turns, attrgetter("completed"))


async def costs_of_events(subjects: Sequence[Subject], provider: Subject, seconds: float, turns: int) -> list[Cost]:
    """Many paced streams; the requests that open them are counted with their events."""
    plans = [one.plan(one.request(stream=True), connections=STREAMS, duration=seconds) for one in subjects]
    async with paced(provider, STREAM_RATE, STREAM_TOKENS):
        return await _in_turn(subjects, plans, turns, attrgetter("events"))


async def delay_at(subject: Subject, direct: Subject, rate: float, seconds: float) -> Delay:
    """Latency at a fixed rate in the open loop, without and then with the proxy."""
    found = []
    errors: dict[str, int] = {}
    for asked in (direct, subject):
        plan = asked.plan(asked.request(), connections=_LATENCY_CONNECTIONS, duration=seconds, rate=rate)
        samples = await _run(plan)
        found.append(distribution(samples.latencies))
        errors = dict(samples.errors)
    without, through = found
    if without is None or through is None:
        return Delay(rate, Added(0, 0, 0), 0, 0, errors or {"no answer": 1})
    return Delay(round(rate, 1), added(through, without), through.p50, through.p99, errors)


async def memory_of_streams(subject: Subject, provider: Subject, count: int, idle: Memory) -> StreamMemory:
    """Hold many streams open; the proxy should have held none before, whose memory it would use again."""
    try:
        async with (
            paced(provider, HELD_RATE, HELD_TOKENS),
            held_streams(subject.target, subject.request(stream=True), count),
        ):
            await asyncio.sleep(_SETTLE)
            growth = memory(subject.process).rss - idle.rss
    except StreamsLostError as error:
        return StreamMemory(count, None, str(error))
    return StreamMemory(count, round(growth / count, 2))


@asynccontextmanager
async def paced(provider: Subject, rate: float, tokens: int) -> AsyncIterator[None]:
    """Let the mock provider answer with `tokens`, `rate` of them per second; afterwards as fast as it can again.

    Told to the provider itself, since not every proxy passes on the headers that would do the same for one request.
    """
    await _set(provider, rate, tokens)
    try:
        yield
    finally:
        await _set(provider, 0, MOCK_TOKENS)


async def _set(provider: Subject, rate: float, tokens: int) -> None:
    """Raises ConnectionError if the provider does not do it."""
    body = json.dumps({"rate": f"{rate:g}", "tokens": str(tokens)})
    head = f"POST /__settings HTTP/1.1\r\nhost: {provider.target.authority}\r\ncontent-length: {len(body)}\r\n\r\n"
    samples = await _run(provider.plan((head + body).encode(), connections=1, requests=1))
    if not samples.completed:
        raise ConnectionError(f"the mock provider refuses its settings: {dict(samples.errors)}")


async def _run(plan: Plan) -> Samples:
    return await Load(plan, time.perf_counter).run()


@dataclass(slots=True)
class _Account:
    """What one proxy did and used in its turns; `used` by process, seconds."""

    used: dict[int, float] = field(default_factory=dict)
    units: int = 0
    seconds: float = 0.0
    turns: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, units: int, samples: Samples, used: Mapping[int, float]) -> None:
        for process, seconds in used.items():
            self.used[process] = self.used.get(process, 0.0) + seconds
        self.units += units
        self.seconds += samples.elapsed
        self.turns.append(_microseconds(max(used.values(), default=0.0), units))
        self.errors.update(samples.errors)

    def cost(self) -> Cost:
        """The cost of each unit; where nothing was done, it is that of all, and the errors say why."""
        return Cost(
            _microseconds(sum(self.used.values()), self.units),
            _microseconds(max(self.used.values(), default=0.0), self.units),
            round(self.units / self.seconds, 1) if self.seconds else 0.0,
            dict(self.errors),
            tuple(self.turns),
        )


async def _in_turn(
    subjects: Sequence[Subject], plans: Sequence[Plan], turns: int, units_of: Callable[[Samples], int]
) -> list[Cost]:
    """Run each subject's plan so many times; its cost is with what it put off until it was not loaded any more."""
    accounts = [_Account() for _ in subjects]
    for _ in range(turns):
        for subject, plan, account in zip(subjects, plans, accounts, strict=True):
            before = processor_seconds(subject.process)
            samples = await _run(plan)
            account.add(units_of(samples), samples, used_between(before, await _rest(subject.process)))
    return [account.cost() for account in accounts]


async def _rest(process: int) -> dict[int, float]:
    """Wait until a proxy does nothing, or for long enough; the processor seconds of its processes then."""
    last = processor_seconds(process)
    quiet = 0
    for _ in range(_REST_LOOKS):
        await asyncio.sleep(_REST_LOOK)
        earlier, last = last, processor_seconds(process)
        is_quiet = sum(used_between(earlier, last).values()) < _REST_LOOK * _RESTING
        quiet = quiet + 1 if is_quiet else 0
        if quiet == _QUIET_LOOKS:
            break
    return last


def _microseconds(seconds: float, units: int) -> float:
    return round(seconds * 1e6 / max(units, 1), 2)
