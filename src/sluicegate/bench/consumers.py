"""How many events a second a control process keeps up with: `python -m sluicegate.bench.consumers`.

A node at rest is given a journal full of events at once, as if a worker had written it, and is watched until every one
of its consumers has read all of it: the request log, the ledger, the uses of tokens, the metrics.
"""

import argparse
import asyncio
import fcntl
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import uvloop
from msgspec import Struct

from sluicegate.bench.findings import Findings, as_markdown, write
from sluicegate.bench.measure import machine, processor_seconds, used_between
from sluicegate.bench.peers.base import Launch
from sluicegate.bench.program import Probe, StartError, free_port, running
from sluicegate.bench.request import Target
from sluicegate.config.environment import process_environment
from sluicegate.domain.events import Charge, Exchange, Metadata
from sluicegate.domain.segments import segment_name
from sluicegate.domain.usage import Usage

GOAL = 20_000
"""Events a second of the control process's processor time."""

_EVENTS = 400_000
_SEGMENT = 100_000
"""Events of one file: some 64 MiB, as workers write them."""
_RATE = 20_000
"""Events a second by their own times: so many have the same millisecond."""
_PAUSE = 0.1
_PATIENCE = 600.0
_MANAGER = "benchmark-0123456789abcdef"
_INCARNATION = "000-0193a5b0c0de1f2e3d4c"
_TOKENS, _USERS, _PROJECTS, _ORGANIZATIONS = 1_000, 500, 50, 10
_MODELS = ("gpt-4.1", "gpt-4.1-mini", "claude-sonnet-4-5")


class _Standing(Struct, frozen=True):
    """What matters here of what `GET /admin/consumers` tells of one consumer."""

    name: str
    backlog_bytes: int
    events_total: int
    errors_total: int
    damages_total: int


