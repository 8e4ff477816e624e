"""Spans for any OpenTelemetry collector, by OTLP over HTTP in JSON.

https://opentelemetry.io/docs/specs/otlp/#otlphttp: which statuses may be tried again, and what a partial success is.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import Struct, field

from sluicegate.config.schema import SinkSettings
from sluicegate.events.sinks import genai
from sluicegate.events.sinks.base import EXCHANGES, Event, PermanentError, Surroundings
from sluicegate.events.sinks.http import Answer, Poster, accepted
from sluicegate.events.sinks.spans import Attributes, document, trace_of

RETRIED = frozenset({408, 429, 500, 502, 503, 504})
"""Those of the specification, and the two by which proxies and restarting servers answer."""


class _PartialSuccess(Struct, rename="camel", frozen=True):
    rejected_spans: int | str = 0


class _Answer(Struct, rename="camel", frozen=True):
    partial_success: _PartialSuccess | None = field(default_factory=_PartialSuccess)


_decode = msgspec.json.Decoder(_Answer).decode


def make(settings: SinkSettings, surroundings: Surroundings) -> "Otlp":
    """The sink of these settings. An address without a path is that of the collector, as in OpenTelemetry's own."""
    return Otlp(
        Poster(traces_url(settings.text("url")), timeout=settings.timeout, now=surroundings.now),
        headers={name: value.get_secret_value() for name, value in settings.headers.items()},
        service=settings.service_name,
        has_unsampled=settings.unsampled,
        attributes_of=lambda event: genai.attributes(event, surroundings.servers),
    )


class Otlp:
    """Posts spans to one collector."""

    kinds = EXCHANGES
    most_events = 10_000

    def __init__(
        self,
        poster: Poster,
        *,
        headers: Mapping[str, str],
        service: str,
        has_unsampled: bool,
        attributes_of: Callable[[Event], Attributes],
    ) -> None:
        """`attributes_of` gives those of an event's span; `has_unsampled` makes spans in traces nobody samples too."""
        self._poster = poster
        self._headers = {"content-type": "application/json", **headers}
        self._service = service
        self._has_unsampled = has_unsampled
        self._attributes_of = attributes_of

    def __repr__(self) -> str:
        """Tell the host."""
        return f"<Otlp {self._poster!r}>"

    async def deliver(self, batch: Sequence[Event]) -> None:
        """Post a batch's spans."""
        if not self._has_unsampled:
            batch = [event for event in batch if trace_of(event).is_sampled]
            if not batch:
                return
        body = document(batch, service=self._service, attributes_of=self._attributes_of)
        answer = accepted(await self._poster.post(msgspec.json.encode(body), self._headers), retried=RETRIED)
        rejected = rejected_spans(answer)
        if rejected:
            # Which of them is not said, and the others are replaced by themselves when they come again.
            raise PermanentError(f"{rejected} of {len(batch)} spans were rejected")

    async def close(self) -> None:
        """Close all connections."""
        await self._poster.close()


def traces_url(url: str) -> str:
    """Where spans go: `https://collector:4318` is `https://collector:4318/v1/traces`."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}/{path or 'v1/traces'}"


def rejected_spans(answer: Answer) -> int:
    """How many spans an answer that says yes does not mean. One without a document means all."""
    try:
        partial = _decode(answer.body).partial_success
        return 0 if partial is None else max(0, int(partial.rejected_spans))
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return 0
