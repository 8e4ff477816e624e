"""The reads of a long request log, measured on a short one."""

import asyncio
import json
import math
from pathlib import Path

import pytest

from sluicegate.bench import request_log
from sluicegate.bench.request_log import BEGINNING, DAYS
from sluicegate.domain.usage_rows import DAY
from sluicegate.store.database import Database
from sluicegate.store.request_search import RequestFilter
from sluicegate.store.rollups import Wanted

COUNT = 6_000
ARGUMENTS = ("--requests", "600", "--runs", "1")


def test_it_is_filled_once(tmp_path: Path) -> None:
    """With as many requests as asked for, over all days, and what they add up to; and not again the next time."""
    told: list[str] = []
    asyncio.run(request_log.run("sqlite", tmp_path, COUNT, 1, told.append))
    [line] = told
    assert line.startswith("6,000 requests, ")
    asyncio.run(request_log.run("sqlite", tmp_path, COUNT, 1, told.append))
    assert told[1:] == ["is full already"]

    async def look() -> None:
        database = await Database.open("sqlite", tmp_path)
        async with database.reading() as session:
            log, rollups = session.request_log, session.rollups
            assert len(await log.search(RequestFilter(), limit=COUNT + 1)) == COUNT
            assert len(await log.search(RequestFilter(model="model-rare"), limit=COUNT)) == 10
            assert len(await log.search(RequestFilter(tag="rare"), limit=COUNT)) == 10
            failed = await log.search(RequestFilter(status_class=4), limit=COUNT)
            assert {row.error for row in failed} == {"model_not_found", "rate_limit_exceeded", "budget_exceeded"}
            days = await rollups.by(Wanted("day", "all", 0, 2**60), "start", limit=100)
            assert [group.value for group in days] == [BEGINNING + number * DAY for number in range(DAYS)]
            assert sum(group.sums.requests for group in days) == COUNT
        await database.close()

    asyncio.run(look())


def test_reads_are_told_with_their_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As lines for people, as JSON, or as a page in a directory; 0 says that all were within their budget."""
    # However slow the machine is at the moment.
    monkeypatch.setattr(request_log, "OVERVIEW_MILLISECONDS", math.inf)
    monkeypatch.setattr(request_log, "SEARCH_MILLISECONDS", math.inf)
    arguments = [*ARGUMENTS, "--directory", str(tmp_path)]
    assert request_log.main(arguments) == 0
    assert "ms  search, of a rare model\n" in capsys.readouterr().out
    assert request_log.main([*arguments, "--json", "--output", str(tmp_path)]) == 0
    [page] = tmp_path.glob("*-request-log-sqlite.md")
    assert "| overview, 30 days by model | " in page.read_text()
    results = json.loads(capsys.readouterr().out)
    assert [result["name"] for result in results] == [asked.name for asked in request_log.reads(600)]
    assert all(0 < result["fastest"] <= result["median"] for result in results)


def test_a_slow_read_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 says that some took longer, and which is told."""
    monkeypatch.setattr(request_log, "OVERVIEW_MILLISECONDS", 0.0)
    monkeypatch.setattr(request_log, "SEARCH_MILLISECONDS", math.inf)
    assert request_log.main([*ARGUMENTS, "--directory", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "over 0 ms: overview, 30 days\n" in told
    assert "search" not in told
