"""What the core may ask of a dialect. A dialect is stateless; only a StreamReader lives as long as an answer."""

from typing import ClassVar, Final, NamedTuple, Protocol

from sluicegate.domain.errors import GatewayError
from sluicegate.domain.snapshot import AllowRule
from sluicegate.domain.usage import Reading
from sluicegate.wire.caps import CapFields

CONVERSING: Final = frozenset({"chat", "completions", "responses", "messages", "generate", "count_tokens"})
"""Operations, of all dialects, that a token's own model answers; for embeddings or speech another kind is meant."""


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

    @property
    def text(self) -> str:
        """What the model produced so far, as far as it is kept (`dialects.capture`)."""
        ...


class Resets(NamedTuple):
    """When enough of a limit is free again: in how many seconds, and at which time (RFC 3339, UTC)."""

    seconds: float
    at: str


class Dialect(Protocol):
    """One provider API. `path` is always the part after the version prefix, no leading slash: `chat/completions`."""

    name: ClassVar[str]
    allow: ClassVar[tuple[AllowRule, ...]]
    """Paths and methods a token may use unless the provider's configuration says otherwise."""
    credential_parameters: ClassVar[frozenset[str]]
    """Query parameters that may hold a credential; a caller's never travels to the provider."""
    error_type: ClassVar[bytes]
    """The content type of `error_body`."""
    tells_service: ClassVar[bool]
    """Whether answers say which service tier they were served by, where that is not the usual one."""

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
        """The model that the path names (Gemini); None where that is for the body."""
        ...

    def with_model_in_path(self, path: str, model: str) -> str:
        """The same path with another model, escaped as URLs have it; as it is where it names none."""
        ...

    def with_model_repeated(self, body: bytes, model: str) -> bytes:
        """The body with another model wherever it repeats what the path names. Never raises."""
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

    def cap_fields(self, operation: str, host: str) -> CapFields | None:
        """Where a request to this host caps its output; None where it cannot, or where there is none to cap."""
        ...

    def image_tokens(self, model: str) -> int:
        """The most tokens that a model takes for one image, whatever its size."""
        ...

    def limit_form(self, metric: str, maximum: int, resets: "Resets | None") -> bytes:
        """The header fields, each with its line end, that tell how a limit of `requests` or `tokens` stands.

        With `%d` where the number is to stand that remains.
        """
        ...

    def length_ending(self, request_id: str, operation: str, reading: Reading, events: int) -> bytes:
        """The events that end a stream as if the model had reached its cap; empty where there is no such ending.

        `events` is how many went before, `reading` what was understood of them.
        """
        ...

    def error_body(self, error: GatewayError, request_id: str) -> bytes:
        """The JSON body, of the type `error_type`, that this API has for one of our errors."""
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
