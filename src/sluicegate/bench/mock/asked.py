"""What the mock reads of a request's body: the few fields that change its answer, in every dialect."""

import msgspec

from sluicegate.bench.mock.settings import MockSettings


class StreamOptions(msgspec.Struct, frozen=True):
    """`stream_options` of chat completions and completions."""

    include_usage: bool = False


class GenerationConfig(msgspec.Struct, frozen=True, rename="camel"):
    """`generationConfig` of Gemini."""

    max_output_tokens: int | None = None


class Asked(msgspec.Struct, frozen=True):
    """The union of the bodies we know; what is absent or null keeps its default."""

    model: str = "mock-model"
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    generation_config: GenerationConfig | None = msgspec.field(name="generationConfig", default=None)
    input: msgspec.Raw = msgspec.Raw(b'""')
    encoding_format: str = "float"
    dimensions: int | None = None

    @property
    def wants_usage_chunk(self) -> bool:
        """Whether the stream shall end with a chunk of usage."""
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def cap(self) -> int | None:
        """The client's own bound of the answer, in tokens."""
        if self.generation_config is not None and self.generation_config.max_output_tokens is not None:
            return self.generation_config.max_output_tokens
        for bound in (self.max_completion_tokens, self.max_output_tokens, self.max_tokens):
            if bound is not None:
                return bound
        return None


class Length(msgspec.Struct, frozen=True):
    """How long an answer is and what it reports about itself; hashable, so that answers can be kept by it."""

    tokens: int
    is_cut: bool
    prompt_tokens: int
    cached_tokens: int
    usage: bool


def length_of(asked: Asked, settings: MockSettings) -> Length:
    """Bound the configured length by the client's cap."""
    cap = asked.cap
    is_cut = cap is not None and cap < settings.tokens
    tokens = max(cap, 0) if cap is not None and is_cut else settings.tokens
    return Length(tokens, is_cut, settings.prompt_tokens, settings.cached_tokens, settings.usage)


decode = msgspec.json.Decoder(Asked).decode
