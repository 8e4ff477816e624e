"""Token usage as the OpenAI family reports it: one shape for all spellings its members use."""

from msgspec import Struct

from sluicegate.dialects.lenient import count
from sluicegate.domain.usage import Usage


class Details(Struct, gc=False):
    """Parts of a count (`prompt_tokens_details`, `output_tokens_details` …)."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    reasoning_tokens: int | None = None


_NO_DETAILS = Details()


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
    tokens_in = count(reported.prompt_tokens) or count(reported.input_tokens)
    tokens_out = count(reported.completion_tokens) or count(reported.output_tokens)
    reasoning = count(outs.reasoning_tokens)
    if reasoning and count(reported.total_tokens) == tokens_in + tokens_out + reasoning:
        # xAI reports reasoning beside the completion, not within it; only the total tells.
        tokens_out += reasoning
    cached = (
        count(ins.cached_tokens)
        or count(reported.prompt_cache_hit_tokens)
        or count(reported.num_cached_tokens)
        or count(reported.cached_tokens)
    )
    return Usage(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cache_read_tokens=cached,
        cache_write_tokens=count(ins.cache_write_tokens),
        reasoning_tokens=reasoning,
        input_audio_tokens=count(ins.audio_tokens),
        output_audio_tokens=count(outs.audio_tokens),
    )


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
