"""Answers of Anthropic's messages API, whole and streamed."""

from msgspec import Struct

from sluicegate.dialects.findings import Findings
from sluicegate.dialects.lenient import LenientDecoder, count
from sluicegate.dialects.service import service_of
from sluicegate.dialects.steady import Steady
from sluicegate.domain.usage import Reading, Usage


class _Details(Struct, gc=False):
    thinking_tokens: int | None = None


class _Written(Struct, gc=False):
    """`cache_creation`: what was written to the cache, by how long it is kept."""

    ephemeral_1h_input_tokens: int | None = None


class ReportedUsage(Struct, gc=False):
    """The object `usage`; `input_tokens` leaves out what was read from or written to the prompt cache."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: _Details | None = None
    cache_creation: _Written | None = None
    service_tier: str | None = None
    speed: str | None = None

    def followed_by(self, later: "ReportedUsage") -> "ReportedUsage":
        """A stream's counts are cumulative: what is reported later replaces what came before it."""
        return ReportedUsage(
            input_tokens=_latest(self.input_tokens, later.input_tokens),
            output_tokens=_latest(self.output_tokens, later.output_tokens),
            cache_creation_input_tokens=_latest(self.cache_creation_input_tokens, later.cache_creation_input_tokens),
            cache_read_input_tokens=_latest(self.cache_read_input_tokens, later.cache_read_input_tokens),
            output_tokens_details=later.output_tokens_details or self.output_tokens_details,
            cache_creation=later.cache_creation or self.cache_creation,
            service_tier=later.service_tier or self.service_tier,
            speed=later.speed or self.speed,
        )


def _latest(earlier: int | None, later: int | None) -> int | None:
    return earlier if later is None else later


class _Error(Struct, gc=False):
    type: str | None = None


class _Message(Struct, gc=False):
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: ReportedUsage | None = None
    error: _Error | None = None


class _Block(Struct, gc=False):
    name: str | None = None
    text: str | None = None


class _Delta(Struct, gc=False):
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Event(Struct, gc=False):
    type: str = ""
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Message | None = None
    usage: ReportedUsage | None = None
    error: _Error | None = None


_messages = LenientDecoder(_Message)
_events = LenientDecoder(_Event)


def usage_of(reported: ReportedUsage | None) -> Usage | None:
    """The report in our vocabulary; None where it holds no count."""
    if reported is None or (reported.input_tokens is None and reported.output_tokens is None):
        return None
    written = count(reported.cache_creation_input_tokens)
    read = count(reported.cache_read_input_tokens)
    details = reported.output_tokens_details
    kept = reported.cache_creation
    return Usage(
        input_tokens=count(reported.input_tokens) + written + read,
        output_tokens=count(reported.output_tokens),
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=count(details.thinking_tokens) if details else 0,
        cache_write_1h_tokens=count(kept.ephemeral_1h_input_tokens) if kept else 0,
    )


def _service_of(reported: ReportedUsage | None) -> str | None:
    """`fast` comes first: the other tiers do not have it."""
    return None if reported is None else service_of(reported.speed) or service_of(reported.service_tier)


def _error_of(reported: _Error | None) -> str | None:
    return None if reported is None else (reported.type or "error")[:64]


def read_message(body: bytes) -> Reading:
    """What a whole answer says of itself."""
    message = _messages.read(body)
    if message is None:
        return Reading()
    return Reading(
        usage=usage_of(message.usage),
        model=message.model,
        response_id=message.id,
        finish_reason=message.stop_reason,
        error=_error_of(message.error),
        service=_service_of(message.usage),
    )


def _text_of(payload: bytes) -> tuple[object, str] | None:
    """A delta of text and nothing else, as `Steady` wants it."""
    event = _events.read(payload)
    if event is None or event.type != "content_block_delta" or event.delta is None:
        return None
    text, event.delta.text = event.delta.text, None
    return ((), text) if text and event == _Event("content_block_delta", _Delta()) else None


class MessageReader:
    """Reads a stream: `message_start`, content blocks with their deltas, `message_delta`, `message_stop`."""

    __slots__ = ("_found", "_is_final", "_steady", "_usage")

    def __init__(self) -> None:
        """Start before `message_start`."""
        self._found = Findings()
        self._steady = Steady(_text_of)
        self._usage = ReportedUsage()
        self._is_final = False

    def __repr__(self) -> str:
        """Tell how far the stream got."""
        return f"<MessageReader final_usage={self._is_final} {self._found!r}>"

    @property
    def is_complete(self) -> bool:
        """Whether `message_stop` was seen."""
        return self._found.is_complete

    def feed(self, payloads: list[bytes]) -> None:
        """Take the next events."""
        text = self._steady.read(payloads)
        if text is not None:
            self._found.capture.add([text])
            return
        texts: list[str] = []
        read = _events.read
        for payload in payloads:
            event = read(payload)
            if event is None:
                continue
            kind = event.type
            delta = event.delta
            if kind == "content_block_delta":
                if delta is not None:
                    texts.append(delta.text or delta.partial_json or delta.thinking or "")
            elif kind == "content_block_start":
                if event.content_block is not None:
                    texts.append(event.content_block.name or event.content_block.text or "")
            else:
                self._take_frame(kind, event)
        if texts:
            self._found.capture.add(texts)
            self._steady.learn(payloads[-1])

    def _take_frame(self, kind: str, event: _Event) -> None:
        """Take an event about the message as a whole."""
        found = self._found
        if kind == "message_start" and event.message is not None:
            found.model = event.message.model
            found.response_id = event.message.id
            self._usage = event.message.usage or self._usage
        elif kind == "message_delta":
            if event.usage is not None:
                self._usage = self._usage.followed_by(event.usage)
                self._is_final = self._is_final or event.usage.output_tokens is not None
            if event.delta is not None and event.delta.stop_reason is not None:
                found.finish_reason = event.delta.stop_reason
        elif kind == "message_stop":
            found.is_complete = True
        elif kind == "error":
            found.error = _error_of(event.error) or "error"

    @property
    def text(self) -> str:
        """What the model produced so far."""
        return self._found.capture.text()

    def reading(self) -> Reading:
        """What was understood so far. `message_start` reports the input, with an output that means nothing yet."""
        self._found.service = _service_of(self._usage)
        return self._found.reading(usage_of(self._usage), is_usage_final=self._is_final)
