"""Publish: one event per exchange into the journal, before the client has its last byte."""

from typing import TYPE_CHECKING, cast

import msgspec

from sluicegate.domain.events import Exchange as Event
from sluicegate.domain.events import Metadata, Pending
from sluicegate.domain.usage import Usage, UsageSource
from sluicegate.gateway.stages.meter import merged
from sluicegate.wire.link import Count, Counted

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

LONGEST_TEXT = 256
"""Characters of a client's own words (model, session) that an event keeps."""


def publish(exchange: "Exchange") -> None:
    """Append the event; where tokens must be counted, the guess now and the count when it is in."""
    services = exchange.services
    event = event_of(exchange)
    if exchange.usage_source != "length":
        services.journal.append(event)
        return
    services.journal.append(Pending(event.request_id, event))
    reported = exchange.reading.usage or Usage()

    def counted(answer: Counted | None) -> None:
        final = event if answer is None else with_count(event, reported, answer)
        services.journal.append(final)

    services.link.count(question_of(exchange), services.clock(), counted)


def event_of(exchange: "Exchange") -> Event:
    """The record of an exchange that has ended."""
    services = exchange.services
    principal = exchange.principal
    route = exchange.route
    reading = exchange.reading
    usage = exchange.usage
    runtime = exchange.runtime_or_none
    model = reading.model or exchange.model
    error = exchange.error
    return Event(
        request_id=exchange.request_id,
        timestamp=services.timestamp(exchange.wall),
        token=principal.token_id,
        project_id=principal.project_id,
        organization_id=principal.organization_id,
        endpoint=route.endpoint,
        method=exchange.method.decode(),
        status_code=exchange.status,
        duration_ms=_milliseconds(exchange.ended - exchange.started),
        metadata=metadata_of(model[:LONGEST_TEXT], usage, int(exchange.wall)),
        user_id=principal.user_id,
        route=route.kind,
        dialect=route.dialect.name,
        operation=route.operation,
        provider=runtime.name if runtime is not None else "",
        requested_model=exchange.requested_model[:LONGEST_TEXT],
        model=model[:LONGEST_TEXT],
        attempts=exchange.attempts,
        is_stream=exchange.is_stream,
        is_cut=exchange.is_cut,
        first_byte_ms=_milliseconds(exchange.first_byte - exchange.started) if exchange.first_byte else None,
        overhead_us=exchange.overhead_us if exchange.first_byte else None,
        request_bytes=exchange.body_size,
        response_bytes=exchange.response_bytes,
        usage=usage,
        usage_source=exchange.usage_source,
        is_estimated=exchange.usage_source in ("counted", "length"),
        client_disconnected=exchange.is_client_gone,
        error_source=error.source if error is not None else "upstream" if exchange.upstream_status >= 400 else None,
        error=error.code if error is not None else reading.error,
        upstream_status=exchange.upstream_status or None,
        upstream_request_id=exchange.upstream_request_id or None,
        response_id=reading.response_id,
        finish_reason=reading.finish_reason,
        session_id=exchange.session[:LONGEST_TEXT] or None,
        client_address=exchange.client.address,
        tags=principal.tags,
    )


def metadata_of(model: str, usage: Usage | None, created: int) -> Metadata:
    """The part of an event that other systems' logs call metadata."""
    if usage is None:
        return Metadata(model=model, created=created)
    return Metadata(model, usage.input_tokens, usage.output_tokens, usage.total_tokens, created)


def question_of(exchange: "Exchange") -> Count:
    """What the control process needs to count this exchange: text that goes over the link, never into the journal."""
    reading = exchange.reading
    tap = exchange.tap
    is_text = exchange.is_stream or tap is None
    answer = reading.text.encode("utf-8", "replace") if is_text else tap.body() if tap is not None else b""
    body = exchange.whole_body() if exchange.is_held else b""
    return Count(
        0,
        exchange.route.dialect.name,
        exchange.route.operation,
        exchange.model,
        body,
        answer,
        is_text,
        reading.text_dropped,
    )


def with_count(event: Event, reported: Usage, answer: Counted) -> Event:
    """The event with its guess replaced by a count."""
    usage = merged(reported, answer.input_tokens, answer.output_tokens)
    return msgspec.structs.replace(
        event,
        usage=usage,
        usage_source=cast("UsageSource", answer.source),
        metadata=metadata_of(event.metadata.model, usage, event.metadata.created),
    )


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
