"""The requests of a long request log, and how it is filled with them: a day at a time, made by some processes."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Final, NamedTuple

from sluicegate.domain.request_blocks import Block, blocks_of
from sluicegate.domain.usage_rows import DAY, Logged, LoggedUsage, RollupKey, Sums
from sluicegate.domain.usage_sums import Kind, alike, by_subject
from sluicegate.store.database import Database
from sluicegate.store.usage.request_search import RequestFilter

BEGINNING: Final = 1_795_219_200_000
"""Of the oldest request, Unix milliseconds: the beginning of a day."""
DAYS: Final = 30
BIG: Final = f"org_{0:028x}"
"""The large organisation."""
PROJECTS: Final = 200
USERS: Final = 5_000
TOKENS: Final = 10_000

_SMALL: Final = 50
"""Organisations that share what the large one does not have."""
_MODELS: Final = 20
_STEP: Final = 7_919
"""Prime, and no factor of anything else here: neighbours in time are of different owners."""
_STATUSES: Final = (
    (404, "model_not_found"),
    (429, "rate_limit_exceeded"),
    (429, "budget_exceeded"),
    (502, "upstream_error"),
)
_BLOCKS_AT_ONCE: Final = 8
"""Of a transaction: some 20 MB."""
_AHEAD: Final = 1
"""Days that are ready before they are written: some 200 MB each."""


class Day(NamedTuple):
    """What is written of a day."""

    blocks: list[Block]
    sums: dict[RollupKey, Sums]


def request_id(number: int, count: int) -> str:
    """Of the request of this number among so many, as the gateway makes them."""
    return f"req_{_at(number, count):012x}{7:08x}{number & 0xFFFFFFFF:08x}"


def owner(token: int) -> str:
    """Whose token of this number is: half of all are the large organisation's."""
    return BIG if token % 2 == 0 else f"org_{1 + token // 2 % _SMALL:028x}"


def events(count: int, day: int) -> Iterator[Logged]:
    """The requests of a day, oldest first, where there are so many in all days."""
    # Rounded up: the first number whose time is not before the day.
    for number in range(-(-day * count // DAYS), -(-(day + 1) * count // DAYS)):
        token = number * _STEP % TOKENS
        at = _at(number, count)
        status, error = _STATUSES[number // 20 % 4] if number % 20 == 11 else (200, None)
        provider, model = _model(number, count)
        yield Logged(
            request_id=request_id(number, count),
            timestamp=datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")[:23] + "Z",
            token=f"tok_{token:028x}",
            project_id=f"prj_{token % PROJECTS:028x}",
            organization_id=owner(token),
            endpoint="/v1/chat/completions",
            method="POST",
            status_code=status,
            duration_ms=800.0 + number % 977,
            user_id=f"usr_{token % USERS:028x}",
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


def day_of(count: int, day: int) -> Day:
    """What is written of this day.

    Sums by hour are those of everybody, organisations, projects and tags; those of tokens and users would be twenty
    million.
    """
    requests = list(events(count, day))
    kinds = alike(requests)
    by_day = by_subject(_together(kinds, lambda kind: kind._replace(hour=f"{kind.hour[:11]}00")))
    by_hour = by_subject(_together(kinds, lambda kind: kind._replace(token="", user_id=None)))
    sums = {key: value for key, value in by_day.items() if key.grain == "day"}
    sums |= {key: value for key, value in by_hour.items() if key.grain == "hour"}
    return Day(blocks_of(requests), sums)


async def fill(database: Database, count: int, processes: int, tell: Callable[[str], None]) -> None:
    """Add all requests and what they add up to, unless there are some."""
    async with database.reading() as session:
        if await session.request_log.search(RequestFilter(), limit=1):
            tell("is full already")
            return
    began, written = time.perf_counter(), 0
    async for day in _days(count, processes):
        await _write(database, day)
        written += sum(block.rows for block in day.blocks)
        tell(f"{written:,} requests, {written / (time.perf_counter() - began):,.0f} a second")


async def _days(count: int, processes: int) -> AsyncIterator[Day]:
    """All days, the oldest first, made by so many processes while they are written."""
    loop = asyncio.get_running_loop()
    # Not forked: this process has threads.
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        made: deque[asyncio.Future[Day]] = deque()
        for day in range(DAYS):
            made.append(loop.run_in_executor(pool, day_of, count, day))
            if len(made) > processes + _AHEAD:
                yield await made.popleft()
        while made:
            yield await made.popleft()


async def _write(database: Database, day: Day) -> None:
    for start in range(0, len(day.blocks), _BLOCKS_AT_ONCE):
        async with database.writing() as session:
            await session.request_log.add(day.blocks[start : start + _BLOCKS_AT_ONCE])
    async with database.writing() as session:
        await session.rollups.add(day.sums)


def _together(kinds: Mapping[Kind, Sums], changed: Callable[[Kind], Kind]) -> dict[Kind, Sums]:
    """What kinds come to that are the same when they are changed."""
    found: dict[Kind, Sums] = {}
    for kind, sums in kinds.items():
        found.setdefault(changed(kind), Sums()).add(sums)
    return found


def _at(number: int, count: int) -> int:
    return BEGINNING + number * DAYS * DAY // count


def _model(number: int, count: int) -> tuple[str, str]:
    """Its provider and model: ten of all are rare."""
    if number % (count // 10 + 1) == count // 20:
        return "ollama", "model-rare"
    # Each token has two.
    model = (number * _STEP % TOKENS + number // TOKENS % 2) % _MODELS
    return ("anthropic" if model % 3 == 0 else "openai"), f"model-{model}"


def _tags(number: int, count: int) -> tuple[str, ...]:
    if number % (count // 10 + 1) == count // 30:
        return ("rare",)
    return ("batch",) if number % 10 == 3 else ()
