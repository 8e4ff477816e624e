"""What one exchange consumed, in tokens, in one vocabulary for all providers."""

from typing import Literal

from msgspec import Struct

UsageSource = Literal["reported", "counted", "length", "none"]
"""Where the figures come from: the provider's own report; a real tokenizer run over the captured text; a guess from the
text's length where no tokenizer could run; nothing to count (no model was involved, or the request failed)."""


class Usage(Struct, frozen=True, omit_defaults=True):
    """Token counts of one exchange. All are ≥ 0.

    `input_tokens` includes what was read from or written to the provider's prompt cache; `output_tokens` includes
    reasoning; so `input_tokens + output_tokens` is what the exchange processed. The other fields are parts of the two,
    kept apart because they are priced apart. (The vocabulary of OpenTelemetry's GenAI conventions.)
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    cache_write_1h_tokens: int = 0
    """Of `cache_write_tokens`, what is kept for an hour: that costs more than the usual five minutes (Anthropic)."""

    @property
    def total_tokens(self) -> int:
        """All tokens in and out."""
        return self.input_tokens + self.output_tokens


def total(one: Usage, other: Usage) -> Usage:
    """What two attempts of one exchange consumed together."""
    return Usage(*[getattr(one, name) + getattr(other, name) for name in Usage.__struct_fields__])


class Reading(Struct, frozen=True):
    """What a dialect understood of one answer.

    `usage` is None where the provider reported none. `is_usage_final` is False where a stream was cut after its input
    was reported and before its output was (Anthropic): `usage.input_tokens` holds, the output must be counted.
    `text` is what the model produced in a stream, captured only so that it can be counted: it is empty when `usage` is
    there and final. `text_dropped` is how many bytes of it exceeded the capture bound.
    `is_complete` says that the answer ended as its API says it must (a stream's last event was seen).
    `error` is the provider's own error type where the answer, whatever its status, turned out to be one.
    `provider_cost` is what the provider says it charged, in nano-dollars; None where it does not say.
    `service` is the tier that served it where it says so and that is not the usual one: `flex`, `priority`, `batch` …
    """

    usage: Usage | None = None
    is_usage_final: bool = True
    model: str | None = None
    response_id: str | None = None
    finish_reason: str | None = None
    text: str = ""
    text_dropped: int = 0
    is_complete: bool = True
    error: str | None = None
    provider_cost: int | None = None
    service: str | None = None
