"""A long request log is filled, here a short one."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from sluicegate.bench.logged_requests import BEGINNING, BIG, DAYS, Day, day_of, events, fill, request_id
from sluicegate.domain.request_blocks import FIRST_CHUNK, rows_of
from sluicegate.domain.usage_rows import DAY, HOUR, Sums, entry_of
from sluicegate.domain.usage_sums import alike, by_subject
from sluicegate.store.database import Database
from sluicegate.store.upgrade import upgrade
from sluicegate.store.usage.request_search import RequestFilter
from sluicegate.store.usage.rollups import Wanted

COUNT = 1_999
"""No multiple of the days."""


def test_days_have_all_requests_between_them() -> None:
    """Each request once and in its own day, however many there are; ten are of a rare model, ten have a rare tag."""
    days = [list(events(COUNT, day)) for day in range(DAYS)]
    every = [event for day in days for event in day]
    assert [event.request_id for event in every] == [request_id(number, COUNT) for number in range(COUNT)]
    for number, day in enumerate(days):
        assert {entry_of(event).row.at // DAY for event in day} == {BEGINNING // DAY + number}
    assert Counter(event.model for event in every)["model-rare"] == 10
    assert Counter(event.tags for event in every)[("rare",)] == 10
    assert {event.error for event in every if event.status_code // 100 == 4} == {
        "model_not_found",
        "rate_limit_exceeded",
        "budget_exceeded",
    }
    assert COUNT * 0.4 < Counter(event.organization_id for event in every)[BIG] < COUNT * 0.6


def test_a_day_is_what_the_gateway_would_write() -> None:
    """The same rows and the same sums, but for those of tokens and users by hour, which are left out."""
    requests = list(events(COUNT, 7))
    made: Day = day_of(COUNT, 7)
    rows = [row for block in made.blocks for at, data in block.pieces if at >= FIRST_CHUNK for row in rows_of(data)]
    assert [entry_of(row) for row in rows] == [entry_of(event) for event in requests]
    assert made.sums == {
        key: sums
        for key, sums in by_subject(alike(requests)).items()
        if key.grain == "day" or key.scope not in {"token", "user"}
    }


@pytest.mark.parametrize("processes", [1, 2])
def test_a_log_is_filled(tmp_path: Path, processes: int) -> None:
    """With as many requests as asked for, and what they add up to, by however many processes they are made; once."""
    told: list[str] = []

    async def use() -> None:
        await upgrade("sqlite", tmp_path)
        database = await Database.open("sqlite", tmp_path)
        await fill(database, COUNT, processes, told.append)
        assert told[-1].startswith("1,999 requests, ")
        await fill(database, COUNT, processes, told.append)
        assert told[DAYS:] == ["is full already"]
        async with database.reading() as session:
            log, rollups = session.request_log, session.rollups
            page = await log.search(RequestFilter(), limit=COUNT + 1)
            assert [row.request_id for row in page] == [request_id(number, COUNT) for number in reversed(range(COUNT))]
            days = await rollups.by(Wanted("day", "all", 0, 2**60), "start", limit=100)
            assert [group.value for group in days] == [BEGINNING + number * DAY for number in range(DAYS)]
            assert sum(group.sums.requests for group in days) == COUNT
            hours = await rollups.by(Wanted("hour", "organization", 0, 2**60, scope_id=BIG), "start", limit=1_000)
            assert {int(group.value) % HOUR for group in hours} == {0}
            assert sum((group.sums.requests for group in hours), 0) > COUNT * 0.4
            assert await rollups.total(Wanted("hour", "token", 0, 2**60)) == Sums()
        await database.close()

    asyncio.run(use())
