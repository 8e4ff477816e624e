"""Token usage as the OpenAI family reports it: one shape for all spellings its members use.

Some say what they charged, too. OpenRouter: `cost` in dollars (https://openrouter.ai/docs/use-cases/usage-accounting),
which with a key of the caller's own (`is_byok`) is its fee alone, beside what the provider behind it took. Perplexity:
`cost` with a `total_cost` in dollars. xAI: `cost_in_usd_ticks`, 10**10 of which are a dollar
(https://docs.x.ai/developers/cost-tracking).
"""

from decimal import ROUND_HALF_EVEN, Decimal

from msgspec import Struct

from sluicegate.dialects.lenient import count
from sluicegate.domain.money import MAXIMUM_DOLLARS, NANO
from sluicegate.domain.usage import Usage

_TICKS_PER_NANO = 10
_LARGEST = MAXIMUM_DOLLARS * NANO * _TICKS_PER_NANO
"""Of any unit: beyond it nothing makes sense."""


class Details(Struct, gc=False):
    """Parts of a count (`prompt_tokens_details`, `output_tokens_details` …)."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    reasoning_tokens: int | None = None


_NO_DETAILS = Details()


class CostDetails(Struct, gc=False):
    """Parts of OpenRouter's `cost`."""

    upstream_inference_cost: int | float | None = None


class TotalCost(Struct, gc=False):
    """Perplexity's `cost`."""

    total_cost: int | float | None = None


class ReportedUsage(Struct, gc=False):
    """The object `usage`.

    Chat and completions count `prompt_tokens` and `completion_tokens`; Responses, images and audio `input_tokens` and
    `output_tokens` (audio: `input_token_details`, and `seconds` for models billed by duration). Of the relatives,
    DeepSeek reports `prompt_cache_hit_tokens`, Mistral `num_cached_tokens`, Moonshot `cached_tokens`.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    seconds: int | float | None = None
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None
    input_tokens_details: Details | None = None
    output_tokens_details: Details | None = None
    input_token_details: Details | None = None
    output_token_details: Details | None = None
    prompt_cache_hit_tokens: int | None = None
    num_cached_tokens: int | None = None
    cached_tokens: int | None = None
    cost: int | float | TotalCost | None = None
    is_byok: bool | None = None
    cost_details: CostDetails | None = None
    cost_in_usd_ticks: int | None = None


def usage_of(reported: ReportedUsage | None) -> Usage | None:
    """The report in our vocabulary; None where it holds no count. A duration alone is a report of no tokens."""
    if reported is None:
        return None
    if (
        reported.prompt_tokens is None
        and reported.completion_tokens is None
        and reported.input_tokens is None
        and reported.output_tokens is None
        and reported.seconds is None
    ):
        return None
    ins = reported.prompt_tokens_details or reported.input_tokens_details or reported.input_token_details or _NO_DETAILS
    outs = (
        reported.completion_tokens_details
        or reported.output_tokens_details
        or reported.output_token_details
        or _NO_DETAILS
    )
    tokens_in = count(reported.prompt_tokens or reported.input_tokens)
    tokens_out = count(reported.completion_tokens or reported.output_tokens)
    # Most details are zero, or missing: what is not asked for need not be called.
    reasoning = count(outs.reasoning_tokens) if outs.reasoning_tokens else 0
    if reasoning and count(reported.total_tokens) == tokens_in + tokens_out + reasoning:
        # xAI reports reasoning beside the completion, not within it; only the total tells.
        tokens_out += reasoning
    cached = (
        ins.cached_tokens or reported.prompt_cache_hit_tokens or reported.num_cached_tokens or reported.cached_tokens
    )
    return Usage(
        tokens_in,
        tokens_out,
        count(cached) if cached else 0,
        count(ins.cache_write_tokens) if ins.cache_write_tokens else 0,
        reasoning,
        count(ins.audio_tokens) if ins.audio_tokens else 0,
        count(outs.audio_tokens) if outs.audio_tokens else 0,
    )


def provider_cost_of(reported: ReportedUsage | None) -> int | None:
    """What the provider says it charged, in nano-dollars, to the nearest one; None where it does not say.

    What is negative or beyond all sense counts as not said.
    """
    if reported is None:
        return None
    if reported.cost_in_usd_ticks is not None:
        return _nearest((reported.cost_in_usd_ticks,), Decimal(1) / _TICKS_PER_NANO)
    cost = reported.cost.total_cost if isinstance(reported.cost, TotalCost) else reported.cost
    if cost is None:
        return None
    details = reported.cost_details
    behind = details.upstream_inference_cost if reported.is_byok and details is not None else None
    return _nearest((cost, behind or 0), Decimal(NANO))


def _nearest(amounts: tuple[int | float, ...], unit: Decimal) -> int | None:
    """The sum of amounts, each `unit` nano-dollars: of the digits they are written with, as doubles would not keep."""
    # Not a number is refused by this, too.
    if not all(0 <= amount <= _LARGEST for amount in amounts):
        return None
    nano = sum((Decimal(repr(amount)) for amount in amounts), Decimal()) * unit
    return int(nano.to_integral_value(ROUND_HALF_EVEN)) if nano <= MAXIMUM_DOLLARS * NANO else None


class ReportedError(Struct, gc=False):
    """The object `error` of a failed answer; OpenRouter's `code` is a number, others leave out `type`."""

    type: str | None = None
    code: str | int | None = None


def error_of(reported: ReportedError | str | None) -> str | None:
    """The provider's own name for what went wrong; None where nothing did."""
    if reported is None:
        return None
    if isinstance(reported, str):
        return reported[:64] or None
    return str(reported.code or reported.type or "error")[:64]
