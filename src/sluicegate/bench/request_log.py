"""How long looking into a long request log takes: `python -m sluicegate.bench.request_log --database URL`.

The log is filled first, the way the gateway fills it, which takes half an hour with ten million requests; one that is
full already is taken as it is. The requests are spread over thirty days; half are one organisation's.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from sluicegate.bench.findings import Findings, write
from sluicegate.bench.measure import machine
from sluicegate.bench.store import Read, measure
from sluicegate.domain.request_blocks import blocks_of
from sluicegate.domain.usage_rows import DAY, HOUR, Logged, LoggedUsage
from sluicegate.domain.usage_sums import alike, packed
from sluicegate.store.database import Database
from sluicegate.store.request_search import RequestFilter
from sluicegate.store.rollups import By, Wanted
from sluicegate.store.upgrade import upgrade

SEARCH_MILLISECONDS: Final = 200.0
"""What a page of a search may take."""
OVERVIEW_MILLISECONDS: Final = 100.0
"""What a sum of the last days may take."""

BEGINNING: Final = 1_795_219_200_000
"""Of the oldest request, Unix milliseconds: the beginning of a day."""
DAYS: Final = 30

_BATCH: Final = 10_000
_FOLDED: Final = 33
"""Batches whose sums are added at once."""
_PAGE: Final = 51
_SMALL: Final = 50
"""Organisations that share what the large one does not have."""
_PROJECTS: Final = 200
_USERS: Final = 5_000
_TOKENS: Final = 10_000
_MODELS: Final = 20
_STEP: Final = 7_919
"""Prime, and no factor of anything else here: neighbours in time are of different owners."""
_STATUSES: Final = (
    (404, "model_not_found"),
    (429, "rate_limit_exceeded"),
    (429, "budget_exceeded"),
    (502, "upstream_error"),
)
_BIG: Final = f"org_{0:028x}"


class Asked(NamedTuple):
    """One read, and how many milliseconds it may take."""

    name: str
    budget: float
    read: Read


class Timed(NamedTuple):
    """What a read took: the fastest, the median and the 99th percentile of some runs, in milliseconds."""

    name: str
    budget: float
    fastest: float
    median: float
    p99: float


def request_id(number: int, count: int) -> str:
    """Of the request of this number among so many, as the gateway makes them."""
    return f"req_{_at(number, count):012x}{7:08x}{number & 0xFFFFFFFF:08x}"


def events(count: int) -> Iterator[Logged]:
    """All requests, oldest first."""
    for number in range(count):
        token = number * _STEP % _TOKENS
        at = _at(number, count)
        status, error = _STATUSES[number // 20 % 4] if number % 20 == 11 else (200, None)
        provider, model = _model(number, count)
        yield Logged(
            request_id=request_id(number, count),
            timestamp=datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")[:23] + "Z",
            token=f"tok_{token:028x}",
            project_id=f"prj_{token % _PROJECTS:028x}",
            organization_id=_owner(token),
            endpoint="/v1/chat/completions",
            method="POST",
            status_code=status,
            duration_ms=800.0 + number % 977,
            user_id=f"usr_{token % _USERS:028x}",
            dialect="openai",
            operation="chat",
            provider=provider,
            requested_model=model,
            model=model,
            attempts=1,
            first_byte_ms=200.0 + number % 97,
            overhead_us=31,
            request_bytes=1234,
            response_bytes=5678,
            usage=LoggedUsage(input_tokens=100 + number % 900, output_tokens=number % 500),
            usage_source="reported",
            error=error,
            response_id=f"chatcmpl-{number}",
            tags=_tags(number, count),
            cost=1_000_000 + number % 1000,
        )


async def fill(database: Database, count: int, tell: Callable[[str], None]) -> None:
    """Add all requests and what they add up to, unless there are some."""
    async with database.reading() as session:
        if await session.request_log.search(RequestFilter(), limit=1):
            tell("is full already")
            return
    began = time.perf_counter()
    written, source = 0, events(count)
    while batch := [event for _, event in zip(range(_BATCH), source, strict=False)]:
        async with database.writing() as session:
            await session.request_log.add(blocks_of(batch))
            await session.rollups.put_by(packed(alike(batch)))
            if written % (_FOLDED * _BATCH) == 0:
                await session.rollups.fold()
        written += len(batch)
        if written % (50 * _BATCH) == 0 or written == count:
            tell(f"{written:,} requests, {written / (time.perf_counter() - began):,.0f} a second")
    async with database.writing() as session:
        await session.rollups.fold()


def reads(count: int) -> list[Asked]:
    """What is timed: pages of searches for what is in many rows, in few and in none, and sums."""
    return [*_searches(count), *_overviews()]


def _searches(count: int) -> list[Asked]:
    middle = request_id(count // 2, count)
    token, user, project = f"tok_{77:028x}", f"usr_{77:028x}", f"prj_{77:028x}"
    noon = BEGINNING + DAYS // 2 * DAY + 12 * HOUR

    def page(name: str, before: str | None = None, **wanted: Any) -> Asked:
        filters = RequestFilter(**wanted)
        return Asked(
            f"search, {name}",
            SEARCH_MILLISECONDS,
            lambda session: session.request_log.search(filters, limit=_PAGE, before=before),
        )

    return [
        page("newest"),
        page("from the middle", middle),
        page("of a large organisation", organization_id=_BIG),
        page("of a large organisation, from the middle", middle, organization_id=_BIG),
        page("of a small organisation", organization_id=_owner(1)),
        page("of a project", project_id=project),
        page("of a user, from the middle", middle, user_id=user),
        page("of a token", token_id=token),
        page("of a token without any", token_id=f"tok_{_TOKENS:028x}"),
        page("of a provider", provider="openai"),
        page("of a model, from the middle", middle, model="model-3"),
        page("of a rare model", model="model-rare"),
        page("of a model without any", model="model-none"),
        page("failed, 5xx", status_class=5),
        page("failed, 404, from the middle", middle, status_code=404),
        page("failed, a status without any", status_code=418),
        page("with an error", error="budget_exceeded"),
        page("with a tag", tag="batch"),
        page("with a rare tag", tag="rare"),
        page("of a large organisation, failed", organization_id=_BIG, status_class=5),
        page("of a large organisation, of a rare model", organization_id=_BIG, model="model-rare"),
        page("of a token, failed, 404", token_id=token, status_code=404),
        page("of a project, of a model", project_id=project, model="model-3"),
        page("of a model, with a tag", model="model-3", tag="batch"),
        page("of an hour", since=noon, until=noon + HOUR),
        page("of an hour, failed", since=noon, until=noon + HOUR, status_class=4),
        page("of a user, of a day", user_id=user, since=noon, until=noon + DAY),
        page("by how the id begins", request_id=middle[:14]),
        page("by how all ids begin", request_id="req_"),
        Asked("get", SEARCH_MILLISECONDS, lambda session: session.request_log.get(middle)),
    ]


def _overviews() -> list[Asked]:
    end = BEGINNING + DAYS * DAY
    ever, lately = (BEGINNING, end), (end - DAY, end)

    def sums(name: str, wanted: Wanted, by: By | None) -> Asked:
        async def read(session: Any) -> None:
            await session.rollups.total(wanted)
            if by is not None:
                await session.rollups.by(wanted, by, limit=1000)

        return Asked(f"overview, {name}", OVERVIEW_MILLISECONDS, read)

    return [
        sums("30 days", Wanted("day", "all", *ever), None),
        sums("30 days by day", Wanted("day", "all", *ever), "start"),
        sums("30 days by model", Wanted("day", "all", *ever), "model"),
        sums("30 days by provider", Wanted("day", "all", *ever), "provider"),
        sums("30 days by organisation", Wanted("day", "organization", *ever), "scope_id"),
        sums("30 days by tag", Wanted("day", "tag", *ever), "scope_id"),
        sums("a day by hour", Wanted("hour", "all", *lately), "start"),
        sums("30 days of an organisation by day", Wanted("day", "organization", *ever, scope_id=_BIG), "start"),
        sums("30 days of an organisation by model", Wanted("day", "organization", *ever, scope_id=_BIG), "model"),
        sums("30 days of a user by day", Wanted("day", "user", *ever, scope_id=f"usr_{77:028x}"), "start"),
        sums("30 days of a token by model", Wanted("day", "token", *ever, scope_id=f"tok_{77:028x}"), "model"),
        sums("a day by token", Wanted("day", "token", *lately), "scope_id"),
    ]


async def run(url: str, directory: Path, count: int, runs: int, tell: Callable[[str], None]) -> list[Timed]:
    """Fill the log and measure all reads."""
    await upgrade(url, directory)
    database = await Database.open(url, directory)
    try:
        await fill(database, count, tell)
        return [Timed(asked.name, asked.budget, *await measure(database, asked.read, runs)) for asked in reads(count)]
    finally:
        await database.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return 1 if a read takes longer than it may."""
    parser = argparse.ArgumentParser(prog="python -m sluicegate.bench.request_log", description=__doc__)
    parser.add_argument("--database", default="sqlite", help="sqlite, sqlite:///path or postgresql://…")
    parser.add_argument("--directory", type=Path, default=Path("build/request-log"), help="where SQLite's file is")
    parser.add_argument("--requests", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=7, help="of each read; their median counts")
    parser.add_argument("--json", action="store_true", help="results as JSON")
    parser.add_argument("--output", type=Path, help="directory for a page and a JSON file of the results")
    given = parser.parse_args(arguments)
    work = run(given.database, given.directory, given.requests, given.runs, lambda line: _say(sys.stderr, line))
    results = asyncio.run(work)
    if given.json:
        _say(sys.stdout, json.dumps([result._asdict() for result in results], indent=2))
    else:
        for result in results:
            _say(sys.stdout, f"{result.median:9.2f} {result.p99:9.2f} ms  {result.name}")
    if given.output is not None:
        kind = "sqlite" if given.database.startswith("sqlite") else "postgresql"
        write(_findings(kind, given.requests, given.runs, results), given.output, f"request-log-{kind}")
    slow = [result for result in results if result.median > result.budget]
    for result in slow:
        _say(sys.stderr, f"over {result.budget:.0f} ms: {result.name}")
    return 1 if slow else 0


