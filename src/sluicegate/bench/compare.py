"""`python -m sluicegate.bench.compare`: proxies side by side on one machine, in one run, before one mock provider.

Turns and rounds are interleaved (A B C A B C), one proxy is loaded at a time, and all that counts are ratios within the
run: what else the machine does, and how fast it is, meets all proxies alike.
"""

import argparse
import asyncio
import resource
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from sluicegate.bench.certificates import Certificates, make_certificates
from sluicegate.bench.measure import machine
from sluicegate.bench.peers.base import Launch, Peer, PeerMissingError, Site
from sluicegate.bench.peers.table import named
from sluicegate.bench.program import Probe, Program, StartError, free_port, running
from sluicegate.bench.request import Target
from sluicegate.bench.results import Comparison, Contender, Round, as_json, as_markdown
from sluicegate.bench.sections import (
    CONNECTIONS,
    HELD_RATE,
    MOCK_TOKENS,
    STREAM_RATE,
    STREAMS,
    Cost,
    StreamMemory,
    Subject,
    costs_of_events,
    costs_of_requests,
    delay_at,
    memory_of_streams,
    warm_up,
)
from sluicegate.config.environment import process_environment

_SECONDS, _QUICK_SECONDS = 3.0, 2.0
"""Length of a turn, and of a look at latency. The kernel counts processor time in nanoseconds, so it is the proxy that
needs the time."""
_TURNS, _QUICK_TURNS = 5, 1
_STREAMS = "100,1000,4000"
_OPEN_FILES = 65_536
"""A proxy needs two for each stream."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    peers: tuple[Peer, ...]
    is_tls: bool = False
    rounds: int = 3
    turns: int = _TURNS
    seconds: float = _SECONDS
    streams: tuple[int, ...] = ()
    environments: Path | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Entry:
    """A contender while the run goes on."""

    peer: Peer
    version: str = ""
    note: str = ""
    requests: Cost | None = None
    events: Cost | None = None
    rounds: list[Round] = field(default_factory=list)
    streams: list[StreamMemory] = field(default_factory=list)


class _Bench:
    """The run: a provider that all share, and a fresh directory for each start of a proxy."""

    def __init__(self, options: Options, directory: Path, environment: Mapping[str, str]) -> None:
        self.options = options
        self._directory = directory
        self._environment = environment
        self._starts = 0
        self._certificates: Certificates | None = None
        self._provider = Subject(0, Target("127.0.0.1", 0))

    @asynccontextmanager
    async def provider(self) -> AsyncIterator[None]:
        """Run the mock provider all proxies stand before."""
        port, command = free_port(), [sys.executable, "-m", "sluicegate", "mock", "--quiet"]
        command += ["--port", str(port), "--tokens", str(MOCK_TOKENS)]
        context = None
        if self.options.is_tls:
            self._certificates = made = make_certificates(self._directory)
            command += ["--tls-cert", str(made.chain), "--tls-key", str(made.key)]
            context = ssl.create_default_context(cafile=made.authority)
        subject = Subject(0, Target("127.0.0.1", port, self.options.is_tls), ssl_context=context)
        probe = Probe(subject.target, subject.request(), context)
        async with running(Launch(tuple(command)), self._directory / "mock", probe, environment=self._environment):
            self._provider = subject
            yield

    @asynccontextmanager
    async def started(self, peer: Peer) -> AsyncIterator[tuple[Subject, Program]]:
        """Run a proxy. Raises PeerMissingError and StartError."""
        self._starts += 1
        directory = self._directory / f"{self._starts:03}-{peer.name}"
        port, provider = free_port(), self._provider.target.port
        launch = peer.launch(Site(port, directory, provider, self._certificates, self.options.environments))
        subject = Subject(0, Target("127.0.0.1", port), launch.credential, launch.model)
        probe = subject.request()
        if launch.ready_path is not None:
            probe = f"GET {launch.ready_path} HTTP/1.1\r\nhost: {subject.target.authority}\r\n\r\n".encode()
        async with running(
            launch,
            directory,
            Probe(subject.target, probe),
            environment=self._environment,
        ) as program:
            yield replace(subject, process=program.process), program

    async def costs(self, subjects: Sequence[Subject]) -> tuple[list[Cost], list[Cost]]:
        """Measure the processor time that each of these, all of them up, takes for a request and for an event."""
        seconds, turns = self.options.seconds, self.options.turns
        requests = await costs_of_requests(subjects, seconds, turns)
        return requests, await costs_of_events(subjects, self._provider, seconds, turns)

    async def round(self, peer: Peer, requests_per_second: float) -> Round:
        """Measure one proxy, which can do so much, once: its start, itself at rest, and what it adds to latency."""
        async with self.started(peer) as (subject, program):
            idle = await warm_up(subject)
            delay = await delay_at(subject, self._provider, max(1.0, requests_per_second / 2), self.options.seconds)
            return Round(program.ready, idle, delay)

    async def streams(self, peer: Peer) -> list[StreamMemory]:
        """Measure the memory of one proxy's streams, each number of them in a new process."""
        found = []
        for count in self.options.streams:
            async with self.started(peer) as (subject, _):
                found.append(await memory_of_streams(subject, self._provider, count, await warm_up(subject)))
        return found


