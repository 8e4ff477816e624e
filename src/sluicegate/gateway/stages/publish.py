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

_ESTIMATES = frozenset({"counted", "length"})


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
    started = exchange.started
    has_answer = exchange.first_byte > 0.0
    source = exchange.usage_source
    # By position, in the order of the fields: naming thirty-six of them costs a microsecond of every request.
    return Event(
        exchange.request_id,
        services.timestamp(exchange.wall),
        principal.token_id,
        principal.project_id,
        principal.organization_id,
        route.endpoint,
        route.method_name,
        exchange.status,
        _milliseconds(exchange.ended - started),
        metadata_of(model[:LONGEST_TEXT], usage, int(exchange.wall)),
        principal.user_id,
        route.kind,
        route.dialect.name,
        route.operation,
        runtime.name if runtime is not None else "",
        exchange.requested_model[:LONGEST_TEXT],
        model[:LONGEST_TEXT],
        exchange.attempts,
        exchange.is_stream,
        exchange.is_cut,
        _milliseconds(exchange.first_byte - started) if has_answer else None,
        exchange.overhead_us if has_answer else None,
        exchange.body_size,
        exchange.response_bytes,
        usage,
        source,
        source in _ESTIMATES,
        exchange.is_client_gone,
        error.source if error is not None else "upstream" if exchange.upstream_status >= 400 else None,
        error.code if error is not None else reading.error,
        exchange.upstream_status or None,
        exchange.upstream_request_id or None,
        reading.response_id,
        reading.finish_reason,
        exchange.head.session[:LONGEST_TEXT] or None,
        exchange.client.address,
        principal.tags,
    )


def metadata_of(model: str, usage: Usage | None, created: int) -> Metadata:
    """The part of an event that other systems' logs call metadata."""
    if usage is None:
        return Metadata(model=model, created=created)
    used, made = usage.input_tokens, usage.output_tokens
    return Metadata(model, used, made, used + made, created)


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
    return int(seconds * 1e6) / 1000
