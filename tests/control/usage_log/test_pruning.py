"""Old requests and sums go, in steps."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.config.schema import RequestLogSettings
from sluicegate.control.usage_log.pruning import STEP, Bounds, Pruning, bounds
from sluicegate.domain.request_blocks import blocks_of
from sluicegate.domain.usage_rows import DAY, HOUR, Logged
from sluicegate.domain.usage_sums import alike, by_subject
from sluicegate.store.database import Database
from tests.control.api import copied
from tests.control.usage_log.journals import AT, Faulty, recorded
from tests.store.events import BEGAN, an_event


class EnoughError(Exception):
    """The end of the test."""


def run(data_dir: Path, story: Callable[[Database], Awaitable[None]]) -> None:
    """Tell a story with an open database."""

    async def told() -> None:
        database = await Database.open("sqlite", data_dir)
        try:
            await story(database)
        finally:
            await database.close()

    asyncio.run(told())


async def add(database: Database, events: list[Logged]) -> None:
    """Record these."""
    async with database.writing() as session:
        await session.request_log.add(blocks_of(events))
        await session.rollups.add(by_subject(alike(events)))


def test_bounds_fit_any_setting() -> None:
    """Also those of somebody who wants to keep everything for ever."""
    settings = RequestLogSettings(
        retention_seconds=1.0, rows=10**30, hourly_retention_seconds=60.0, daily_retention_seconds=1e300
    )
    assert bounds(AT, settings) == Bounds(requests=AT - 1_000, hour=AT - 60_000, day=0, most_rows=2**40)


def test_what_is_too_old_goes(template: Path, tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Requests by their age, sums of hours and of days each by theirs; a full step is followed by another."""
    data_dir = copied(template, tmp_path / "data")
    settings = RequestLogSettings(
        retention_seconds=3600.0, hourly_retention_seconds=2 * 86_400.0, daily_retention_seconds=10 * 86_400.0
    )
    now = BEGAN + 20 * DAY
    ages = [0, DAY + HOUR, 3 * DAY, 15 * DAY]

    async def story(database: Database) -> None:
        await add(database, [an_event(now - age - BEGAN) for age in ages])
        for first in (0, STEP, 2 * STEP):
            await add(database, [an_event(first + number) for number in range(STEP)])
        pruning = Pruning(database, settings=lambda: settings, now=lambda: now, log=log)
        await pruning.look(between=0)
        assert repr(pruning) == "<Pruning well>"

    run(data_dir, story)
    ids, sums = recorded(data_dir)
    assert len(ids) == 1
    # By day those of the last ten days, by hour those of the last two.
    assert sorted(requests for requests, _, _ in sums) == [2, 3]


def test_only_so_many_rows_stay(template: Path, tmp_path: Path, log: FilteringBoundLogger) -> None:
    """The newest, whatever their age; the bound in force counts."""
    data_dir = copied(template, tmp_path / "data")
    settings = RequestLogSettings(rows=10)

    async def story(database: Database) -> None:
        for first in (0, 10, 20):
            await add(database, [an_event(first + number) for number in range(10)])
        pruning = Pruning(database, settings=lambda: settings, now=lambda: BEGAN, log=log)
        await pruning.look(between=0)
        assert recorded(data_dir)[0] == sorted(an_event(number).request_id for number in range(20, 30))

    run(data_dir, story)


def test_a_database_that_is_away_is_told_once(
    template: Path, tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture
) -> None:
    """And looked after again a minute later, for ever."""
    data_dir = copied(template, tmp_path / "data")
    faults = ["before", "before"]
    rounds: list[int] = []

    async def pause() -> None:
        rounds.append(1)
        if len(rounds) == 4:
            raise EnoughError

    async def story(database: Database) -> None:
        faulty = Faulty(database, lambda: faults.pop() if faults else "")
        pruning = Pruning(faulty, settings=RequestLogSettings, now=lambda: AT, log=log)
        with pytest.raises(EnoughError):
            await pruning.run(pause=pause, between=0)

    run(data_dir, story)
    assert [entry["event"] for entry in captured.entries] == [
        "old requests cannot be removed from the database",
        "over: old requests cannot be removed from the database",
    ]