async def compare(
    options: Options, environment: Mapping[str, str], now: datetime, tell: Callable[[str], None]
) -> Comparison:
    """Run it all, telling how far it is. A proxy that is missing or fails has a note instead of its numbers."""
    entries = [_Entry(peer) for peer in options.peers]
    with tempfile.TemporaryDirectory(prefix="sluicegate-compare-") as directory:
        bench = _Bench(options, Path(directory), environment)
        async with bench.provider():
            for entry in entries:
                try:
                    entry.version = await entry.peer.version()
                except PeerMissingError as error:
                    entry.note = str(error)
            await _measure_costs(entries, bench, tell)
            for number in range(1, options.rounds + 1):
                for entry in entries:
                    await _measure(entry, f"round {number} of {options.rounds}", bench, tell, is_memory=False)
            for entry in entries if options.streams else ():
                await _measure(entry, "memory of streams", bench, tell, is_memory=True)
    contenders = tuple(
        Contender(one.peer.name, one.version, one.requests, one.events, tuple(one.rounds), tuple(one.streams), one.note)
        for one in entries
    )
    return Comparison(machine(now), _method(options), options.is_tls, contenders)


async def _measure_costs(entries: Sequence[_Entry], bench: _Bench, tell: Callable[[str], None]) -> None:
    """Start all proxies that can be started, and load them in turn."""
    async with AsyncExitStack() as stack:
        up: list[tuple[_Entry, Subject]] = []
        for entry in entries:
            if entry.note:
                continue
            tell(f"starting {entry.peer.name}")
            try:
                subject, _ = await stack.enter_async_context(bench.started(entry.peer))
                await warm_up(subject)
            except (PeerMissingError, StartError, OSError) as error:
                entry.note = f"its start: {error}"
                tell(f"  {entry.note}")
            else:
                up.append((entry, subject))
        if up:
            tell(f"processor time, in {bench.options.turns} turns")
            costs = await bench.costs([subject for _, subject in up])
            for (entry, _), requests, events in zip(up, *costs, strict=True):
                entry.requests, entry.events = requests, events


async def _measure(entry: _Entry, what: str, bench: _Bench, tell: Callable[[str], None], *, is_memory: bool) -> None:
    """Do one part for one proxy, unless it is missing or has failed before."""
    if entry.note or entry.requests is None:
        return
    tell(f"{what}: {entry.peer.name}")
    try:
        if is_memory:
            entry.streams = await bench.streams(entry.peer)
        else:
            entry.rounds.append(await bench.round(entry.peer, entry.requests.per_second))
    except (PeerMissingError, StartError, OSError) as error:
        entry.note = f"{what}: {error}"
    if entry.note:
        tell(f"  {entry.note}")


