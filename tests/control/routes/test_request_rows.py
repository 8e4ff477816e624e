"""Requests of the log, as they are shown, and as lines of a file."""

import csv
import io
import json
from typing import Any

from sluicegate.control.routes.request_rows import COLUMNS, beginning, shown, write_rows
from sluicegate.domain.events import FailedAttempt
from sluicegate.domain.usage_rows import RequestRow, entry_of
from tests.store.events import an_event

FULL = an_event(
    1,
    first_byte_ms=3.25,
    requested_model="smart",
    dialect="openai",
    error="upstream_error",
    status_code=502,
    provider_cost=1_500_000_000,
    tags=("a", "=b"),
    failed_attempts=(FailedAttempt("one", "m", 0, "upstream_timeout"),),
)


def row(**fields: Any) -> RequestRow:
    """A request without any more than it must have."""
    return entry_of(an_event(**fields)).row


def test_everything_that_is_known_is_shown() -> None:
    """Times with their zone, durations in milliseconds, money in dollars."""
    told = shown(entry_of(FULL).row).model_dump(mode="json")
    assert (
        told.items()
        >= {
            "request_id": FULL.request_id,
            "at": "2023-11-14T22:13:20.001000Z",
            "org_id": "org_1",
            "token_id": "tok_1",
            "requested_model": "smart",
            "dialect": "openai",
            "model": "gpt-4.1",
            "status_code": 502,
            "error": "upstream_error",
            "duration_ms": 12.5,
            "first_byte_ms": 3.25,
            "input_tokens": 10,
            "cache_read_tokens": 3,
            "cost_usd": 0.0000007,
            "provider_cost_usd": 1.5,
        }.items()
    )
    assert told["failed_attempts"] == [{"deployment": "one", "model": "m", "status": 0, "error": "upstream_timeout"}]
    assert told["tags"] == ["a", "=b"]


def test_what_is_not_known_is_null() -> None:
    """Not zero and not an empty text."""
    told = shown(row(organization_id="", user_id=None, token="", provider="", model="", cost=None)).model_dump()
    missing = {name for name, value in told.items() if value is None}
    assert missing >= {"org_id", "user_id", "token_id", "provider", "model", "cost_usd", "error", "first_byte_ms"}
    assert "" not in told.values()


def test_details_that_were_not_written_are_not_told() -> None:
    """A row without its details is shown with what it has."""
    assert shown(row()._replace(details="{}")).attempts == 0


def test_lines_of_json() -> None:
    """One object a line, as the API shows it."""
    rows = [entry_of(FULL).row, row()]
    lines = [json.loads(line) for line in write_rows(rows, "jsonl").splitlines()]
    assert lines == [shown(one).model_dump(mode="json") for one in rows]
    assert beginning("jsonl") == b""


def test_lines_of_csv() -> None:
    """A line of names, then one cell for each field; lists are JSON, and nothing is a formula."""
    text = (beginning("csv") + write_rows([entry_of(FULL).row, row()], "csv")).decode()
    names, first, second = csv.reader(io.StringIO(text))
    assert tuple(names) == COLUMNS
    cells = dict(zip(names, first, strict=True))
    assert (cells["tags"], cells["status_code"], cells["is_stream"]) == ('["a", "=b"]', "502", "false")
    assert cells["cost_usd"] == "0.0000007"
    assert dict(zip(names, second, strict=True))["error"] == ""