def _findings(kind: str, count: int, runs: int, results: Sequence[Timed]) -> Findings:
    rows = tuple(
        {
            "read": one.name,
            "fastest, ms": round(one.fastest, 2),
            "median, ms": round(one.median, 2),
            "p99, ms": round(one.p99, 2),
            "at most, ms": one.budget,
        }
        for one in results
    )
    method = (
        f"{count:,} requests of {DAYS} days, {_TOKENS:,} tokens, {_USERS:,} users; half are one organisation's.",
        f"Each read is a transaction of its own, {runs} times; the database is on the same machine.",
        "Made with `python -m sluicegate.bench.request_log`; a median over what is allowed fails it.",
    )
    return Findings(f"A long request log, {kind}", machine(datetime.now(UTC)), method, rows)


def _say(stream: Any, line: str) -> None:
    stream.write(f"{line}\n")


def _at(number: int, count: int) -> int:
    return BEGINNING + number * DAYS * DAY // count


def _owner(token: int) -> str:
    """Half of all are the large organisation's."""
    return _BIG if token % 2 == 0 else f"org_{1 + token // 2 % _SMALL:028x}"


def _model(number: int, count: int) -> tuple[str, str]:
    """Its provider and model: ten of all are rare."""
    if number % (count // 10 + 1) == count // 20:
        return "ollama", "model-rare"
    # Each token has two.
    model = (number * _STEP % _TOKENS + number // _TOKENS % 2) % _MODELS
    return ("anthropic" if model % 3 == 0 else "openai"), f"model-{model}"


def _tags(number: int, count: int) -> tuple[str, ...]:
    if number % (count // 10 + 1) == count // 30:
        return ("rare",)
    return ("batch",) if number % 10 == 3 else ()


if __name__ == "__main__":
    sys.exit(main())
