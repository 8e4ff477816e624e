"""Answers of the Gemini API, whole and streamed: as server-sent events, or as one JSON array that grows."""

import json

import msgspec
from msgspec import Struct

from sluicegate.dialects.findings import Findings
from sluicegate.dialects.lenient import LenientDecoder, count, encodable, fitted
from sluicegate.domain.usage import Reading, Usage

_NO_JSON = msgspec.Raw(b"")


class _Modality(Struct, gc=False, rename="camel"):
    modality: str | None = None
    token_count: int | None = None


class ReportedUsage(Struct, gc=False, rename="camel"):
    """The object `usageMetadata`: the prompt includes what was cached, the candidates do not include thoughts."""

    prompt_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    prompt_tokens_details: list[_Modality] | None = None
    candidates_tokens_details: list[_Modality] | None = None


class _InteractionUsage(Struct, gc=False):
    """The object `usage` of an interaction."""

    total_input_tokens: int | None = None
    total_output_tokens: int | None = None
    total_thought_tokens: int | None = None
    total_cached_tokens: int | None = None
    total_tool_use_tokens: int | None = None


class _Interaction(Struct, gc=False):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    usage: _InteractionUsage | None = None


class _Call(Struct, gc=False):
    name: str | None = None
    args: msgspec.Raw = _NO_JSON


class _Code(Struct, gc=False):
    code: str | None = None


class _Part(Struct, gc=False, rename="camel"):
    text: str | None = None
    function_call: _Call | None = None
    executable_code: _Code | None = None


class _Content(Struct, gc=False):
    parts: list[_Part] | None = None


