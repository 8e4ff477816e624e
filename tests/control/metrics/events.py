"""Events as workers write them, for tests of what is counted of them."""

from typing import Any

import msgspec

from sluicegate.control.metrics.measured import LINES, Measured
from sluicegate.domain.events import Exchange, Metadata
from sluicegate.domain.usage import Usage

USAGE = Usage(input_tokens=100, output_tokens=20, cache_read_tokens=60, reasoning_tokens=5)


def exchange(request_id: str = "req_1", **fields: Any) -> Exchange:
    """A stream that went well, unless `fields` say otherwise."""
    usual: dict[str, Any] = {
        "request_id": request_id,
        "timestamp": "2026-11-21T12:00:00.000Z",
        "token": "tok_1",
        "project_id": "prj_1",
        "organization_id": "org_1",
        "endpoint": "/v1/chat/completions",
        "method": "POST",
        "status_code": 200,
        "duration_ms": 1_500.0,
        "metadata": Metadata(),
        "route": "model",
        "provider": "openai",
        "model": "gpt",
        "attempts": 1,
        "is_stream": True,
        "first_byte_ms": 300.0,
        "overhead_us": 40,
        "usage": USAGE,
        "upstream_status": 200,
        "cost": 2_500_000,
    }
    return Exchange(**usual | fields)


def measured(request_id: str = "req_1", **fields: Any) -> Measured:
    """The same, as it is read from the journal."""
    event = LINES.decode(msgspec.json.encode(exchange(request_id, **fields)))
    assert isinstance(event, Measured)
    return event
