"""The types of sinks, and which settings each of them takes: one line for each.

The name of a type is that of its module in `events/sinks/`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

EVERY_SINK = frozenset(
    {"type", "run_by", "filters", "fields", "omit_fields", "batch", "concurrency", "timeout", "retries", "dead_bytes"}
)
"""Settings that mean something to all of them."""

AWS = ("access_key_id", "secret_access_key")


@dataclass(frozen=True, slots=True)
class SinkKind:
    """What a sink of one type must be told, what it may be told, and the values it has where it is not."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    """Settings that are taken from a variable of the environment where they are not set."""

    @property
    def settings(self) -> frozenset[str]:
        """All that it takes."""
        return EVERY_SINK | {*self.required, *self.optional}


_AWS_VARIABLES = (
    ("access_key_id", "AWS_ACCESS_KEY_ID"),
    ("secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("session_token", "AWS_SESSION_TOKEN"),
    ("region", "AWS_REGION"),
)
_LANGFUSE_VARIABLES = (
    ("url", "LANGFUSE_HOST"),
    ("public_key", "LANGFUSE_PUBLIC_KEY"),
    ("secret_key", "LANGFUSE_SECRET_KEY"),
)

KINDS: Mapping[str, SinkKind] = MappingProxyType(
    {
        "file": SinkKind(("path",), ("largest_bytes", "period_seconds", "keep", "gzip", "fsync")),
        "redis": SinkKind(("address",), ("stream", "most")),
        "webhook": SinkKind(("url",), ("secret", "headers")),
        "otlp": SinkKind(("url",), ("headers", "service_name", "unsampled")),
        "langfuse": SinkKind(("public_key", "secret_key"), ("url", "service_name", "unsampled"), _LANGFUSE_VARIABLES),
        "helicone": SinkKind(("api_key",), ("url",), (("api_key", "HELICONE_API_KEY"),)),
        "lunary": SinkKind(("api_key",), ("url",), (("api_key", "LUNARY_PUBLIC_KEY"),)),
        "eventbridge": SinkKind(("region", *AWS), ("session_token", "url", "bus", "source"), _AWS_VARIABLES),
        "cloudwatch": SinkKind(("region", *AWS, "log_group"), ("session_token", "url", "log_stream"), _AWS_VARIABLES),
    }
)
"""By name."""
