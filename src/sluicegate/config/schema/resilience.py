"""What is done about providers in trouble: waiting, asking again, leaving alone, asking less."""

from typing import Annotated

from pydantic import Field, model_validator

from sluicegate.config import fields
from sluicegate.config.schema.section import Section
from sluicegate.domain.snapshot import Circuit, Concurrency, Retries, Timeouts

_TIMEOUTS = Timeouts()
_RETRIES = Retries()
_CIRCUIT = Circuit()
_CONCURRENCY = Concurrency()


class ProviderTimeouts(Section):
    """How long a provider may take, in seconds."""

    connect: fields.Seconds = _TIMEOUTS.connect
    """Until the connection stands, TLS included."""
    first_byte: fields.Seconds = _TIMEOUTS.first_byte
    """From the request's last byte to the answer's first."""
    between_bytes: fields.Seconds = _TIMEOUTS.between_bytes
    """Longest pause within an answer, and in taking a request's body."""
    total: fields.Seconds = _TIMEOUTS.total
    """From the request's first byte to the answer's last."""


class RetriesSettings(Section):
    """When a request is sent again before any of its answer has gone to the client."""

    attempts: Annotated[fields.Count, Field(le=10)] = _RETRIES.attempts
    """Most times that one request is sent, the first included; 1 for never again."""
    statuses: tuple[fields.FailedStatus, ...] = _RETRIES.statuses
    """Statuses of an answer that may be better elsewhere, or a moment later."""
    backoff: fields.SecondsOrNone = _RETRIES.backoff
    """Middle of the first pause, in seconds, before the same target is asked again; it doubles, and varies by half."""
    longest_wait: fields.SecondsOrNone = _RETRIES.longest_wait
    """Longest `Retry-After`, in seconds, that is waited for."""
    deadline: fields.Seconds = _RETRIES.deadline
    """Seconds after the request's beginning, from which on it is not sent again."""
    budget: fields.Share = _RETRIES.budget
    """Share of the live requests that may be sent again, so that a provider in trouble is not asked more for it."""


class CircuitSettings(Section):
    """When a deployment is left alone for a while."""

    consecutive: fields.Count = _CIRCUIT.consecutive
    """So many failures in a row."""
    rate: Annotated[fields.Share, Field(gt=0)] = _CIRCUIT.rate
    """Or this share of the requests within `window`, where there were at least `least`."""
    least: fields.Count = _CIRCUIT.least
    """Fewest requests of which a share counts."""
    window: fields.Seconds = _CIRCUIT.window
    """Seconds that failures are counted over."""
    ejection: fields.Seconds = _CIRCUIT.ejection
    """Seconds that it is left alone at first; then one request tries it, and each further time is twice as long."""
    longest_ejection: fields.Seconds = _CIRCUIT.longest_ejection
    """Longest time, in seconds, that it is left alone."""
    opens_last: bool = _CIRCUIT.opens_last
    """Whether the last healthy deployment of a choice is left alone, too, and requests are refused with 503 instead."""

    @model_validator(mode="after")
    def _grows(self) -> "CircuitSettings":
        if self.longest_ejection < self.ejection:
            raise ValueError("has an ejection that is longer than longest_ejection")
        return self


class ConcurrencySettings(Section):
    """How many requests a deployment is given at the same time by one worker, up to `max_connections`."""

    adaptive: bool = _CONCURRENCY.adaptive
    """Whether it is given fewer while it says that it is overloaded."""
    least: fields.Count = _CONCURRENCY.least
    """Never fewer than this: what refuses so few is not overloaded by them."""
    queue: fields.CountOrNone = _CONCURRENCY.queue
    """Most requests that wait for it, organisations in turn, each for the provider's `max_wait`; 0 for none."""


class Resilience(Section):
    """What is done about providers in trouble."""

    retries: RetriesSettings = RetriesSettings()
    """When a request is sent again."""
    circuit: CircuitSettings = CircuitSettings()
    """When a deployment is left alone for a while."""
    concurrency: ConcurrencySettings = ConcurrencySettings()
    """How many requests a deployment is given at the same time."""
