"""How a limit's state is told."""

import msgspec
import pytest

from sluicegate.dialects.base import Dialect, Resets
from sluicegate.dialects.limits import anthropic_form, duration, limit_facts, openai_form
from sluicegate.dialects.table import DIALECTS
from sluicegate.domain.errors import BadRequestError, LimitFacts, RateLimitedError
from sluicegate.domain.usage import Reading

FACTS = LimitFacts("token", "tok_1", "tokens", "5h", 90, 100, "2026-01-01T00:00:00Z", "org_a")


def test_facts_are_members_of_an_error() -> None:
    """What is not known is left out; for tokens they are told in older words, too."""
    error = RateLimitedError("too many", facts=FACTS, retry_after=5.0)
    assert limit_facts(error) == {
        "limit": {
            "scope": "token",
            "scope_id": "tok_1",
            "metric": "tokens",
            "window": "5h",
            "used": 90,
            "maximum": 100,
            "resets_at": "2026-01-01T00:00:00Z",
            "organization_id": "org_a",
        },
        "tokens_used": 90,
        "tokens_limit": 100,
        "window_ends_at": "2026-01-01T00:00:00Z",
    }
    requests = RateLimitedError("", facts=msgspec.structs.replace(FACTS, metric="requests"))
    assert list(limit_facts(requests)) == ["limit"]


def test_other_errors_have_none() -> None:
    """Nor has one without facts."""
    assert limit_facts(BadRequestError("no")) == limit_facts(RateLimitedError("no")) == {}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=str)
def test_every_api_tells_the_facts(dialect: Dialect) -> None:
    """Somewhere in its error object."""
    body = msgspec.json.decode(dialect.error_body(RateLimitedError("too many", facts=FACTS), "req_1"))
    assert body["error"]["limit"]["scope_id"] == "tok_1"
    assert body["error"]["tokens_limit"] == 100


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.85, "850ms"), (7.0, "7s"), (7.2, "8s"), (360.0, "6m0s"), (7203.0, "2h0m3s"), (-1.0, "0ms")],
)
def test_durations(seconds: float, text: str) -> None:
    """As Go writes them, rounded up to the second."""
    assert duration(seconds) == text


def test_header_fields() -> None:
    """Each API's names; without a reset none is told."""
    resets = Resets(360.0, "2026-01-01T00:00:00Z")
    assert openai_form("requests", 10, resets) % 4 == (
        b"x-ratelimit-limit-requests: 10\r\nx-ratelimit-remaining-requests: 4\r\nx-ratelimit-reset-requests: 6m0s\r\n"
    )
    assert anthropic_form("tokens", 10, resets) % 4 == (
        b"anthropic-ratelimit-tokens-limit: 10\r\nanthropic-ratelimit-tokens-remaining: 4\r\n"
        b"anthropic-ratelimit-tokens-reset: 2026-01-01T00:00:00Z\r\n"
    )
    assert b"reset" not in openai_form("tokens", 1, None) + anthropic_form("tokens", 1, None)
    for dialect in DIALECTS.values():
        assert dialect.limit_form("tokens", 1, None).endswith(b": %d\r\n")


@pytest.mark.parametrize(
    ("name", "operation", "mark"),
    [
        ("openai", "chat", b'"finish_reason":"length"'),
        ("openai", "completions", b'"finish_reason":"length"'),
        ("openai", "responses", b'"reason":"max_output_tokens"'),
        ("anthropic", "messages", b'"stop_reason":"max_tokens"'),
        ("gemini", "generate", b'"finishReason":"MAX_TOKENS"'),
    ],
)
def test_streams_end_as_if_the_model_had_reached_its_cap(name: str, operation: str, mark: bytes) -> None:
    """What our own reader understands of it is a complete answer that was cut short."""
    dialect = DIALECTS[name]
    ending = dialect.length_ending("req_1", operation, Reading(response_id="r1", model="m"), 7)
    assert mark in ending
    assert ending.endswith(b"\n\n")
    reader = dialect.stream_reader(operation)
    reader.feed([line[6:] for line in ending.split(b"\n") if line.startswith(b"data: ")])
    assert reader.is_complete
    assert reader.reading().finish_reason in {"length", "max_output_tokens", "max_tokens", "MAX_TOKENS"}


def test_what_has_no_such_ending() -> None:
    """Nothing is made up."""
    for name, operation in (("openai", "audio"), ("anthropic", "complete"), ("gemini", "files"), ("generic", "chat")):
        assert DIALECTS[name].length_ending("req_1", operation, Reading(), 0) == b""


def test_where_caps_are() -> None:
    """By operation, and where relatives differ, by host; and what an image takes at most."""
    openai = DIALECTS["openai"]
    new, old = openai.cap_fields("chat", "api.openai.com:443"), openai.cap_fields("chat", "ollama.lan:11434")
    assert new is not None
    assert old is not None
    assert (new.names[0], old.names[0]) == ("max_completion_tokens", "max_tokens")
    assert openai.cap_fields("embeddings", "api.openai.com") is None
    assert DIALECTS["anthropic"].cap_fields("messages/batches", "") is None
    assert DIALECTS["gemini"].cap_fields("embeddings", "") is None
    assert DIALECTS["generic"].cap_fields("chat", "") is None
    assert openai.image_tokens("gpt-4o-mini") > openai.image_tokens("gpt-5")
    assert all(dialect.image_tokens("m") >= 1000 for dialect in DIALECTS.values())
