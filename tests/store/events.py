"""Events for tests of what is made of them: each builder takes a number, from which id and time are made."""

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from sluicegate.domain.usage_rows import Logged, LoggedUsage

BEGAN = 1_700_000_000_000
"""When the first began, Unix milliseconds: 2023-11-14T22:13:20Z."""


def written(at: int) -> str:
    """Unix milliseconds as an event says it."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def request_id(number: int) -> str:
    """As the gateway makes them: they sort by time."""
    return f"req_{BEGAN + number:012x}0000000000000001"


def an_event(number: int = 0, **fields: Any) -> Logged:
    """A request that went well, `number` milliseconds after the first."""
    made = Logged(
        request_id=request_id(number),
        timestamp=written(BEGAN + number),
        token="tok_1",
        project_id="prj_1",
        organization_id="org_1",
        endpoint="/v1/chat/completions",
        method="POST",
        status_code=200,
        duration_ms=12.5,
        user_id="usr_1",
        provider="openai",
        model="gpt-4.1",
        attempts=1,
        usage=LoggedUsage(input_tokens=10, output_tokens=5, cache_read_tokens=3),
        usage_source="reported",
        cost=700,
    )
    return replace(made, **fields)
