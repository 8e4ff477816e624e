"""Answers of chat/completions and completions, whole and streamed."""

from msgspec import Struct

from sluicegate.dialects.capture import Capture
from sluicegate.dialects.lenient import LenientDecoder
from sluicegate.dialects.openai_usage import ReportedError, ReportedUsage, error_of, usage_of
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


class _AnswerChoice(Struct, gc=False):
    finish_reason: str | None = None


class _Answer(Struct, gc=False):
    id: str | None = None
    model: str | None = None
    choices: list[_AnswerChoice] | None = None
    usage: ReportedUsage | None = None
    error: ReportedError | str | None = None


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
    )


def is_usage_chunk(payload: bytes) -> bool:
    """Whether a chunk brings usage and nothing else: `choices` is empty (OpenAI) or missing."""
    chunk = _usages.read(payload)
    return chunk is not None and chunk.usage is not None and not chunk.choices and chunk.error is None


class ChatReader:
    """Reads a stream of chunks.

    OpenAI ends a stream with `[DONE]`. Some of its relatives end without it, after every choice has its
    `finish_reason`; as nothing of the answer can be missing then, that counts as complete too.
    """

    __slots__ = ("_capture", "_error", "_finish_reason", "_finished", "_highest", "_id", "_is_done", "_model", "_usage")

    def __init__(self) -> None:
        """Start before the first chunk."""
        self._capture = Capture()
        self._usage: Usage | None = None
        self._model: str | None = None
        self._id: str | None = None
        self._finish_reason: str | None = None
        self._error: str | None = None
        self._highest = -1
        self._finished: set[int] = set()
        self._is_done = False

    def __repr__(self) -> str:
        """Tell how far the stream got."""
        return f"<ChatReader complete={self.is_complete} usage={self._usage} {self._capture!r}>"

    @property
    def is_complete(self) -> bool:
        """Whether `[DONE]` was seen, or the end of every choice that began."""
        return self._is_done or -1 < self._highest < len(self._finished)

    def feed(self, payloads: list[bytes]) -> None:
        """Take the next chunks."""
        texts: list[str] = []
        read = _chunks.read
        for payload in payloads:
            if payload.startswith(b"[DONE]"):
                self._is_done = True
                continue
            chunk = read(payload)
            if chunk is None:
                continue
            if chunk.choices:
                self._take_choices(chunk.choices, texts)
            if self._id is None:
                self._id = chunk.id
            if self._model is None:
                self._model = chunk.model
            if chunk.usage is not None:
                self._usage = usage_of(chunk.usage) or self._usage
            elif chunk.x_groq is not None:
                self._usage = usage_of(chunk.x_groq.usage) or self._usage
            if chunk.error is not None:
                self._error = error_of(chunk.error)
        if texts:
            self._capture.add(texts)

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
                self._finish_reason = choice.finish_reason

    def reading(self) -> Reading:
        """What was understood so far."""
        is_counted_elsewhere = self._usage is not None
        return Reading(
            usage=self._usage,
            model=self._model,
            response_id=self._id,
            finish_reason=self._finish_reason,
            text="" if is_counted_elsewhere else self._capture.text(),
            text_dropped=0 if is_counted_elsewhere else self._capture.dropped,
            is_complete=self.is_complete,
            error=self._error,
        )


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
