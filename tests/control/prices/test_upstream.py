"""Our providers are recognised in the bundled table."""

import pytest
from genai_prices.data import providers

from sluicegate.control.prices.upstream import Upstream, candidates, reported
from sluicegate.domain.pricing import Price, Rates


@pytest.mark.parametrize(
    ("upstream", "model", "expected"),
    [
        (Upstream("mine", "openai", "https://api.openai.com/v1"), "gpt-4o", [("openai", "gpt-4o")]),
        (Upstream("openai", "openai", "http://127.0.0.1:1/v1"), "gpt-4o", [("openai", "gpt-4o")]),
        (Upstream("local", "openai", "http://127.0.0.1:1/v1"), "openai/gpt-4o", []),
        (Upstream("local", "openai", "http://127.0.0.1:1/v1"), "llama3", []),
        (Upstream("relay", "anthropic", "https://llm.example"), "claude-x", [("anthropic", "claude-x")]),
        (Upstream("g", "gemini", "https://llm.example"), "models/gemini-x", [("google", "gemini-x")]),
        (
            Upstream("cf", "openai", "https://gateway.ai.cloudflare.com/v1/a/b/compat"),
            "openai/gpt-4o",
            [("openai", "gpt-4o")],
        ),
        (
            Upstream("cf", "openai", "https://gateway.ai.cloudflare.com/v1/a/b/anthropic"),
            "claude-x",
            [("anthropic", "claude-x")],
        ),
        (
            Upstream("or", "openai", "https://openrouter.ai/api/v1"),
            "openai/gpt-4o",
            [("openrouter", "openai/gpt-4o"), ("openai", "gpt-4o")],
        ),
        (Upstream("x", "openai", "https://llm.example"), "nobody/gpt-4o", []),
    ],
)
def test_candidates(upstream: Upstream, model: str, expected: list[tuple[str, str]]) -> None:
    """The address decides, else name or dialect; a prefix names a provider, but not on a server of one's own."""
    assert [(provider.id, name) for provider, name in candidates(upstream, model, providers)] == expected


def test_only_the_dialect_that_tells_hours_apart_has_a_rate_for_them() -> None:
    """Elsewhere such a rate would only make more be set aside."""
    price = Price("v", Rates(input=3, output=15))
    assert reported(price, Upstream("a", "anthropic")).rates.cache_write_1h == 6
    assert reported(price, Upstream("a", "openai")) == price
