"""What is kept of the bodies of requests."""

from sluicegate.config import fields
from sluicegate.config.schema.section import Section
from sluicegate.domain.redaction import KINDS, Kind


class BodySettings(Section):
    """Bodies of requests and answers, of projects that want it."""

    enabled: bool = False
    """Whether bodies are kept of the requests of projects that have a `body_share`. It needs the request log."""
    retention_seconds: fields.Seconds = 604_800.0
    """How long they are kept."""
    rows: fields.Count = 100_000
    """Most requests whose bodies are kept; beyond it the oldest go."""
    redact: tuple[Kind, ...] = KINDS
    """What is taken out of them: addresses of mail (`email`), numbers of cards (`card`), and what looks like a
    credential (`key`). Secrets of this file always are, and the caller's token."""
    redact_fields: tuple[fields.PlainName, ...] = (
        *("password", "passwd", "secret", "api_key", "apikey", "access_token", "refresh_token", "client_secret"),
        *("authorization", "private_key", "ssn", "cvv", "cvc"),
    )
    """JSON members whose values are taken out whatever they are, in any case and at any depth."""
