"""What the request log keeps of an exchange, and what exchanges add up to by hour and day.

Everything here fits the database whatever a journal's line says: one strange event must not hold up all that follow.
"""

from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Struct

from sluicegate.domain.events import FailedAttempt
from sluicegate.domain.usage import UsageSource

HOUR: Final = 3_600_000
DAY: Final = 86_400_000
"""Milliseconds. Days are those of UTC."""

Grain = Literal["hour", "day"]
Scope = Literal["all", "organization", "project", "user", "token", "tag"]

GRAINS: Final[tuple[tuple[Grain, int], ...]] = (("hour", HOUR), ("day", DAY))

MOST_TOKENS: Final = 2**40
MOST_MONEY: Final = 2**50
MOST_MICROSECONDS: Final = 2**50
"""Of one exchange; nano-dollars. Far beyond any real one, and so many of them add up to 64 bits that it never comes to
that."""

_LATEST: Final = 2**45
_MOST_TAGS: Final = 64
_UNFIT: Final = {0: "\ufffd", **dict.fromkeys(range(0xD800, 0xE000), "\ufffd")}

ID, NAME, MODEL, ERROR, TAG, _PATH, _METHOD = 64, 200, 256, 64, 128, 2048, 32
"""Characters that the columns take."""


class LoggedUsage(Struct, frozen=True, gc=False, omit_defaults=True):
    """What matters here of `domain.usage.Usage`, in tokens."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


class Kept(Struct, frozen=True, gc=False):
    """What matters here of `domain.events.Exchange`, which tells what each field means. Nothing in it can hold it.

    New fields go to the end: rows are kept in this order.
    """

    request_id: str
    timestamp: str
    token: str
    project_id: str
    organization_id: str
    endpoint: str
    method: str
    status_code: int
    duration_ms: float
    user_id: str | None = None
    dialect: str = ""
    operation: str = ""
    provider: str = ""
    requested_model: str = ""
    model: str = ""
    attempts: int = 0
    is_stream: bool = False
    is_cut: bool = False
    first_byte_ms: float | None = None
    overhead_us: int | None = None
    request_bytes: int = 0
    response_bytes: int = 0
    usage: LoggedUsage | None = None
    usage_source: UsageSource = "none"
    client_disconnected: bool = False
    error_source: str | None = None
    error: str | None = None
    upstream_status: int | None = None
    upstream_request_id: str | None = None
    response_id: str | None = None
    finish_reason: str | None = None
    session_id: str | None = None
    client_address: str | None = None
    tags: tuple[str, ...] = ()
    cost: int | None = None
    price_version: str | None = None
    provider_cost: int | None = None
    limit: str | None = None
    is_degraded: bool = False
    deployment: str = ""
    failed_attempts: tuple[FailedAttempt, ...] = ()


class Logged(Kept, frozen=True, gc=False, tag_field="kind", tag="exchange"):
    """It, as a line of a journal has it."""


class Details(Struct, frozen=True, omit_defaults=True):
    """What a row tells besides what can be searched: fields of `domain.events.Exchange` under their own names."""

    dialect: str = ""
    operation: str = ""
    requested_model: str = ""
    attempts: int = 0
    is_cut: bool = False
    overhead_us: int | None = None
    request_bytes: int = 0
    response_bytes: int = 0
    usage_source: str = "none"
    client_disconnected: bool = False
    error_source: str | None = None
    upstream_status: int | None = None
    upstream_request_id: str | None = None
    response_id: str | None = None
    finish_reason: str | None = None
    session_id: str | None = None
    client_address: str | None = None
    tags: tuple[str, ...] = ()
    price_version: str | None = None
    provider_cost: int | None = None
    limit: str | None = None
    is_degraded: bool = False
    deployment: str = ""
    failed_attempts: tuple[FailedAttempt, ...] = ()
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


class RequestRow(NamedTuple):
    """A line of the request log, in the order of its table's columns; the number that the log gives it comes before.

    `at` is when the request arrived, Unix milliseconds; `_us` microseconds; `cost` nano-dollars, None where no price is
    known; ids and names are empty where there are none. `details` is `Details` as JSON.
    """

    at: int
    request_id: str
    organization_id: str
    project_id: str
    user_id: str
    token_id: str
    provider: str
    model: str
    status_class: int
    status_code: int
    error: str
    method: str
    endpoint: str
    duration_us: int
    first_byte_us: int | None
    input_tokens: int
    output_tokens: int
    cost: int | None
    is_stream: bool
    details: str


class Entry(NamedTuple):
    """A row, and the tags that it is found by."""

    row: RequestRow
    tags: tuple[str, ...]


class RollupKey(NamedTuple):
    """What a sum is of: all exchanges of this subject with this model that began in the hour or day from `start` on.

    `start` is Unix milliseconds. `scope_id` is the id of the organisation, project, user or token, or the tag; empty
    for `all`. `organization_id` is whose it is; empty for `all`.
    """

    grain: Grain
    scope: Scope
    start: int
    scope_id: str
    organization_id: str
    provider: str
    model: str


class Sums(Struct):
    """What some exchanges add up to. `failed` had a status of 400 or more, or were cut short; `unpriced` have no cost.

    `cost` is nano-dollars, `duration_us` microseconds.
    """

    requests: int = 0
    failed: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cost: int = 0
    duration_us: int = 0

    def add(self, other: "Sums") -> None:
        """Add what others come to."""
        self.requests += other.requests
        self.failed += other.failed
        self.unpriced += other.unpriced
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cache_read_tokens += other.cache_read_tokens
        self.cost += other.cost
        self.duration_us += other.duration_us


_encode = msgspec.json.Encoder().encode
# All but the last three, which are parts of the usage.
_same: Final = attrgetter(*Details.__struct_fields__[:-3])
_NO_USAGE: Final = LoggedUsage()


def entry_of(event: Kept) -> Entry:
    """What is kept of one exchange."""
    usage = event.usage or _NO_USAGE
    status = within(event.status_code, 999)
    # In the order of the fields, which takes half the time.
    row = RequestRow(
        began_at(event.timestamp),
        storable_text(event.request_id, ID),
        storable_text(event.organization_id, ID),
        storable_text(event.project_id, ID),
        storable_text(event.user_id or "", ID),
        storable_text(event.token, ID),
        storable_text(event.provider, NAME),
        storable_text(event.model, MODEL),
        status // 100,
        status,
        storable_text(event.error or "", ERROR),
        storable_text(event.method, _METHOD),
        storable_text(event.endpoint, _PATH),
        microseconds(event.duration_ms),
        None if event.first_byte_ms is None else microseconds(event.first_byte_ms),
        within(usage.input_tokens, MOST_TOKENS),
        within(usage.output_tokens, MOST_TOKENS),
        None if event.cost is None else within(event.cost, MOST_MONEY),
        event.is_stream,
        _details(event, usage),
    )
    return Entry(row, storable_tags(event.tags))


def began_at(timestamp: str) -> int:
    """Unix milliseconds of an event's time, `2026-11-21T10:00:00.123Z`; 0 of what is written otherwise."""
    try:
        return min(max(0, _unix_of_second(timestamp[:19]) + int(timestamp[20:23])), _LATEST)
    except ValueError:
        return 0


