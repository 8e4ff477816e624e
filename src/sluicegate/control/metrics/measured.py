"""What matters of an event to the metrics, and the words that it is counted under.

Rule. A word that a label gets is of a closed set, or configured here, or held to a bound by `tables` and `tally`:
      clients and providers write some of an event's fields.
"""

from typing import Final

import msgspec
from msgspec import Struct

from sluicegate.domain.errors import (
    BudgetSpentError,
    LimitError,
    LimitReachedError,
    NoConnectionError,
    RateLimitedError,
    RequestsSpentError,
    UpstreamBrokenError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from sluicegate.domain.events import FailedAttempt
from sluicegate.domain.underway import WORKER_LOST
from sluicegate.domain.usage import Usage
from sluicegate.events.tail import Lines, Withheld


class Measured(Struct, frozen=True, gc=False, tag_field="kind", tag="exchange"):
    """What matters here of `domain.events.Exchange`; it holds nothing that could hold it."""

    request_id: str
    status_code: int
    duration_ms: float
    route: str = ""
    provider: str = ""
    model: str = ""
    attempts: int = 0
    is_stream: bool = False
    first_byte_ms: float | None = None
    overhead_us: int | None = None
    usage: Usage | None = None
    client_disconnected: bool = False
    error_source: str | None = None
    error: str | None = None
    upstream_status: int | None = None
    cost: int | None = None
    limit: str | None = None
    is_degraded: bool = False
    failed_attempts: tuple[FailedAttempt, ...] = ()


LINES: Final[Lines[Measured]] = msgspec.json.Decoder(Measured | Withheld)

NONE: Final = "none"
"""Stands where an event has no such thing."""

_WORDS: Final = {
    UpstreamUnreachableError.code: "unreachable",
    UpstreamBrokenError.code: "broken",
    UpstreamTimeoutError.code: "timeout",
    NoConnectionError.code: "busy",
    WORKER_LOST: "lost",
}
"""What came of an attempt, by the code of its failure. All others are of the provider's or the client's making."""

_LIMITED: Final = frozenset({LimitError.code, RateLimitedError.code, BudgetSpentError.code, LimitReachedError.code})
_UNANSWERED: Final = "unanswered"
_SPENT: Final = "token:requests:lifetime"
"""What `max_requests` of a token is, in the words of a limit."""
_SCOPES: Final = {"tok": "token", "prj": "project", "usr": "user", "org": "organization"}


def outcomes(event: Measured) -> list[str]:
    """What came of each attempt at a provider."""
    found = [_outcome(failed.status, failed.error) for failed in event.failed_attempts]
    if event.attempts > len(found):
        # Others that were made and are no failures: nobody waited for their answers.
        found += [_UNANSWERED] * (event.attempts - len(found) - 1)
        found.append(_last(event))
    return found


def limited(event: Measured) -> str | None:
    """The limit that refused the request or ended its stream, as `scope:metric:window`; None where none did."""
    if event.error in _LIMITED:
        return limit_name(event.limit or "")
    return _SPENT if event.error == RequestsSpentError.code else None


def would_be_limited(event: Measured) -> str | None:
    """The limit in shadow mode that would have refused it, in the same words; None where there is none."""
    return limit_name(event.limit) if event.limit is not None and event.error not in _LIMITED else None


def limit_name(account: str) -> str:
    """The account of a limit without whose it is: `tok_x|tokens|5h` is `token:tokens:5h`."""
    scope_id, _, rest = account.partition("|")
    scope = _SCOPES.get(scope_id.partition("_")[0], "other")
    return f"{scope}:{rest.replace('|', ':')}" if rest else scope


def _last(event: Measured) -> str:
    """What came of the attempt whose answer the client got, or would have got."""
    status = event.upstream_status or 0
    if event.error_source == "upstream" and status < 400:
        # Whatever its status said, it turned out to be a failure.
        return _WORDS.get(event.error or "", "failed")
    if not status and event.client_disconnected:
        return "abandoned"
    return _outcome(status, event.error or "")


def _outcome(status: int, error: str) -> str:
    if not status:
        return _WORDS.get(error, "failed")
    if status < 400:
        return "success"
    if status == 429:
        return "rate_limited"
    return "refused" if status < 500 else "failed"