def _method(options: Options) -> tuple[str, ...]:
    scheme = "with TLS, verified by the proxies" if options.is_tls else "without TLS"
    return (
        f"One mock provider on the same machine, {scheme}; one load generator; one proxy loaded at a time.",
        f"Processor time: all proxies are up, and each is loaded for {options.seconds:g} s, {options.turns} times in "
        "turn, first with requests, then with streams. It is user and system time of the proxy's whole process tree, "
        "from /proc/PID/task/*/schedstat, from the beginning of each of its turns until it is at rest again, divided "
        "by the work done; in brackets what of it is the busiest process's.",
        "All else: one proxy at a time, started anew in each round, rounds interleaved over all proxies; medians over "
        "rounds.",
        f"Requests: chat completions of {MOCK_TOKENS} tokens over {CONNECTIONS} kept connections, closed loop.",
        f"Events: {STREAMS} streams at once of {STREAM_RATE} events per second each; the requests that open them are "
        "counted with their events.",
        "Added latency: open loop at half the throughput this proxy reached in its turns, latency counted from when "
        "a request was due; percentile through the proxy minus the same percentile without it at the same rate.",
        f"Memory of streams: growth of RSS over the idle proxy for streams of {HELD_RATE:g} events per second that "
        "stay open, in a process started anew. Idle: after 1000 requests and 20 streams.",
        "Ready: from the start of the process to its first good answer, asked for every 5 ms.",
        "Sluicegate runs with all its features on, the bare proxies with none.",
        *options.notes,
    )


def parse(arguments: Sequence[str]) -> tuple[Options, Path]:
    """Read the command line: what to do, and where results go. Exits with status 2 if it cannot be read."""
    parser = argparse.ArgumentParser(prog="sluicegate.bench.compare", description="Compare proxies side by side.")
    parser.add_argument("--peers", default="sluicegate,envoy,nginx,aiohttp", help="names with commas between them")
    parser.add_argument("--tls", action="store_true", help="put the provider behind TLS")
    parser.add_argument("--quick", action="store_true", help="one short round, and only 100 streams")
    parser.add_argument("--rounds", "--repeat", type=int, help="rounds over all proxies; 3 when not given, 1 if quick")
    parser.add_argument("--turns", type=int, help="how often each proxy is loaded; 5 when not given, 1 if quick")
    parser.add_argument("--seconds", type=float, help="length of a turn; 3 when not given, 2 if quick")
    parser.add_argument("--streams", help=f"streams to hold open; {_STREAMS} when not given, empty for none")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"), help="directory of the results")
    parser.add_argument(
        "--environments",
        type=Path,
        default=Path("~/.cache/sluicegate-bench"),
        help="where environments of further proxies are kept",
    )
    parser.add_argument("--note", action="append", default=[], help="what else the page is to say of the method")
    given = parser.parse_args(arguments)
    try:
        peers = tuple(named(given.peers))
        asked = given.streams if given.streams is not None else ("100" if given.quick else _STREAMS)
        streams = tuple(int(count) for count in asked.split(",") if count)
    except ValueError as error:
        parser.error(str(error))
    if not peers or min((1, *streams)) < 1:
        parser.error("at least one proxy, and no number below 1")
    rounds = given.rounds or (1 if given.quick else 3)
    seconds = given.seconds or (_QUICK_SECONDS if given.quick else _SECONDS)
    environments = given.environments.expanduser()
    turns = given.turns or (_QUICK_TURNS if given.quick else _TURNS)
    options = Options(peers, given.tls, rounds, turns, seconds, streams, environments, tuple(given.note))
    return options, given.output


def write_results(comparison: Comparison, directory: Path) -> tuple[Path, Path]:
    """Write both files, named for the day; with TLS under a name of their own."""
    directory.mkdir(parents=True, exist_ok=True)
    name = comparison.machine.date[:10] + ("-tls" if comparison.is_tls else "")
    data, text = directory / f"{name}.json", directory / f"{name}.md"
    data.write_bytes(as_json(comparison))
    text.write_text(as_markdown(comparison), "utf-8")
    return data, text


def main(arguments: Sequence[str], environment: Mapping[str, str], now: datetime) -> int:
    """Compare, write the results and show them; the exit status is 1 if a proxy that was asked for has no numbers."""
    options, output = parse(arguments)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    bound = _OPEN_FILES if most == resource.RLIM_INFINITY else min(most, _OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (bound, most))

    def tell(line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        comparison = runner.run(compare(options, environment, now, tell))
    paths = write_results(comparison, output)
    sys.stdout.write(as_markdown(comparison))
    tell(f"written: {', '.join(map(str, paths))}")
    return 0 if len(comparison.summaries) == len(options.peers) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], process_environment(), datetime.now(UTC)))
