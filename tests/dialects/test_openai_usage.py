"""Usage as the members of the OpenAI family report it."""

import msgspec
import pytest

from sluicegate.dialects.openai_usage import ReportedError, ReportedUsage, error_of, provider_cost_of, usage_of
from sluicegate.domain.usage import Usage


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (b'{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}', Usage(9, 4)),
        (b'{"prompt_tokens":9,"total_tokens":9}', Usage(9)),
        (
            b'{"prompt_tokens":90,"completion_tokens":40,"total_tokens":130,'
            b'"prompt_tokens_details":{"cached_tokens":64,"audio_tokens":3},'
            b'"completion_tokens_details":{"reasoning_tokens":32,"audio_tokens":5,"accepted_prediction_tokens":0}}',
            Usage(90, 40, cache_read_tokens=64, reasoning_tokens=32, input_audio_tokens=3, output_audio_tokens=5),
        ),
        (
            b'{"input_tokens":90,"output_tokens":40,"input_tokens_details":{"cached_tokens":64,"cache_write_tokens":7},'
            b'"output_tokens_details":{"reasoning_tokens":32}}',
            Usage(90, 40, cache_read_tokens=64, cache_write_tokens=7, reasoning_tokens=32),
        ),
        (
            b'{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":0,"audio_tokens":14},'
            b'"output_tokens":45,"output_token_details":{"audio_tokens":2}}',
            Usage(14, 45, input_audio_tokens=14, output_audio_tokens=2),
        ),
        (b'{"type":"duration","seconds":27.5}', Usage()),
        (b'{"prompt_tokens":9,"completion_tokens":4,"prompt_cache_hit_tokens":8}', Usage(9, 4, cache_read_tokens=8)),
        (b'{"prompt_tokens":9,"completion_tokens":4,"num_cached_tokens":7}', Usage(9, 4, cache_read_tokens=7)),
        (b'{"prompt_tokens":9,"completion_tokens":4,"cached_tokens":6}', Usage(9, 4, cache_read_tokens=6)),
        (
            b'{"prompt_tokens":9,"completion_tokens":4,"total_tokens":20,"completion_tokens_details":{"reasoning_tokens":7}}',
            Usage(9, 11, reasoning_tokens=7),
        ),
        (b'{"prompt_tokens":-3,"completion_tokens":4}', Usage(0, 4)),
        (b'{"prompt_tokens":0,"completion_tokens":0}', Usage()),
        (b'{"total_tokens":5}', None),
        (b"{}", None),
    ],
)
def test_all_spellings_mean_the_same(reported: bytes, usage: Usage | None) -> None:
    """Every documented shape of `usage` becomes our vocabulary; one without any count is no report."""
    assert usage_of(msgspec.json.decode(reported, type=ReportedUsage)) == usage


@pytest.mark.parametrize(
    ("reported", "nano"),
    [
        (b'{"cost":0.0160614}', 16_061_400),
        (b'{"cost":4.1400000000000003e-05}', 41_400),
        (b'{"cost":0.0004970133333333333}', 497_013),
        (b'{"cost":0.3}', 300_000_000),
        (b'{"cost":9007199.254740993}', 9_007_199_254_740_993),
        (b'{"cost":2}', 2_000_000_000),
        (b'{"cost":0}', 0),
        (b'{"cost":0.0000000005}', 0),
        (b'{"cost":0.0000000006}', 1),
        (b'{"cost":0.001,"is_byok":false,"cost_details":{"upstream_inference_cost":0.5}}', 1_000_000),
        (b'{"cost":0.000016,"is_byok":true,"cost_details":{"upstream_inference_cost":0.0003253}}', 341_300),
        (b'{"cost":0,"is_byok":true,"cost_details":{}}', 0),
        (b'{"cost":0.25,"is_byok":true}', 250_000_000),
        (b'{"cost":{"input_tokens_cost":0.1,"total_cost":0.006}}', 6_000_000),
        (b'{"cost":{"total_cost":null}}', None),
        (b'{"cost_in_usd_ticks":37756000}', 3_775_600),
        (b'{"cost_in_usd_ticks":18}', 2),
        (b'{"cost_in_usd_ticks":-18}', None),
        (b'{"cost":-0.5}', None),
        (b'{"cost":1e300}', None),
        (b'{"cost":null}', None),
        (b"{}", None),
    ],
)
def test_what_was_charged_is_read_by_its_digits(reported: bytes, nano: int | None) -> None:
    """Dollars and ticks become nano-dollars, to the nearest; with a key of the caller's own, both bills count."""
    assert provider_cost_of(msgspec.json.decode(reported, type=ReportedUsage)) == nano


def test_no_report_is_none() -> None:
    """No usage is None, not zero."""
    assert usage_of(None) is None
    assert provider_cost_of(None) is None


@pytest.mark.parametrize(
    ("reported", "name"),
    [
        (None, None),
        ("", None),
        ("overloaded", "overloaded"),
        (ReportedError("server_error", "rate_limit_exceeded"), "rate_limit_exceeded"),
        (ReportedError("server_error"), "server_error"),
        (ReportedError(code=502), "502"),
        (ReportedError(), "error"),
        ("e" * 100, "e" * 64),
    ],
)
def test_error_has_a_short_name(reported: ReportedError | str | None, name: str | None) -> None:
    """An error is named by its code, else its type, and never at length."""
    assert error_of(reported) == name
