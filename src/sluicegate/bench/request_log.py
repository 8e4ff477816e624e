"""How long looking into a long request log takes: `python -m sluicegate.bench.request_log --database URL`.

The log is filled first, in bulk, which takes some minutes with ten million requests; one that is full already is taken
as it is. The requests are spread over thirty days; half are one organisation's.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from sluicegate.bench.findings import Findings, write
from sluicegate.bench.logged_requests import BEGINNING, BIG, DAYS, TOKENS, USERS, fill, owner, request_id
from sluicegate.bench.measure import machine
from sluicegate.bench.store import Read, measure
from sluicegate.domain.usage_rows import DAY, HOUR
from sluicegate.store.database import Database, Session
from sluicegate.store.upgrade import upgrade
from sluicegate.store.usage.request_search import RequestFilter
from sluicegate.store.usage.rollups import By, Wanted

SEARCH_MILLISECONDS: Final = 200.0
"""What a page of a search may take."""
OVERVIEW_MILLISECONDS: Final = 100.0
"""What a sum of the last days may take."""

_PAGE: Final = 51


class Asked(NamedTuple):
    """One read, and how many milliseconds it may take."""

    name: str
    budget: float
    read: Read


class Size(NamedTuple):
    """How many requests there are, and how many processes make them."""

    requests: int
    processes: int = 2


class Timed(NamedTuple):
    """What a read took: the fastest, the median and the 99th percentile of some runs, in milliseconds.

    `processor` is the least that this process worked for it, without a server.
    """

    name: str
    budget: float
    fastest: float
    median: float
    p99: float
    processor: float


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
        page("of a large organisation", organization_id=BIG),
        page("of a large organisation, from the middle", middle, organization_id=BIG),
        page("of a small organisation", organization_id=owner(1)),
        page("of a project", project_id=project),
        page("of a user, from the middle", middle, user_id=user),
        page("of a token", token_id=token),
        page("of a token without any", token_id=f"tok_{TOKENS:028x}"),
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
        page("of a large organisation, failed", organization_id=BIG, status_class=5),
        page("of a large organisation, of a rare model", organization_id=BIG, model="model-rare"),
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
        sums("30 days by hour", Wanted("hour", "all", *ever), "start"),
        sums("30 days of an organisation by hour", Wanted("hour", "organization", *ever, scope_id=BIG), "start"),
        sums("30 days of a project by hour", Wanted("hour", "project", *ever, scope_id=f"prj_{77:028x}"), "start"),
        sums("a day by organisation, from hours", Wanted("hour", "organization", *lately), "scope_id"),
        sums("30 days of an organisation by day", Wanted("day", "organization", *ever, scope_id=BIG), "start"),
        sums("30 days of an organisation by model", Wanted("day", "organization", *ever, scope_id=BIG), "model"),
        sums("30 days of a user by day", Wanted("day", "user", *ever, scope_id=f"usr_{77:028x}"), "start"),
        sums("30 days of a token by model", Wanted("day", "token", *ever, scope_id=f"tok_{77:028x}"), "model"),
        sums("a day by token", Wanted("day", "token", *lately), "scope_id"),
    ]


async def run(url: str, directory: Path, size: Size, runs: int, tell: Callable[[str], None]) -> list[Timed]:
    """Fill the log and measure all reads."""
    await upgrade(url, directory)
    database = await Database.open(url, directory)
    try:
        await fill(database, size.requests, size.processes, tell)
        return [await _timed(database, asked, runs) for asked in reads(size.requests)]
    finally:
        await database.close()


async def _timed(database: Database, asked: Asked, runs: int) -> Timed:
    worked: list[float] = []

    async def read(session: Session) -> None:
        began = time.process_time()
        await asked.read(session)
        worked.append((time.process_time() - began) * 1000)

    return Timed(asked.name, asked.budget, *await measure(database, read, runs), min(worked))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return 1 if a read takes longer than it may."""
    parser = argparse.ArgumentParser(prog="python -m sluicegate.bench.request_log", description=__doc__)
    parser.add_argument("--database", default="sqlite", help="sqlite, sqlite:///path or postgresql://…")
    parser.add_argument("--directory", type=Path, default=Path("build/request-log"), help="where SQLite's file is")
    parser.add_argument("--requests", type=int, default=10_000_000)
    parser.add_argument("--processes", type=int, default=2, help="that make requests while others are written")
    parser.add_argument("--runs", type=int, default=7, help="of each read; their median counts")
    parser.add_argument("--json", action="store_true", help="results as JSON")
    parser.add_argument("--output", type=Path, help="directory for a page and a JSON file of the results")
    parser.add_argument("--note", action="append", default=[], help="what else the page is to say of the method")
    given = parser.parse_args(arguments)
    size = Size(given.requests, given.processes)
    work = run(given.database, given.directory, size, given.runs, lambda line: _say(sys.stderr, line))
    load = os.getloadavg()[0]
    results = asyncio.run(work)
    if given.json:
        _say(sys.stdout, json.dumps([result._asdict() for result in results], indent=2))
    else:
        for result in results:
            _say(sys.stdout, f"{result.median:9.2f} {result.p99:9.2f} ms  {result.name}")
    if given.output is not None:
        kind = "sqlite" if given.database.startswith("sqlite") else "postgresql"
        method = (*_method(size, given.runs), f"Load of the machine before: {load:.1f}.", *given.note)
        write(_findings(kind, method, results), given.output, f"request-log-{kind}")
    slow = [result for result in results if result.median > result.budget]
    for result in slow:
        _say(sys.stderr, f"over {result.budget:.0f} ms: {result.name}")
    return 1 if slow else 0


def _findings(kind: str, method: tuple[str, ...], results: Sequence[Timed]) -> Findings:
    rows = tuple(
        {
            "read": one.name,
            "fastest, ms": round(one.fastest, 2),
            "median, ms": round(one.median, 2),
            "p99, ms": round(one.p99, 2),
            "processor, ms": round(one.processor, 2),
            "at most, ms": one.budget,
        }
        for one in results
    )
    return Findings(f"A long request log, {kind}", machine(datetime.now(UTC)), method, rows)


def _method(size: Size, runs: int) -> tuple[str, ...]:
    return (
        f"{size.requests:,} requests of {DAYS} days, {TOKENS:,} tokens, {USERS:,} users; half are one organisation's.",
        f"Each read is a transaction of its own, {runs} times; the database is on the same machine.",
        "Processor time is the least that the process which reads took, without a server: other work on the machine "
        "changes it little.",
        "Filled by the same program: blocks as the gateway makes them, a day at a time by "
        f"{size.processes} processes; sums of all days, and of all hours but those of tokens and users.",
        "Made with `python -m sluicegate.bench.request_log --output DIRECTORY`, and `--database URL` for PostgreSQL; a "
        "median over what is allowed fails it.",
    )


def _say(stream: Any, line: str) -> None:
    stream.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
