"""Helicone, by its endpoint for custom logs (https://docs.helicone.ai/getting-started/integration-method/manual-logger-curl).

One request for each exchange: it takes no more at once. Bodies are not part of events, so it learns model, usage,
status and times, and who asked.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec

from sluicegate.config.schema import SinkSettings
from sluicegate.events.sinks.base import EXCHANGES, Event, Surroundings
from sluicegate.events.sinks.http import Poster, accepted
from sluicegate.events.sinks.times import times_of

_URL = "https://api.worker.helicone.ai/custom/v1/log"

_PROPERTIES: Mapping[str, str] = {
    "organization_id": "Helicone-Property-Organization",
    "project_id": "Helicone-Property-Project",
    "token": "Helicone-Property-Token",
    "provider": "Helicone-Property-Provider",
    "request_id": "Helicone-Property-Request",
    "user_id": "Helicone-User-Id",
    "session_id": "Helicone-Session-Id",
}


def make(settings: SinkSettings, surroundings: Surroundings) -> "Helicone":
    """The sink of these settings."""
    poster = Poster(settings.text("url") or _URL, timeout=settings.timeout, now=surroundings.now)
    return Helicone(poster, api_key=settings.text("api_key"))


class Helicone:
    """Posts one exchange after the other."""

    kinds = EXCHANGES
    most_events = 1

    def __init__(self, poster: Poster, *, api_key: str) -> None:
        """Nothing is connected yet."""
        self._poster = poster
        self._headers = {"content-type": "application/json", "authorization": f"Bearer {api_key}"}

    def __repr__(self) -> str:
        """Tell the host."""
        return f"<Helicone {self._poster!r}>"

    async def deliver(self, batch: Sequence[Event]) -> None:
        """Post a batch, of which the engine makes no more than one."""
        for event in batch:
            accepted(await self._poster.post(msgspec.json.encode(log_of(event)), self._headers))

    async def close(self) -> None:
        """Close all connections."""
        await self._poster.close()


def log_of(event: Event) -> dict[str, Any]:
    """What Helicone calls a `HeliconeAsyncLogRequest`."""
    times = times_of(event)
    usage = event.get("usage") or {}
    answer = {
        "model": event.get("model"),
        "id": event.get("response_id"),
        "error": {"message": event["error"]} if event.get("error") else None,
        "usage": {
            "prompt_tokens": usage.get("input_tokens", 0),
            "completion_tokens": usage.get("output_tokens", 0),
            "total_tokens": usage.get("input_tokens", 0) + usage.get("output_tokens", 0),
        }
        if usage
        else None,
    }
    timing: dict[str, Any] = {"startTime": _moment(times.began), "endTime": _moment(times.ended)}
    if times.first_byte is not None:
        timing["timeToFirstToken"] = (times.first_byte - times.began) // 1000
    return {
        "providerRequest": {
            "url": "custom-model-nopath",
            "json": {"model": event.get("requested_model") or event.get("model") or "unknown"},
            "meta": meta(event),
        },
        "providerResponse": {
            "json": {name: value for name, value in answer.items() if value is not None},
            "status": event.get("status_code", 0),
            "headers": {},
        },
        "timing": timing,
    }


def meta(event: Event) -> dict[str, str]:
    """Helicone's headers, by which it files what it gets. The same exchange has the same id each time."""
    named = {name: str(event[ours]) for ours, name in _PROPERTIES.items() if event.get(ours)}
    identity = UUID(bytes=sha256(str(event.get("request_id", "")).encode()).digest()[:16], version=4)
    return {"Helicone-Request-Id": str(identity), **named}


def _moment(microseconds: int) -> dict[str, int]:
    seconds, rest = divmod(microseconds, 1_000_000)
    return {"seconds": seconds, "milliseconds": rest // 1000}
