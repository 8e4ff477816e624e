"""Any HTTP API: everything may pass, little is known. Usage is understood where it has one of the common shapes."""

import re
from typing import ClassVar, Final

import msgspec
from msgspec import Struct, field

from sluicegate.dialects.base import StreamReader
from sluicegate.dialects.lenient import LenientDecoder, count
from sluicegate.dialects.limits import limit_facts
from sluicegate.dialects.openai_usage import ReportedError, ReportedUsage, error_of, provider_cost_of, usage_of
from sluicegate.dialects.usual import Usual
from sluicegate.domain.errors import GatewayError
from sluicegate.domain.snapshot import AllowRule
from sluicegate.domain.usage import Reading, Usage
from sluicegate.wire import sse
from sluicegate.wire.caps import CapFields

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_VERSIONED = re.compile(r".*/v[0-9][0-9A-Za-z.]*")


class _Tokens(Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None


class _AnyUsage(ReportedUsage, gc=False):
    """OpenAI's and Anthropic's fields, Bedrock's (`inputTokens`; as Anthropic's, without cache), Cohere's `tokens`."""

    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    bedrock_input: int | None = field(default=None, name="inputTokens")
    bedrock_output: int | None = field(default=None, name="outputTokens")
    bedrock_cache_read: int | None = field(default=None, name="cacheReadInputTokens")
    bedrock_cache_write: int | None = field(default=None, name="cacheWriteInputTokens")
    tokens: _Tokens | None = None


class _Meta(Struct, gc=False):
    """Cohere, version 1."""

    tokens: _Tokens | None = None


class _Answer(Struct, gc=False):
    id: str | None = None
    model: str | None = None
    usage: _AnyUsage | None = None
    meta: _Meta | None = None
    error: ReportedError | str | None = None


_answers: Final = LenientDecoder(_Answer)


_IMAGE: Final = 50_000


class Generic(Usual):
    """The dialect `generic`."""

    name: ClassVar[str] = "generic"
    allow: ClassVar[tuple[AllowRule, ...]] = (AllowRule(_METHODS, "**"),)

    def version_path(self, base_path: str) -> str:
        """The base path where it ends in a version, else `/v1` after it."""
        return base_path if _VERSIONED.fullmatch(base_path) else f"{base_path}/v1"

    def rest_of(self, path: str) -> str:
        """The path as it is."""
        return path

    def operation(self, path: str) -> str:
        """The path's first segment."""
        return path.partition("/")[0]

    def is_countable(self, operation: str) -> bool:
        """Never: where the texts are is not known."""
        return False

    def cap_fields(self, operation: str, host: str) -> CapFields | None:
        """Not known."""
        return None

    def image_tokens(self, model: str) -> int:
        """More than any API we know takes for one."""
        return _IMAGE

    def length_ending(self, request_id: str, operation: str, reading: Reading, events: int) -> bytes:
        """Not known."""
        return b""

    def error_body(self, error: GatewayError, request_id: str) -> bytes:
        """`{"error":{"type","message","code","param"},"request_id"}`: what most clients look for."""
        detail: dict[str, object] = {
            "type": error.kind,
            "message": error.message,
            "code": error.code,
            "param": error.parameter,
            **limit_facts(error),
        }
        return msgspec.json.encode({"error": detail, "request_id": request_id})

    def stream_error(self, error: GatewayError, request_id: str, operation: str, events: int) -> bytes:
        """An event `error`; its data is an error body."""
        return sse.event(self.error_body(error, request_id), "error")

    def read_answer(self, operation: str, body: bytes) -> Reading:
        """Usage where it has a common shape."""
        answer = _answers.read(body)
        if answer is None:
            return Reading()
        return Reading(
            usage=_usage_of(answer),
            model=answer.model,
            response_id=answer.id,
            error=error_of(answer.error),
            provider_cost=provider_cost_of(answer.usage),
        )

    def stream_reader(self, operation: str) -> StreamReader:
        """A reader that looks for usage in events that mention it."""
        return _UsageReader()

    def prompt_text(self, operation: str, body: bytes) -> list[str]:
        """None is known."""
        return []

    def answer_text(self, operation: str, body: bytes) -> str:
        """None is known."""
        return ""


class _UsageReader:
    """Takes the last usage an event reports; every end is a good end, as none is known to be the last event."""

    __slots__ = ("_reading",)

    def __init__(self) -> None:
        """Start before the first event."""
        self._reading = Reading()

    def __repr__(self) -> str:
        """Tell what was found."""
        return f"<_UsageReader {self._reading.usage}>"

    @property
    def is_complete(self) -> bool:
        """Always."""
        return True

    def feed(self, payloads: list[bytes]) -> None:
        """Take the next events."""
        for payload in payloads:
            if b'"usage"' in payload and (answer := _answers.read(payload)) is not None:
                usage = _usage_of(answer) or self._reading.usage
                paid = provider_cost_of(answer.usage)
                self._reading = Reading(usage=usage, model=answer.model, response_id=answer.id, provider_cost=paid)

    def reading(self) -> Reading:
        """What was found so far."""
        return self._reading

    @property
    def text(self) -> str:
        """Nothing: what a text is, is not known here."""
        return ""


def _usage_of(answer: _Answer) -> Usage | None:
    usage = answer.usage
    tokens = (usage.tokens if usage else None) or (answer.meta.tokens if answer.meta else None)
    if tokens is not None:
        return Usage(
            input_tokens=count(tokens.input_tokens),
            output_tokens=count(tokens.output_tokens),
            cache_read_tokens=count(usage.cached_tokens) if usage else 0,
        )
    if usage is None:
        return None
    if usage.bedrock_input is not None:
        read, written = count(usage.bedrock_cache_read), count(usage.bedrock_cache_write)
        return Usage(
            input_tokens=count(usage.bedrock_input) + read + written,
            output_tokens=count(usage.bedrock_output),
            cache_read_tokens=read,
            cache_write_tokens=written,
        )
    common = usage_of(usage)
    read, written = count(usage.cache_read_input_tokens), count(usage.cache_creation_input_tokens)
    if common is None or not (read or written):
        return common
    return msgspec.structs.replace(
        common,
        input_tokens=common.input_tokens + read + written,
        cache_read_tokens=read,
        cache_write_tokens=written,
    )
