"""Requests of the log, as they are shown, and as lines of a file."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from sluicegate.control.routes.body import Shown, moment
from sluicegate.control.routes.cells import cell_of
from sluicegate.control.routes.money import shown_dollars
from sluicegate.domain.usage_rows import Details, RequestRow

Form = Literal["jsonl", "csv"]


class FailedAttemptShown(Shown):
    """An attempt that the client saw nothing of. `status` is 0 where the provider did not answer."""

    deployment: str
    model: str
    status: int
    error: str


class RequestShown(Shown):
    """One request. What is null is not known, or there was none of it."""

    request_id: str
    at: datetime
    """When it arrived."""
    org_id: str | None
    project_id: str | None
    user_id: str | None
    token_id: str | None
    """Null where no token was recognised."""
    method: str
    endpoint: str
    """The path, without its query."""
    dialect: str | None
    operation: str | None
    provider: str | None
    """Asked last."""
    deployment: str | None
    requested_model: str | None
    model: str | None
    """That answered, in the provider's words."""
    status_code: int
    """What the client was sent; 499 where it left before there was an answer."""
    error: str | None
    error_source: str | None
    upstream_status: int | None
    upstream_request_id: str | None
    response_id: str | None
    finish_reason: str | None
    is_stream: bool
    is_cut: bool
    """The stream did not end as its API says it must."""
    client_disconnected: bool
    attempts: int
    failed_attempts: list[FailedAttemptShown]
    duration_ms: float
    first_byte_ms: float | None
    overhead_us: int | None
    """What the gateway itself took."""
    request_bytes: int
    response_bytes: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    usage_source: str
    cost_usd: float | None
    """By the price list; null where no price is known."""
    provider_cost_usd: float | None
    """What the provider itself says it cost."""
    price_version: str | None
    limit: str | None
    """The limit that refused it or ended its stream."""
    is_degraded: bool
    session_id: str | None
    client_address: str | None
    tags: list[str]


COLUMNS: Final = tuple(RequestShown.model_fields)
"""Of a CSV file, in this order."""

_decode = msgspec.json.Decoder(Details).decode
_SAME: Final = (
    "attempts",
    "cache_read_tokens",
    "cache_write_tokens",
    "client_address",
    "client_disconnected",
    "error_source",
    "finish_reason",
    "is_cut",
    "is_degraded",
    "limit",
    "overhead_us",
    "price_version",
    "reasoning_tokens",
    "request_bytes",
    "response_bytes",
    "response_id",
    "session_id",
    "upstream_request_id",
    "upstream_status",
    "usage_source",
)
_PERHAPS: Final = ("deployment", "dialect", "operation", "requested_model")


def shown(row: RequestRow) -> RequestShown:
    """The form in which it is sent."""
    details = _decode(row.details)
    told: dict[str, Any] = {name: getattr(details, name) for name in _SAME}
    told |= {name: getattr(details, name) or None for name in _PERHAPS}
    return RequestShown(
        request_id=row.request_id,
        at=moment(row.at),
        org_id=row.organization_id or None,
        project_id=row.project_id or None,
        user_id=row.user_id or None,
        token_id=row.token_id or None,
        method=row.method,
        endpoint=row.endpoint,
        provider=row.provider or None,
        model=row.model or None,
        status_code=row.status_code,
        error=row.error or None,
        is_stream=row.is_stream,
        failed_attempts=[_attempt(*msgspec.structs.astuple(attempt)) for attempt in details.failed_attempts],
        duration_ms=row.duration_us / 1000,
        first_byte_ms=None if row.first_byte_us is None else row.first_byte_us / 1000,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost_usd=shown_dollars(row.cost),
        provider_cost_usd=shown_dollars(details.provider_cost),
        tags=list(details.tags),
        **told,
    )


def write_rows(rows: Iterable[RequestRow], form: Form) -> bytes:
    """The lines that tell of requests."""
    told = (shown(row).model_dump(mode="json") for row in rows)
    if form == "jsonl":
        return b"".join(msgspec.json.encode(one) + b"\n" for one in told)
    text = io.StringIO()
    csv.writer(text).writerows([cell_of(one[column]) for column in COLUMNS] for one in told)
    return text.getvalue().encode()


def beginning(form: Form) -> bytes:
    """What a file starts with."""
    return b"" if form == "jsonl" else (",".join(COLUMNS) + "\r\n").encode()


def _attempt(deployment: str, model: str, status: int, error: str) -> FailedAttemptShown:
    return FailedAttemptShown(deployment=deployment, model=model, status=status, error=error)
