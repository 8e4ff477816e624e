"""The reads of a long request log, measured on a short one."""

import asyncio
import json
import math
from pathlib import Path

import pytest

from sluicegate.bench import request_log
from sluicegate.bench.request_log import Size

ARGUMENTS = ("--requests", "600", "--processes", "1", "--runs", "1")


def test_it_is_filled_once(tmp_path: Path) -> None:
    """And not again the next time; each read is timed."""
    told: list[str] = []
    for _ in range(2):
        results = asyncio.run(request_log.run("sqlite", tmp_path, Size(60, 1), 1, told.append))
        assert [result.name for result in results] == [asked.name for asked in request_log.reads(60)]
    assert told[-2].startswith("60 requests, ")
    assert told[-1] == "is full already"


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
    assert request_log.main([*arguments, "--json", "--note", "On a Sunday.", "--output", str(tmp_path)]) == 0
    [page] = tmp_path.glob("*-request-log-sqlite.md")
    assert "| overview, 30 days by model | " in page.read_text()
    assert page.read_text().endswith("\n- On a Sunday.\n")
    results = json.loads(capsys.readouterr().out)
    assert [result["name"] for result in results] == [asked.name for asked in request_log.reads(600)]
    assert all(0 < result["fastest"] <= result["median"] for result in results)
    assert all(result["processor"] > 0 for result in results)


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
