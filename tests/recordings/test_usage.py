"""Recorded answers of real providers: the usage we read is the usage their bodies report.

The recordings are no part of the project: where they are absent, one answer written after the documentation stands for
them. What is expected is worked out here from plain JSON, in the providers' own words, without the project's code.
"""

import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from sluicegate.dialects.table import DIALECTS
from sluicegate.domain.usage import Reading

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "provider-traffic.json.gz"

RELATIVES = {"anthropic": "anthropic", "gemini": "gemini", "bedrock": "generic", "cohere": "generic"}
"""The dialect of a provider; all others are relatives of OpenAI."""

ENDS = ("/chat/completions", "/responses", "/embeddings", "/messages", ":generateContent", ":streamGenerateContent")
"""How the paths end at which models work."""

Figures = tuple[int, int, int, int, int]
"""Input, output, cache read, cache written, reasoning."""


class Recording(NamedTuple):
    """One recorded answer: whole, or the events of a stream."""

    name: str
    dialect: str
    path: str
    answer: Any
    events: list[bytes]

    def reading(self) -> Reading:
        """What the project understands of it."""
        dialect = DIALECTS[self.dialect]
        operation = dialect.operation(dialect.rest_of(self.path))
        if self.answer is not None:
            return dialect.read_answer(operation, json.dumps(self.answer).encode())
        reader = dialect.stream_reader(operation)
        for event in self.events:
            reader.feed([event])
        return reader.reading()

    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects it consists of."""
        if self.answer is not None:
            return [self.answer]
        return [json.loads(event) for event in self.events if event.startswith(b"{")]


def number(value: Any, *names: str) -> int:
    """The number below these names; 0 where there is none."""
    for name in names:
        value = (value or {}).get(name)
    return value or 0


def openai_figures(objects: list[dict[str, Any]]) -> Figures | None:
    """Chat and embeddings count prompts and completions, Responses inputs and outputs; parts are included."""
    found = None
    for one in objects:
        usage = one.get("usage") or (one.get("response") or {}).get("usage")
        if usage:
            of_chat = "prompt_tokens" in usage
            given, made = ("prompt", "completion") if of_chat else ("input", "output")
            cached = number(usage, f"{given}_tokens_details", "cached_tokens") or usage.get("num_cached_tokens") or 0
            found = (
                usage[f"{given}_tokens"],
                number(usage, f"{made}_tokens"),
                cached,
                number(usage, f"{given}_tokens_details", "cache_write_tokens"),
                number(usage, f"{made}_tokens_details", "reasoning_tokens"),
            )
    return found


def anthropic_figures(objects: list[dict[str, Any]]) -> Figures | None:
    """Each count is the last one that was reported; the cache counts beside the input."""
    last: dict[str, Any] = {}
    for one in objects:
        usage = one.get("usage") or (one.get("message") or {}).get("usage") or {}
        last |= {name: value for name, value in usage.items() if value is not None}
    if not last:
        return None
    read, written = last.get("cache_read_input_tokens", 0), last.get("cache_creation_input_tokens", 0)
    thinking = number(last, "output_tokens_details", "thinking_tokens")
    return last["input_tokens"] + read + written, last["output_tokens"], read, written, thinking


def gemini_figures(objects: list[dict[str, Any]]) -> Figures | None:
    """The last report: what is not prompt or tools' prompt of the total was put out."""
    reports = [one["usageMetadata"] for one in objects if "usageMetadata" in one]
    if not reports:
        return None
    report = reports[-1]
    given = report["promptTokenCount"] + report.get("toolUsePromptTokenCount", 0)
    made = report["totalTokenCount"] - given
    return given, made, report.get("cachedContentTokenCount", 0), 0, report.get("thoughtsTokenCount", 0)


def generic_figures(objects: list[dict[str, Any]]) -> Figures | None:
    """Bedrock's total includes its cache; Cohere has `tokens`; Anthropic on Bedrock is Anthropic."""
    usage = objects[0].get("usage")
    if not usage:
        return None
    if "totalTokens" in usage:
        read, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
        return usage["totalTokens"] - usage["outputTokens"], usage["outputTokens"], read, written, 0
    if "tokens" in usage:
        tokens = usage["tokens"]
        return tokens["input_tokens"], tokens["output_tokens"], usage.get("cached_tokens", 0), 0, 0
    read, written = number(usage, "cache_read_input_tokens"), number(usage, "cache_creation_input_tokens")
    return usage["input_tokens"] + read + written, usage["output_tokens"], read, written, 0


FIGURES = {
    "openai": openai_figures,
    "anthropic": anthropic_figures,
    "gemini": gemini_figures,
    "generic": generic_figures,
}


def recorded(path: Path) -> list[Recording]:
    """All recorded answers of known kinds; none where there are no recordings."""
    if not path.exists():
        return []
    found = []
    for index, one in enumerate(json.loads(gzip.decompress(path.read_bytes()))):
        dialect = RELATIVES.get(one["prov"], "openai")
        target = urlsplit(one["uri"]).path
        is_known = dialect == "generic" or (target.endswith(ENDS) and one["method"] == "POST")
        is_text = one["resp"] is not None or "event-stream" in one["ctype"]
        if is_known and is_text and one["status"] == 200:
            events = [
                line.removeprefix("data:").strip().encode()
                for line in (one["resp_raw"] or "").splitlines()
                if line.startswith("data:")
            ]
            rest = (
                target.lstrip("/") if dialect in {"gemini", "anthropic"} else target.rpartition("/v1/")[2].lstrip("/")
            )
            found.append(Recording(f"{one['prov']}-{index}", dialect, rest, one["resp"], events))
    return found


WRITTEN = Recording(
    "written",
    "openai",
    "chat/completions",
    {
        "id": "chatcmpl-1",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 19, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 16}},
    },
    [],
)
ALL = [WRITTEN, *recorded(RECORDINGS)]

every_recording = pytest.mark.parametrize("recording", ALL, ids=[recording.name for recording in ALL])


@every_recording
def test_usage_is_what_the_provider_reports(recording: Recording) -> None:
    """The usage read from a recorded answer is the one in its body, and there is none where the body has none."""
    usage = recording.reading().usage
    seen = usage and (
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    )
    assert seen == FIGURES[recording.dialect](recording.objects())


@every_recording
def test_recorded_answers_are_complete(recording: Recording) -> None:
    """A recorded answer ended as it must, its usage is final and it is no error."""
    reading = recording.reading()
    assert (reading.is_complete, reading.is_usage_final, reading.error) == (True, True, None)


@every_recording
def test_stream_without_its_reports_has_its_text(recording: Recording) -> None:
    """A stream that reports no usage leaves text to be counted, wherever the whole one reports output."""
    whole = recording.reading()
    silent = [json.loads(event) for event in recording.events if event.startswith(b"{")]
    for one in silent:
        for holder in (one, one.get("response"), one.get("message"), one.get("x_groq")):
            for name in ("usage", "usageMetadata"):
                (holder or {}).pop(name, None)
    reading = recording._replace(events=[json.dumps(one).encode() for one in silent]).reading()
    is_read = recording.answer is None and whole.usage is not None
    assert bool(reading.text) is (is_read and whole.usage is not None and whole.usage.output_tokens > 0)


def test_absent_recordings_are_no_recordings(tmp_path: Path) -> None:
    """Without the recordings nothing is read and nothing fails."""
    assert recorded(tmp_path / "absent.json.gz") == []
