"""What a node pays for the tokens in its database: time to start, memory, and looking one up, with few and with many.

Run as a program: `python -m sluicegate.bench.tokens --tokens 1000 --tokens 1000000`. No provider is needed: a path that
does not exist is answered 404 to a known caller, 401 to a stranger, each only after the token was looked up.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from sluicegate.bench.findings import Findings, write
from sluicegate.bench.latency import percentile
from sluicegate.bench.measure import machine, memory
from sluicegate.bench.peers.base import Launch
from sluicegate.bench.program import Probe, free_port, running
from sluicegate.bench.request import Target
from sluicegate.config.environment import process_environment
from sluicegate.domain.tenants import Token
from sluicegate.domain.tokens import digest
from sluicegate.store.database import Database
from sluicegate.store.upgrade import upgrade

_BATCH = 20_000
_LOOKUPS = 500
"""Tokens looked up, each for the first time and then once more."""


_METHOD = (
    "A node of one worker on SQLite, started anew for each number of tokens; memory is that of its whole process tree,"
    " pages that processes share once (PSS): `idle` when it is ready, `used` after all lookups.",
    f"Of {_LOOKUPS} tokens spread over all: `first` is each one's first request, `again` its second; `unknown` are"
    " credentials of nobody. One connection, one request at a time, answered by the gateway itself.",
    "Made with `python -m sluicegate.bench.tokens --output benchmarks/results`.",
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one node: times in milliseconds, memory of all its processes in MB (shared pages once).

    `first` is a token this worker has not seen, `again` one it knows, `unknown` a credential of nobody.
    """

    tokens: int
    ready_seconds: float
    idle_mb: float
    first_p50_ms: float
    first_p99_ms: float
    again_p50_ms: float
    again_p99_ms: float
    unknown_p50_ms: float
    used_mb: float


async def measure(count: int, directory: Path, environment: Mapping[str, str]) -> Cost:
    """Fill a database in `directory`, run a node on it, and ask. Raises StartError, RuntimeError on a wrong answer."""
    await fill(directory / "data", count)
    port = free_port()
    configuration = {"server": {"host": "127.0.0.1", "port": port, "workers": 1}, "data_dir": str(directory / "data")}
    configuration["providers"] = {"none": {"dialect": "openai", "base_url": "http://127.0.0.1:1/v1", "api_key": "x"}}
    file = directory / "sluicegate.yaml"
    launch = Launch(
        (sys.executable, "-m", "sluicegate", "serve", "--config", str(file)), {file.name: json.dumps(configuration)}
    )
    probe = Probe(Target("127.0.0.1", port), b"GET /readyz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")
    async with running(launch, directory, probe, environment=environment) as program:
        idle = memory(program.process).pss
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        step = max(1, count // _LOOKUPS)
        known = [secret_of(number) for number in range(0, count, step)][:_LOOKUPS]
        first = [await _asked(reader, writer, secret, 404) for secret in known]
        again = [await _asked(reader, writer, secret, 404) for secret in known]
        unknown = [await _asked(reader, writer, f"guess-{number}", 401) for number in range(100)]
        writer.close()
        used = memory(program.process).pss
    first, again, unknown = sorted(first), sorted(again), sorted(unknown)
    return Cost(
        tokens=count,
        ready_seconds=round(program.ready, 2),
        idle_mb=round(idle / 1024, 1),
        first_p50_ms=round(percentile(first, 50), 3),
        first_p99_ms=round(percentile(first, 99), 3),
        again_p50_ms=round(percentile(again, 50), 3),
        again_p99_ms=round(percentile(again, 99), 3),
        unknown_p50_ms=round(percentile(unknown, 50), 3),
        used_mb=round(used / 1024, 1),
    )


async def fill(directory: Path, count: int) -> None:
    """Put so many tokens into a new SQLite database."""
    await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    await upgrade("sqlite", directory)
    database = await Database.open("sqlite", directory)
    try:
        for start in range(0, count, _BATCH):
            async with database.writing() as session:
                await session.tokens.add_all([_token(number) for number in range(start, min(start + _BATCH, count))])
    finally:
        await database.close()


def secret_of(number: int) -> str:
    """The token of this number: made up, but the same each time."""
    return f"bench-{sha256(str(number).encode()).hexdigest()}"


def _token(number: int) -> Token:
    return Token(
        id=f"tok_{number:024d}",
        digest=digest(secret_of(number).encode()),
        prefix="bench-",
        last_four=secret_of(number)[-4:],
        organization_id="org_default",
        project_id="prj_default",
        name=f"token {number}",
        created_at=1_700_000_000_000,
        updated_at=1_700_000_000_000,
    )


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secret: str, expected: int) -> float:
    """Milliseconds until a request with this token is answered as expected."""
    began = time.perf_counter()
    writer.write(f"GET /no/such/path HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {secret}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    took = (time.perf_counter() - began) * 1000
    if int(head[9:12]) != expected:
        raise RuntimeError(f"answered {head[9:12].decode()} instead of {expected}: {body[:300].decode()}")
    return took


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Measure and print one JSON line for each number of tokens."""
    parser = argparse.ArgumentParser("sluicegate.bench.tokens", description=__doc__)
    parser.add_argument("--tokens", type=int, action="append")
    parser.add_argument("--output", type=Path, help="directory for a page and a JSON file of the results")
    given = parser.parse_args(arguments)
    costs = []
    for count in given.tokens or [1_000, 1_000_000]:
        with tempfile.TemporaryDirectory() as directory:
            costs.append(asyncio.run(measure(count, Path(directory), environment)))
        sys.stdout.write(json.dumps(asdict(costs[-1])) + "\n")
        sys.stdout.flush()
    if given.output is not None:
        rows = tuple(asdict(cost) for cost in costs)
        write(Findings("What tokens cost a node", machine(datetime.now(UTC)), _METHOD, rows), given.output, "tokens")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], process_environment()))