@lru_cache(maxsize=64)
def _unix_of_second(second: str) -> int:
    """Unix milliseconds of a second; events come in about the order of theirs."""
    return int(datetime.fromisoformat(f"{second}+00:00").timestamp()) * 1000


def storable_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Tags a column can keep: each once, and no more than there is sense in."""
    return tuple(dict.fromkeys(storable_text(tag, TAG) for tag in tags[:_MOST_TAGS])) if tags else ()


def _details(event: Kept, usage: LoggedUsage) -> str:
    # In the order of the fields, which takes half the time.
    values: tuple[Any, ...] = (
        *_same(event),
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    )
    details = Details(*values)
    try:
        return _encode(details).decode()
    except (OverflowError, ValueError):
        # A number beyond 64 bits, or text that is no UTF-8: the row is kept without all this.
        return "{}"


def storable_text(text: str, length: int) -> str:
    """What a column of this length can keep: PostgreSQL has no NUL in texts, and half a surrogate pair is no UTF-8."""
    if len(text) > length:
        text = text[:length]
    if text.isascii():
        return text.replace("\0", "\ufffd") if "\0" in text else text
    return text.translate(_UNFIT)


def within(number: int, most: int) -> int:
    """As near to a number as 0 and the most are."""
    return 0 if number < 0 else min(number, most)


def microseconds(milliseconds: float) -> int:
    """So many as a column can keep. NaN and the infinite cannot be in JSON, but a number that overflows to it can."""
    if not 0 <= milliseconds < MOST_MICROSECONDS / 1000:
        return 0 if milliseconds < 0 else MOST_MICROSECONDS
    return int(milliseconds * 1000)
