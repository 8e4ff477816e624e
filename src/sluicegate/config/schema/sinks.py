"""Sinks: where events are sent to, which of them, and how."""

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from sluicegate.config import fields as kinds
from sluicegate.config.schema.section import Section

_SINK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_FIELD_NAME = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")


def _sink_name(name: str) -> str:
    if _SINK_NAME.fullmatch(name) is None:
        raise ValueError("is no name for a sink: lower-case letters, digits, _ and -, at most 64")
    return name


def _sink_url(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    message = "must be http://host/path or https://host/path, without user, password and fragment"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(message) from None
    is_plain = text.isascii() and text.isprintable() and " " not in text and "#" not in text and "@" not in parts.netloc
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or not is_plain:
        raise ValueError(message)
    return value


def _field_name(name: str) -> str:
    if _FIELD_NAME.fullmatch(name) is None:
        raise ValueError("must be a field of the event, as in status_code or usage.input_tokens")
    return name


SinkName = Annotated[str, AfterValidator(_sink_name)]
SinkUrl = Annotated[SecretStr, AfterValidator(_sink_url)]
"""Secret: many such addresses hold a token in their path or query."""
FieldName = Annotated[str, AfterValidator(_field_name)]
Compared = bool | int | float | str


class FilterSettings(Section):
    """A condition on one field of an event. All that is set must hold."""

    field: FieldName
    """Which: `status_code`, `usage.input_tokens`, `kind`."""
    any_of: tuple[Compared, ...] = ()
    """It is one of these, or holds one of them where it is a list; in a text, `*` stands for anything."""
    none_of: tuple[Compared, ...] = ()
    """It is, or holds, none of these."""
    at_least: float | None = None
    """It is a number, and not below this."""
    at_most: float | None = None
    """It is a number, and not above this."""
    present: bool | None = None
    """Whether it must be there, or must not."""

    @model_validator(mode="after")
    def _says_something(self) -> "FilterSettings":
        if self.model_fields_set <= {"field"}:
            raise ValueError("has no condition: any_of, none_of, at_least, at_most or present")
        return self


class BatchSettings(Section):
    """How many events are sent together."""

    count: Annotated[kinds.Count, Field(le=10_000)] = 100
    """Most events of one request. A sink that takes fewer is sent fewer."""
    bytes: kinds.Count = 262_144
    """Most bytes of all its events as JSON; one that is larger goes alone."""
    seconds: kinds.Seconds = 1.0
    """How long events are waited for: so often there is a look whether there are any."""


class SinkRetries(Section):
    """What is done about a request that failed for a reason that may pass."""

    attempts: kinds.Count = 30
    """Most times that it is sent; then its events are dead letters. With the pauses below, 30 take some 20 minutes."""
    backoff: kinds.Seconds = 0.5
    """Longest first pause, in seconds; it doubles each time, and a random part of it is waited."""
    longest_wait: kinds.Seconds = 60.0
    """Longest pause, in seconds; a `Retry-After` is followed up to ten times as long."""


class SinkSettings(Section):
    """One place that events are sent to. Which settings it takes depends on its type."""

    type: kinds.PlainName
    """`file`, `webhook`, `redis`, `otlp`, `langfuse`, `helicone`, `lunary`, `eventbridge` or `cloudwatch`."""
    run_by: Literal["gateway", "dispatcher"] = "gateway"
    """Who sends: the gateway itself, or processes of `sluicegate dispatcher` that are started for it."""
    filters: tuple[FilterSettings, ...] = ()
    """Which events are sent: those for which all of these hold."""
    fields: tuple[FieldName, ...] = ()
    """Fields of the event that are sent; none for all."""
    omit_fields: tuple[FieldName, ...] = ()
    """Fields of the event that are not sent."""
    batch: BatchSettings = BatchSettings()
    """How many events are sent together."""
    concurrency: Annotated[kinds.Count, Field(le=64)] = 4
    """Most requests under way at the same time; with 1, events arrive in order."""
    timeout: kinds.Seconds = 10.0
    """Longest time for one request, in seconds."""
    retries: SinkRetries = SinkRetries()
    """What is done about a request that failed for a reason that may pass."""
    dead_bytes: kinds.Count = 268_435_456
    """Most bytes of its dead letters; beyond it half of them, the oldest, are deleted, which is logged as an error."""
    url: SinkUrl | None = None
    """Where requests go; secret, as many hold a token. Where the sink has an address of its own, this replaces it."""
    headers: dict[kinds.HeaderName, kinds.HeaderValue] = {}
    """More headers of each request, secret."""
    secret: kinds.Secret | None = None
    """What a webhook's requests are signed with: `whsec_` and base64, or any text."""
    api_key: kinds.Secret | None = None
    """Key of a Helicone account, or of a Lunary project."""
    public_key: kinds.Secret | None = None
    """Public key of a Langfuse project."""
    secret_key: kinds.Secret | None = None
    """Secret key of that project."""
    service_name: kinds.PlainName = "sluicegate"
    """Name of the service that spans are said to come from."""
    unsampled: bool = False
    """Whether there are spans, too, of requests whose `traceparent` says that their trace is not sampled."""
    region: kinds.UrlPart | None = None
    """AWS region. Not set, `AWS_REGION` is asked."""
    access_key_id: kinds.Secret | None = None
    """Key of an AWS account. Not set, `AWS_ACCESS_KEY_ID` is asked."""
    secret_access_key: kinds.Secret | None = None
    """The secret part of that key. Not set, `AWS_SECRET_ACCESS_KEY` is asked."""
    session_token: kinds.Secret | None = None
    """What belongs to a temporary key. Not set, `AWS_SESSION_TOKEN` is asked."""
    bus: kinds.PlainName = "default"
    """EventBridge: name or ARN of the event bus."""
    source: kinds.PlainName = "sluicegate"
    """EventBridge: what is said to be the source."""
    log_group: kinds.PlainName | None = None
    """CloudWatch Logs: the log group; made where it is missing."""
    log_stream: kinds.PlainName = "sluicegate"
    """CloudWatch Logs: the log stream; made where it is missing. Several nodes may share one."""
    path: kinds.PathName | None = None
    """File: where lines are appended."""
    largest_bytes: kinds.Count = 104_857_600
    """File: size in bytes from which on it gives way to a new one."""
    period_seconds: kinds.Seconds | None = None
    """File: seconds of a period, counted from 1970 in UTC (86400 is a day); in each, the first event begins a new file.
    Not set, its size alone decides."""
    keep: kinds.CountOrNone = 10
    """File: most files that gave way and are kept; 0 for all."""
    gzip: bool = True
    """File: whether these are compressed."""
    fsync: bool = True
    """File: whether events count as written only when they are on the disk."""
    address: kinds.RedisUrl | None = None
    """Redis Streams: the server, as the setting `redis` names it."""
    stream: kinds.PlainName = "sluicegate:events"
    """Redis Streams: key of the stream."""
    most: kinds.Count = 1_000_000
    """Redis Streams: about how many events the stream keeps; the oldest go first."""

    @model_validator(mode="after")
    def _selects_one_way(self) -> "SinkSettings":
        if self.fields and self.omit_fields:
            raise ValueError("has both fields and omit_fields: one of them says it all")
        return self

    def text(self, name: str) -> str:
        """What a setting holds, secret or not; empty where it is not set."""
        value: Any = getattr(self, name)
        if isinstance(value, SecretStr):
            return value.get_secret_value()
        return "" if value is None else str(value)
