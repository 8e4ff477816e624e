"""What the core may ask of a dialect. A dialect is stateless; only a StreamReader lives as long as an answer."""

from typing import ClassVar, Protocol

from sluicegate.domain.errors import GatewayError
from sluicegate.domain.snapshot import AllowRule
from sluicegate.domain.usage import Reading


class StreamReader(Protocol):
    """Understands one streamed answer, event by event. Fed off the hot path: lazily, many events at a time."""

    @property
    def is_complete(self) -> bool:
        """Whether the event that ends such a stream was seen."""
        ...

    def feed(self, payloads: list[bytes]) -> None:
        """Take the `data` payloads of the next events, in order (several `data` lines joined by a line feed).

        Never raises on what a provider sends: what cannot be understood is passed over.
        """
        ...

    def reading(self) -> Reading:
        """What was understood so far; callable at any time, also of a stream that was cut."""
        ...


class Dialect(Protocol):
    """One provider API. `path` is always the part after the version prefix, no leading slash: `chat/completions`."""

    name: ClassVar[str]
    allow: ClassVar[tuple[AllowRule, ...]]
    """Paths and methods a token may use unless the provider's configuration says otherwise."""
    has_model_in_path: ClassVar[bool]
    """Whether the path, not the body, names the model (Gemini)."""
    credential_parameters: ClassVar[frozenset[str]]
    """Query parameters that may hold a credential; a caller's never travels to the provider."""

    def credential_headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """Where the provider's key goes: header fields, names in lower case."""
        ...

    def default_headers(self) -> tuple[tuple[str, str], ...]:
        """Header fields the API requires, sent when the client sends none of that name (`anthropic-version`)."""
        ...

    def version_path(self, base_path: str) -> str:
        """What replaces `/v1` of a `/v1/<rest>` request, given the path of the provider's base URL ("" or "/v1" …)."""
        ...

    def rest_of(self, path: str) -> str:
        """Strip the API's own version prefix, where there is one: `v1/messages` → `messages`."""
        ...

    def operation(self, path: str) -> str:
        """Name what the path does.

        `chat completions responses embeddings messages generate count_tokens models`; `stored` where it reads back or
        manages an answer made before (its usage was accounted then); else the path's first segment.
        """
        ...

    def is_countable(self, operation: str) -> bool:
        """Whether a model reads and writes text here, so that tokens can be counted where none are reported."""
        ...

    def model_in_path(self, path: str) -> str | None:
        """The model named by the path, where `has_model_in_path`."""
        ...

    def with_model_in_path(self, path: str, model: str) -> str:
        """The same path with another model, where `has_model_in_path`."""
        ...

    def is_stream_request(self, path: str, query: str) -> bool:
        """Whether path or query alone ask for a stream (Gemini: `:streamGenerateContent`)."""
        ...

    def can_include_usage(self, operation: str) -> bool:
        """Whether usage must be asked for with `stream_options.include_usage` (OpenAI chat and completions)."""
        ...

    def is_usage_only(self, payload: bytes) -> bool:
        """Whether an event exists only because `include_usage` was set, so that it can be kept from a client that did
        not ask for it."""
        ...

    def error_body(self, error: GatewayError, request_id: str) -> bytes:
        """The JSON error body of this API for one of our errors."""
        ...

    def stream_error(self, error: GatewayError, request_id: str, operation: str, events: int) -> bytes:
        """The bytes that end a broken stream so that SDKs raise: whole server-sent events, blank line included.

        `events` is how many events went before (OpenAI Responses needs a rising `sequence_number`).
        """
        ...

    def read_answer(self, operation: str, body: bytes) -> Reading:
        """What a whole JSON answer says of itself. Never raises; an answer it cannot read gives an empty Reading."""
        ...

    def stream_reader(self, operation: str) -> StreamReader:
        """A reader for one streamed answer."""
        ...

    def prompt_text(self, operation: str, body: bytes) -> list[str]:
        """The texts of a request that count as input: one entry per message or input. Never raises."""
        ...

    def answer_text(self, operation: str, body: bytes) -> str:
        """The text a whole JSON answer brings. Never raises."""
        ...