class _Candidate(Struct, gc=False, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None


class _Feedback(Struct, gc=False, rename="camel"):
    block_reason: str | None = None


class _Error(Struct, gc=False):
    status: str | None = None


class _Answer(Struct, gc=False, rename="camel"):
    candidates: list[_Candidate] | None = None
    usage_metadata: ReportedUsage | None = None
    model_version: str | None = None
    response_id: str | None = None
    prompt_feedback: _Feedback | None = None
    error: _Error | None = None
    id: str | None = None
    model: str | None = None
    status: str | None = None
    usage: _InteractionUsage | None = None
    interaction: _Interaction | None = None


_answers = LenientDecoder(_Answer)


def _has_counts(reported: ReportedUsage) -> bool:
    return reported.prompt_token_count is not None or reported.candidates_token_count is not None


def usage_of(reported: ReportedUsage | None) -> Usage | None:
    """The report in our vocabulary; None where it holds no count."""
    if reported is None or not _has_counts(reported):
        return None
    thoughts = count(reported.thoughts_token_count)
    return Usage(
        input_tokens=count(reported.prompt_token_count) + count(reported.tool_use_prompt_token_count),
        output_tokens=count(reported.candidates_token_count) + thoughts,
        cache_read_tokens=count(reported.cached_content_token_count),
        reasoning_tokens=thoughts,
        input_audio_tokens=_audio(reported.prompt_tokens_details),
        output_audio_tokens=_audio(reported.candidates_tokens_details),
    )


def _audio(details: list[_Modality] | None) -> int:
    return sum(count(part.token_count) for part in details or () if part.modality == "AUDIO")


def _interaction_usage(reported: _InteractionUsage | None) -> Usage | None:
    if reported is None or (reported.total_input_tokens is None and reported.total_output_tokens is None):
        return None
    thoughts = count(reported.total_thought_tokens)
    return Usage(
        input_tokens=count(reported.total_input_tokens) + count(reported.total_tool_use_tokens),
        output_tokens=count(reported.total_output_tokens) + thoughts,
        cache_read_tokens=count(reported.total_cached_tokens),
        reasoning_tokens=thoughts,
    )


def array_items(body: bytes) -> list[object] | None:
    """The items of a JSON array as far as they are whole, as a stream may have been cut; None where it is no array."""
    text = body.decode("utf-8", "replace").lstrip()
    if not text.startswith("["):
        return None
    items: list[object] = []
    decode = json.JSONDecoder().raw_decode
    at = 1
    while True:
        while text[at : at + 1] in {",", " ", "\n", "\r", "\t"}:
            at += 1
        try:
            item, at = decode(text, at)
            items.append(encodable(item))
        except (ValueError, RecursionError):
            return items


def read_content(body: bytes) -> Reading:
    """What a whole answer says of itself, or all items of an array together."""
    reader = ContentReader()
    items = array_items(body)
    if items is None:
        reader.take(_answers.read(body))
        return msgspec.structs.replace(reader.reading(), text="", text_dropped=0, is_complete=True)
    for item in items:
        reader.take(fitted(_Answer, item))
    return msgspec.structs.replace(reader.reading(), text="", text_dropped=0)


class ContentReader:
    """Reads a stream of partial answers; its last one holds the `finishReason`. Counts are cumulative."""

    __slots__ = ("_found", "_reported", "_usage")

    def __init__(self) -> None:
        """Start before the first partial answer."""
        self._found = Findings()
        # Every partial answer brings counts: only the last ones are worth translating.
        self._reported: ReportedUsage | None = None
        self._usage: Usage | None = None

    def __repr__(self) -> str:
        """Tell how far the stream got."""
        return f"<ContentReader usage={self._last_usage()} {self._found!r}>"

    @property
    def is_complete(self) -> bool:
        """Whether the last partial answer with candidates ended them, or the prompt was refused."""
        return self._found.is_complete

    def feed(self, payloads: list[bytes]) -> None:
        """Take the next partial answers."""
        for payload in payloads:
            self.take(_answers.read(payload))

    def take(self, answer: _Answer | None) -> None:
        """Take one decoded partial answer."""
        if answer is None:
            return
        if answer.candidates:
            self._take_candidates(answer.candidates)
        if answer.usage_metadata is not None and _has_counts(answer.usage_metadata):
            self._reported = answer.usage_metadata
        found = self._found
        found.model = answer.model_version or found.model
        found.response_id = answer.response_id or found.response_id
        if answer.prompt_feedback is not None and answer.prompt_feedback.block_reason is not None:
            found.finish_reason = answer.prompt_feedback.block_reason
            found.is_complete = True
        if answer.error is not None:
            found.error = (answer.error.status or "error")[:64]
        if answer.interaction is not None:
            self._take_interaction(answer.interaction)
        elif answer.usage is not None:
            self._take_interaction(_Interaction(answer.id, answer.model, answer.status, answer.usage))

    def _take_candidates(self, candidates: list[_Candidate]) -> None:
        texts: list[str] = []
        found = self._found
        for candidate in candidates:
            if candidate.content is not None and candidate.content.parts is not None:
                for part in candidate.content.parts:
                    _take_part(part, texts)
            found.finish_reason = candidate.finish_reason or found.finish_reason
        found.is_complete = any(candidate.finish_reason is not None for candidate in candidates)
        if texts:
            found.capture.add(texts)

    def _take_interaction(self, interaction: _Interaction) -> None:
        self._usage = _interaction_usage(interaction.usage) or self._usage
        found = self._found
        found.model = interaction.model or found.model
        found.response_id = interaction.id or found.response_id
        found.finish_reason = interaction.status or found.finish_reason
        found.is_complete = interaction.usage is not None

    def _last_usage(self) -> Usage | None:
        return self._usage or usage_of(self._reported)

    @property
    def text(self) -> str:
        """What the model produced so far."""
        return self._found.capture.text()

    def reading(self) -> Reading:
        """What was understood so far."""
        return self._found.reading(self._last_usage())


def _take_part(part: _Part, texts: list[str]) -> None:
    if part.text is not None:
        texts.append(part.text)
    if part.function_call is not None:
        texts += (part.function_call.name or "", bytes(part.function_call.args).decode("utf-8", "replace"))
    if part.executable_code is not None:
        texts.append(part.executable_code.code or "")
