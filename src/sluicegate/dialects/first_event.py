"""Whether a stream that began with 200 begins with an error: then another provider may still be asked.

Anthropic sends `event: error` with `overloaded_error`; OpenRouter and vLLM `data: {"error":{"code":502}}`; Gemini an
error object with `status`. What they have in common is an object `error`, or a `type` of that name, in the first event
that is neither a comment nor a ping.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from sluicegate.wire import sse

_STATUSES: Final = {
    "overloaded_error": 529,
    "overloaded": 529,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "RESOURCE_EXHAUSTED": 429,
    "api_error": 500,
    "server_error": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "INTERNAL": 500,
    "service_unavailable": 503,
    "UNAVAILABLE": 503,
    "timeout_error": 504,
    "DEADLINE_EXCEEDED": 504,
}
"""The status that an API gives an error of this name where it is the whole answer."""
_OTHER: Final = 400
"""Any other error: asked elsewhere, the request would be no better."""

UNDECIDED: Final = -1


class _Event(Struct, gc=False):
    type: Any = None
    error: Any = None
    code: Any = None


_decode = msgspec.json.Decoder(_Event).decode


def first_failure(data: bytes) -> int:
    """The status of the error that a stream begins with; 0 where it is none, UNDECIDED where more must come."""
    end = sse.last_end(data)
    events = data[:end]
    # In a text the quotes would be escaped; the usual stream is done with here.
    if b'"error"' not in events and b"ping" not in events:
        return 0 if sse.payloads(events) else UNDECIDED
    for payload in sse.payloads(events):
        try:
            event = _decode(payload)
        except ValueError:
            return 0
        if event.type == "ping":
            continue
        if event.error is None and event.type != "error":
            return 0
        return _status_of(event)
    return UNDECIDED


def _status_of(event: _Event) -> int:
    error = event.error if isinstance(event.error, dict) else {"code": event.code}
    for name in ("code", "status", "type"):
        value = error.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
            return value
        if isinstance(value, str) and value in _STATUSES:
            return _STATUSES[value]
    return _OTHER
