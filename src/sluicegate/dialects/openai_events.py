"""Answers of the OpenAI APIs whose streams are typed events: Responses, images, audio; whole ones and streams."""

from typing import Any, Final

from msgspec import Struct

from sluicegate.dialects.findings import Findings
from sluicegate.dialects.lenient import LenientDecoder
from sluicegate.dialects.openai_usage import ReportedError, ReportedUsage, error_of, provider_cost_of, usage_of
from sluicegate.dialects.service import service_of
from sluicegate.domain.usage import Reading, Usage

_LAST_EVENTS: Final = frozenset(
    {
        "response.completed",
        "response.incomplete",
        "response.failed",
        "image_generation.completed",
        "image_edit.completed",
        "transcript.text.done",
        "speech.audio.done",
    }
)

_NO_TEXT: Final = frozenset({"response.audio.delta", "speech.audio.delta"})
"""Deltas that carry base64."""


class _Incomplete(Struct, gc=False):
    reason: str | None = None


class _Response(Struct, gc=False):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    incomplete_details: _Incomplete | None = None
    usage: ReportedUsage | None = None
    error: ReportedError | str | None = None
    service_tier: str | None = None


class _Item(Struct, gc=False):
    name: str | None = None


class _Event(Struct, gc=False):
    type: str = ""
    delta: Any = None
    """A string in the events we know; whatever it is elsewhere must not cost the slow way."""
    item: _Item | None = None
    response: _Response | None = None
    usage: ReportedUsage | None = None
    error: ReportedError | str | None = None
    code: str | int | None = None


_responses = LenientDecoder(_Response)
_events = LenientDecoder(_Event)


def read_response(body: bytes) -> Reading:
    """What a whole answer says of itself; images and audio share `usage` with Responses."""
    response = _responses.read(body)
    if response is None:
        return Reading()
    return Reading(
        usage=usage_of(response.usage),
        model=response.model,
        response_id=response.id,
        finish_reason=_finish_reason(response),
        error=error_of(response.error),
        provider_cost=provider_cost_of(response.usage),
        service=service_of(response.service_tier),
    )


def _finish_reason(response: _Response) -> str | None:
    """Why it is incomplete, else its status (`completed`, `failed`, for background ones `queued`)."""
    details = response.incomplete_details
    return (details.reason if details else None) or response.status


class EventReader:
    """Reads a stream of typed events. There is no `[DONE]`, though some relatives send one: it is passed over."""

    __slots__ = ("_found", "_usage")

    def __init__(self) -> None:
        """Start before the first event."""
        self._found = Findings()
        self._usage: Usage | None = None

    def __repr__(self) -> str:
        """Tell how far the stream got."""
        return f"<EventReader usage={self._usage} {self._found!r}>"

    @property
    def is_complete(self) -> bool:
        """Whether the last event was seen."""
        return self._found.is_complete

    def feed(self, payloads: list[bytes]) -> None:
        """Take the next events."""
        texts: list[str] = []
        read = _events.read
        for payload in payloads:
            event = read(payload)
            if event is None:
                continue
            kind = event.type
            if kind.endswith(".delta"):
                if isinstance(event.delta, str) and kind not in _NO_TEXT:
                    texts.append(event.delta)
                continue
            if event.item is not None and kind == "response.output_item.added" and event.item.name:
                texts.append(event.item.name)
            if event.response is not None:
                self._take_response(kind, event.response)
            if event.usage is not None:
                self._usage = usage_of(event.usage)
                self._found.provider_cost = provider_cost_of(event.usage)
            if kind == "error" or event.error is not None:
                self._found.error = error_of(event.error) or str(event.code or "error")[:64]
            if kind in _LAST_EVENTS:
                self._found.is_complete = True
        if texts:
            self._found.capture.add(texts)

    def _take_response(self, kind: str, response: _Response) -> None:
        """Take the response as it stands at this event; why it ended is known only at the last one."""
        found = self._found
        found.model = response.model
        found.response_id = response.id
        found.error = found.error or error_of(response.error)
        if kind in _LAST_EVENTS:
            found.finish_reason = _finish_reason(response)
        self._usage = usage_of(response.usage) or self._usage
        found.provider_cost = provider_cost_of(response.usage)
        found.service = service_of(response.service_tier)

    @property
    def text(self) -> str:
        """What the model produced so far."""
        return self._found.capture.text()

    def reading(self) -> Reading:
        """What was understood so far."""
        return self._found.reading(self._usage)
