"""Answers of chat/completions and completions, whole and streamed."""

from msgspec import Struct

from sluicegate.dialects.findings import Findings
from sluicegate.dialects.lenient import LenientDecoder
from sluicegate.dialects.openai_usage import ReportedError, ReportedUsage, error_of, provider_cost_of, usage_of
from sluicegate.dialects.service import service_of
from sluicegate.dialects.steady import Steady
from sluicegate.domain.usage import Reading, Usage


class _Thought(Struct, gc=False):
    text: str | None = None


class _Part(Struct, gc=False):
    """Mistral's content, where a model thinks: parts of text and of thinking, itself in parts."""

    text: str | None = None
    thinking: str | list[_Thought] | None = None


class _Function(Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(Struct, gc=False):
    function: _Function | None = None
    custom: _Function | None = None


class _Audio(Struct, gc=False):
    transcript: str | None = None


class _Delta(Struct, gc=False):
    content: str | list[_Part] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None
    audio: _Audio | None = None


class _Choice(Struct, gc=False):
    index: int | None = None
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Groq(Struct, gc=False):
    usage: ReportedUsage | None = None


class _Chunk(Struct, gc=False):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: ReportedUsage | None = None
    error: ReportedError | str | None = None
    x_groq: _Groq | None = None
    service_tier: str | None = None


class _AnswerChoice(Struct, gc=False):
    finish_reason: str | None = None


class _Answer(Struct, gc=False):
    id: str | None = None
    model: str | None = None
    choices: list[_AnswerChoice] | None = None
    usage: ReportedUsage | None = None
    error: ReportedError | str | None = None
    service_tier: str | None = None


class _UsageOnly(Struct, gc=False):
    choices: list[_AnswerChoice] | None = None
    usage: ReportedUsage | None = None
    error: ReportedError | str | None = None


_chunks = LenientDecoder(_Chunk)
_answers = LenientDecoder(_Answer)
_usages = LenientDecoder(_UsageOnly)


def read_chat(body: bytes) -> Reading:
    """What a whole answer says of itself."""
    answer = _answers.read(body)
    if answer is None:
        return Reading()
    return Reading(
        usage=usage_of(answer.usage),
        model=answer.model,
        response_id=answer.id,
        finish_reason=answer.choices[0].finish_reason if answer.choices else None,
        error=error_of(answer.error),
        provider_cost=provider_cost_of(answer.usage),
        service=service_of(answer.service_tier),
    )


def is_usage_chunk(payload: bytes) -> bool:
    """Whether a chunk brings usage and nothing else: `choices` is empty (OpenAI) or missing."""
    chunk = _usages.read(payload)
    return chunk is not None and chunk.usage is not None and not chunk.choices and chunk.error is None


def _text_of(payload: bytes) -> tuple[object, str] | None:
    """A chunk that brings one choice's content and nothing else, as `Steady` wants it."""
    chunk = _chunks.read(payload)
    if chunk is None or not chunk.choices or len(chunk.choices) != 1:
        return None
    delta = chunk.choices[0].delta
    if delta is None or not isinstance(delta.content, str):
        return None
    content, delta.content = delta.content, None
    index = chunk.choices[0].index
    tier = chunk.service_tier
    is_text_alone = chunk == _Chunk(chunk.id, chunk.model, [_Choice(index, _Delta())], service_tier=tier)
    return ((chunk.id, chunk.model, index, tier), content) if is_text_alone else None


class ChatReader:
    """Reads a stream of chunks.

    OpenAI ends a stream with `[DONE]`. Some of its relatives end without it, after every choice has its
    `finish_reason`; as nothing of the answer can be missing then, that counts as complete too.
    """

    __slots__ = ("_finished", "_found", "_highest", "_is_done", "_steady", "_usage")

    def __init__(self) -> None:
        """Start before the first chunk."""
        self._found = Findings()
        self._steady = Steady(_text_of)
        self._usage: Usage | None = None
        self._highest = -1
        self._finished: set[int] = set()
        self._is_done = False

    def __repr__(self) -> str:
        """Tell how far the stream got."""
        return f"<ChatReader usage={self._usage} {self._found!r}>"

    @property
    def is_complete(self) -> bool:
        """Whether `[DONE]` was seen, or the end of every choice that began."""
        return self._found.is_complete

    def feed(self, payloads: list[bytes]) -> None:
        """Take the next chunks."""
        found = self._found
        text = self._steady.read(payloads)
        if text is not None:
            found.capture.add([text])
            return
        texts: list[str] = []
        chunks = [payload for payload in payloads if not payload.startswith(b"[DONE]")]
        if len(chunks) < len(payloads):
            self._is_done = True
        for chunk in _chunks.read_each(chunks):
            if chunk is None:
                continue
            if chunk.choices:
                self._take_choices(chunk.choices, texts)
            if found.model is None or found.response_id is None:
                found.response_id = found.response_id or chunk.id
                found.model = found.model or chunk.model
            if chunk.service_tier is not None:
                found.service = service_of(chunk.service_tier)
            if chunk.usage is not None:
                self._usage = usage_of(chunk.usage) or self._usage
                found.provider_cost = provider_cost_of(chunk.usage)
            elif chunk.x_groq is not None:
                self._usage = usage_of(chunk.x_groq.usage) or self._usage
            if chunk.error is not None:
                found.error = error_of(chunk.error)
        if texts:
            found.capture.add(texts)
            self._steady.learn(payloads[-1])
        found.is_complete = self._is_done or -1 < self._highest < len(self._finished)

    def _take_choices(self, choices: list[_Choice], texts: list[str]) -> None:
        for choice in choices:
            index = choice.index or 0
            if index > self._highest:
                self._highest = index
            delta = choice.delta
            if delta is not None:
                content = delta.content
                if isinstance(content, str):
                    texts.append(content)
                elif content is not None:
                    _take_parts(content, texts)
                _take_rest(delta, texts)
            elif choice.text is not None:
                texts.append(choice.text)
            if choice.finish_reason is not None:
                self._finished.add(index)
                self._found.finish_reason = choice.finish_reason

    @property
    def text(self) -> str:
        """What the model produced so far."""
        return self._found.capture.text()

    def reading(self) -> Reading:
        """What was understood so far."""
        return self._found.reading(self._usage)


def _take_rest(delta: _Delta, texts: list[str]) -> None:
    """What a delta can bring besides content; servers that send reasoning under both names mean it once."""
    reasoning = delta.reasoning_content or delta.reasoning
    if reasoning:
        texts.append(reasoning)
    if delta.refusal is not None:
        texts.append(delta.refusal)
    if delta.tool_calls is not None:
        for call in delta.tool_calls:
            _take_function(call.function or call.custom, texts)
    if delta.function_call is not None:
        _take_function(delta.function_call, texts)
    if delta.audio is not None and delta.audio.transcript is not None:
        texts.append(delta.audio.transcript)


def _take_function(function: _Function | None, texts: list[str]) -> None:
    if function is not None:
        texts += (function.name or "", function.arguments or "")


def _take_parts(parts: list[_Part], texts: list[str]) -> None:
    for part in parts:
        if part.text is not None:
            texts.append(part.text)
        if isinstance(part.thinking, str):
            texts.append(part.thinking)
        elif part.thinking is not None:
            texts += [thought.text or "" for thought in part.thinking]
