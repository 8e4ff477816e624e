"""Lunary: the begin and the end of each run (https://docs.lunary.ai/api/runs/ingest-run-events)."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from sluicegate.config.schema import SinkSettings
from sluicegate.events.sinks import genai
from sluicegate.events.sinks.base import EXCHANGES, Event, PartialError, Surroundings
from sluicegate.events.sinks.http import Poster, accepted, decoded
from sluicegate.events.sinks.times import iso, times_of

_CLOUD = "https://api.lunary.ai"
_PATH = "/v1/runs/ingest"
_KNOWN = "already exists"
"""What it says of a run that it was sent before: then it has arrived."""


class _Result(Struct, frozen=True):
    success: bool
    id: str | None = None
    error: str | None = None


class _Results(Struct, frozen=True):
    results: list[_Result]


def make(settings: SinkSettings, surroundings: Surroundings) -> "Lunary":
    """The sink of these settings."""
    url = (settings.text("url") or _CLOUD).rstrip("/")
    poster = Poster(url if url.endswith(_PATH) else url + _PATH, timeout=settings.timeout, now=surroundings.now)
    return Lunary(poster, api_key=settings.text("api_key"))


class Lunary:
    """Posts runs to one project."""

    kinds = EXCHANGES
    most_events = 500

    def __init__(self, poster: Poster, *, api_key: str) -> None:
        """Nothing is connected yet."""
        self._poster = poster
        self._headers = {"content-type": "application/json", "authorization": f"Bearer {api_key}"}

    def __repr__(self) -> str:
        """Tell the host."""
        return f"<Lunary {self._poster!r}>"

    async def deliver(self, batch: Sequence[Event]) -> None:
        """Post a batch. Of what comes back, each run's own result counts."""
        body = msgspec.json.encode({"events": [each for event in batch for each in events_of(event)]})
        answer = decoded(accepted(await self._poster.post(body, self._headers)), _Results)
        failed = {result.id for result in answer.results if not result.success and _KNOWN not in (result.error or "")}
        refused = {index: "refused by Lunary" for index, event in enumerate(batch) if run_id(event) in failed}
        if refused:
            raise PartialError(f"{len(refused)} of {len(batch)} runs were refused", refused=refused)

    async def close(self) -> None:
        """Close all connections."""
        await self._poster.close()


def run_id(event: Event) -> str:
    """The same for the same exchange, each time."""
    return str(UUID(bytes=sha256(str(event.get("request_id", "")).encode()).digest()[:16], version=4))


def events_of(event: Event) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run's begin and its end."""
    times = times_of(event)
    identity, error = run_id(event), genai.error_of(event)
    kind = "embed" if genai.operation_of(event) == "embeddings" else "llm"
    usage = event.get("usage") or {}
    metadata = {name: event[name] for name in _METADATA if event.get(name) is not None}
    begin: dict[str, Any] = {
        "type": kind,
        "event": "start",
        "runId": identity,
        "timestamp": iso(times.began),
        "name": event.get("model") or event.get("requested_model") or "unknown",
        "tags": list(event.get("tags") or ()),
        "metadata": metadata,
        "runtime": "sluicegate",
    }
    if event.get("user_id"):
        begin["userId"] = event["user_id"]
    end: dict[str, Any] = {
        "type": kind,
        "event": "error" if error else "end",
        "runId": identity,
        "timestamp": iso(times.ended),
    }
    if error:
        end["error"] = {"message": error}
    if usage:
        end["tokensUsage"] = {
            "prompt": usage.get("input_tokens", 0),
            "completion": usage.get("output_tokens", 0),
        }
    return begin, end


_METADATA = ("request_id", "organization_id", "project_id", "token", "provider", "status_code", "session_id", "cost")