class _Standings(Struct, frozen=True):
    data: tuple[_Standing, ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """Of one consumer, how long it took; of all together (`name` is `all`), also what it cost the control process."""

    name: str
    events: int
    seconds: float
    events_per_second: int
    microseconds_per_event: float | None = None
    events_per_processor_second: int | None = None


class FailedError(Exception):
    """The journal was not read as it should be; the message tells what of it."""


def exchanges(count: int, began: datetime) -> Iterator[Exchange]:
    """As those of a busy node whose callers have three limits each."""
    for number in range(count):
        token, user = f"tok_{number % _TOKENS:028x}", f"usr_{number % _USERS:028x}"
        owner = f"org_{number % _ORGANIZATIONS:028x}"
        moment = began + timedelta(seconds=number // 20 * 20 / _RATE)
        at = moment.isoformat(timespec="milliseconds")
        usage = Usage(input_tokens=1_000 + number % 777, output_tokens=200 + number % 99, cache_read_tokens=512)
        yield Exchange(
            request_id=f"req_{int(moment.timestamp() * 1000):012x}{7:08x}{number:08x}",
            timestamp=at.replace("+00:00", "Z"),
            token=token,
            project_id=f"prj_{number % _PROJECTS:028x}",
            organization_id=owner,
            endpoint="/v1/chat/completions",
            method="POST",
            status_code=429 if number % 50 == 3 else 200,
            duration_ms=812.4 + number % 100,
            metadata=Metadata("gpt-4.1", usage.input_tokens, usage.output_tokens, usage.total_tokens, 1_763_701_620),
            user_id=user,
            route="/v1",
            dialect="openai",
            operation="chat",
            provider="openai",
            requested_model="smart",
            model=_MODELS[number % len(_MODELS)],
            attempts=1,
            is_stream=number % 2 == 0,
            first_byte_ms=210.2,
            overhead_us=31,
            request_bytes=1_234,
            response_bytes=5_678,
            usage=usage,
            usage_source="reported",
            upstream_status=200,
            response_id=f"chatcmpl-{number:028x}",
            finish_reason="stop",
            client_address="10.1.2.3",
            cost=1_234_567 + number,
            price_version="2026-11-01",
            charges=(
                Charge(f"{token}|requests|1h", 1, 1),
                Charge(f"{user}|tokens|1d", usage.total_tokens, usage.total_tokens),
                Charge(f"{owner}|usd|month", 1_234_567, 1_234_567),
            ),
        )


def write_segments(directory: Path, count: int, began: datetime) -> list[Path]:
    """Write so many events as a worker does, in the names of its segments."""
    directory.mkdir(parents=True)
    encode = msgspec.json.Encoder().encode
    paths: list[Path] = []
    lines: list[bytes] = []
    for number, event in enumerate(exchanges(count, began), 1):
        lines.append(encode(event) + b"\n")
        if number == count or number % _SEGMENT == 0:
            paths.append(directory / segment_name(_INCARNATION, len(paths) + 1))
            paths[-1].write_bytes(b"".join(lines))
            lines.clear()
    return paths


def launch_of(directory: Path, port: int) -> Launch:
    """A node of one worker, everything on that is on by default."""
    configuration = {
        # All of them, also those that are off unless they are asked for.
        "request_log": {"enabled": True},
        "server": {"host": "127.0.0.1", "port": port, "workers": 1},
        "data_dir": str(directory / "data"),
        "management_token": _MANAGER,
        "providers": {"mock": {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "sk-benchmark"}},
        "events": {"retention_bytes": 2**40},
    }
    # JSON is YAML, and needs no library to be written.
    files = {"sluicegate.yaml": json.dumps(configuration, indent=1)}
    command = (sys.executable, "-m", "sluicegate", "serve", "--config", str(directory / "sluicegate.yaml"))
    return Launch(command, files, ready_path="/readyz")


async def measure(count: int, directory: Path, environment: Mapping[str, str], now: datetime) -> list[Pace]:
    """Start a node, give it the journal, and see it read. Raises StartError, FailedError."""
    segments = await asyncio.to_thread(write_segments, directory / "journal", count, now)
    node, target = directory / "node", Target("127.0.0.1", free_port())
    ready = f"GET /readyz HTTP/1.1\r\nhost: {target.authority}\r\n\r\n".encode()
    with ExitStack() as held:
        async with running(
            launch_of(node, target.port), node, Probe(target, ready), environment=environment
        ) as program:
            await _standings(target)
            before, began = processor_seconds(program.process), time.perf_counter()
            for segment in segments:
                # As by a writer that lives: one that dies has its limits' holders closed, which is not measured here.
                file = held.enter_context(segment.open("rb"))
                fcntl.flock(file, fcntl.LOCK_EX)
                segment.rename(node / "data" / "events" / segment.name)
            paces = await _paces(count, target, began)
            used = max(used_between(before, processor_seconds(program.process)).values())
    slowest = max(paces, key=lambda each: each.seconds)
    together = Pace(
        "all", count, slowest.seconds, slowest.events_per_second, round(used / count * 1e6, 1), round(count / used)
    )
    return [*paces, together]


async def _paces(count: int, target: Target, began: float) -> list[Pace]:
    """How long each consumer takes."""
    paces: dict[str, Pace] = {}
    while True:
        standings = await _standings(target)
        took = time.perf_counter() - began
        for standing in standings:
            if standing.errors_total or standing.damages_total:
                raise FailedError(f"{standing.name} fails")
            if standing.name not in paces and not standing.backlog_bytes and standing.events_total >= count:
                paces[standing.name] = Pace(standing.name, count, round(took, 2), round(count / took))
        if len(paces) == len(standings):
            return sorted(paces.values(), key=lambda each: each.name)
        if took > _PATIENCE:
            raise FailedError(f"not read in {_PATIENCE:g} s, but for {sorted(paces)}")
        await asyncio.sleep(_PAUSE)


async def _standings(target: Target) -> tuple[_Standing, ...]:
    """How the node's consumers stand."""
    reader, writer = await asyncio.open_connection(target.host, target.port)
    try:
        head = f"GET /admin/consumers HTTP/1.1\r\nhost: {target.authority}\r\nauthorization: Bearer {_MANAGER}\r\n"
        writer.write(f"{head}connection: close\r\n\r\n".encode())
        answer = await reader.read()
    finally:
        writer.transport.abort()
    try:
        return msgspec.json.decode(answer.partition(b"\r\n\r\n")[2], type=_Standings).data
    except msgspec.MsgspecError as error:
        raise FailedError(f"the node does not tell how its consumers stand: {error}") from error


def main(arguments: Sequence[str], environment: Mapping[str, str], now: datetime) -> int:
    """Measure, print a table, and write it where asked to; 1 where control does not keep up with GOAL."""
    parser = argparse.ArgumentParser("sluicegate.bench.consumers", description=__doc__)
    parser.add_argument("--events", type=int, default=_EVENTS, help="how many")
    parser.add_argument("--output", type=Path, help="directory for a page and a JSON file of the results")
    given = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="sluicegate-consumers-") as directory:
            paces = uvloop.run(measure(given.events, Path(directory), environment, now))
    except (StartError, FailedError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    rows = tuple({name: "" if value is None else value for name, value in asdict(pace).items()} for pace in paces)
    findings = Findings("How many events a control process keeps up with", machine(now), _METHOD, rows)
    sys.stdout.write(as_markdown(findings))
    if given.output is not None:
        write(findings, given.output, "consumers")
    reached = paces[-1].events_per_processor_second
    return 0 if reached is not None and reached >= GOAL else 1


_METHOD = (
    "A whole node of one worker on SQLite, at rest, is given a journal full of events at once, as one worker would have"
    " written it: each of a known caller, with three charges of limits, usage, cost. It is asked ten times a second how"
    " its consumers stand.",
    "`seconds` is until a consumer has read everything; they share one process. `microseconds_per_event` is processor"
    " time of the control process, all its threads, by the kernel's account; `events_per_processor_second` what one"
    f" core is enough for. The goal is {GOAL}.",
    "Made with `python -m sluicegate.bench.consumers --output benchmarks/results`.",
)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], process_environment(), datetime.now(UTC)))
