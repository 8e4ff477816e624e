"""The OpenAI API and its many relatives: chat, completions, responses, embeddings, images, audio and the rest."""

from typing import ClassVar, Final

import msgspec

from sluicegate.dialects.base import StreamReader
from sluicegate.dialects.lenient import parse
from sluicegate.dialects.limits import limit_facts
from sluicegate.dialects.openai_chat import ChatReader, is_usage_chunk, read_chat
from sluicegate.dialects.openai_events import EventReader, read_response
from sluicegate.dialects.silent import SilentReader
from sluicegate.dialects.texts import field, json_texts, text_of, texts_of
from sluicegate.dialects.usual import Usual
from sluicegate.domain.errors import GatewayError, Kind, RateLimitedError
from sluicegate.domain.snapshot import AllowRule
from sluicegate.domain.usage import Reading
from sluicegate.wire import sse
from sluicegate.wire.caps import CapFields

_READ = ("GET",)
_POST = ("POST",)
_LIST = ("GET", "POST")
_ITEM = ("GET", "POST", "DELETE")

ALLOW: Final = (
    AllowRule(_LIST, "chat/completions"),
    AllowRule(_ITEM, "chat/completions/*"),
    AllowRule(_READ, "chat/completions/*/messages"),
    AllowRule(_POST, "completions"),
    # GET: Responses over WebSocket.
    AllowRule(_LIST, "responses"),
    AllowRule(_POST, "responses/compact"),
    AllowRule(_POST, "responses/input_tokens"),
    AllowRule(("GET", "DELETE"), "responses/*"),
    AllowRule(_POST, "responses/*/cancel"),
    AllowRule(_READ, "responses/*/input_items"),
    AllowRule(_ITEM, "conversations/**"),
    AllowRule(_POST, "embeddings"),
    AllowRule(_READ, "models"),
    # A model's name may hold slashes (OpenRouter); a fine-tuned model can be deleted.
    AllowRule(("GET", "DELETE"), "models/**"),
    AllowRule(_POST, "images/*"),
    AllowRule(_POST, "audio/*"),
    AllowRule(_READ, "audio/voices"),
    AllowRule(_POST, "moderations"),
    AllowRule(_ITEM, "files/**"),
    AllowRule(_POST, "uploads/**"),
    AllowRule(_LIST, "batches/**"),
    AllowRule(_ITEM, "vector_stores/**"),
    AllowRule(_ITEM, "containers/**"),
    AllowRule(_ITEM, "videos/**"),
    AllowRule(_ITEM, "skills/**"),
    AllowRule(_ITEM, "fine_tuning/**"),
    AllowRule(_ITEM, "evals/**"),
    AllowRule(_READ, "realtime"),
    # Not `realtime/client_secrets` and its like: they hand out keys with which a client would bypass the gateway.
    AllowRule(_POST, "realtime/calls/**"),
)

_OPERATIONS: Final = {
    "chat/completions": "chat",
    "responses": "responses",
    "responses/compact": "responses",
    "responses/input_tokens": "count_tokens",
}

_KINDS: Final[dict[Kind, str]] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "too_large": "invalid_request_error",
    "rate_limit": "rate_limit_error",
    "quota": "insufficient_quota",
    "server": "server_error",
    "overloaded": "server_error",
    "timeout": "server_error",
}
"""The API's error types; for the two it has no word for, that of the class of status (4xx, 5xx) they come with."""

_CHAT: Final = frozenset({"chat", "completions"})
_EVENTS: Final = frozenset({"responses", "images", "audio"})
_COUNTABLE: Final = frozenset({"chat", "completions", "responses", "embeddings"})


_OLD_CAP: Final = CapFields(("max_tokens", "max_completion_tokens", "n_predict"), choices=("n",))
"""`n_predict` is llama.cpp's own, which goes before the others there."""
_NEW_CAP: Final = CapFields(("max_completion_tokens", "max_tokens"), choices=("n",))
_CAPS: Final = {
    "completions": CapFields(("max_tokens", "n_predict"), choices=("n", "best_of")),
    "responses": CapFields(("max_output_tokens",)),
}
_NEW_CAP_HOSTS: Final = ("openai.com", "azure.com")
"""Whose reasoning models refuse `max_tokens`; some relatives know no other name."""

_DEAR_IMAGE: Final = 50_000
_IMAGE: Final = 8_000


class OpenAI(Usual):
    """The dialect `openai` (https://platform.openai.com/docs/api-reference)."""

    name: ClassVar[str] = "openai"
    tells_service: ClassVar[bool] = True
    allow: ClassVar[tuple[AllowRule, ...]] = ALLOW

    def version_path(self, base_path: str) -> str:
        """The base path as it is: base URLs of this family hold the version (`/v1`, `/openai/v1`, `/api/paas/v4`)."""
        return base_path or "/v1"

    def rest_of(self, path: str) -> str:
        """`v1/chat/completions` → `chat/completions`."""
        return path.removeprefix("v1/")

    def operation(self, path: str) -> str:
        """Name what the path does."""
        known = _OPERATIONS.get(path)
        if known is not None:
            return known
        first, slash, _ = path.partition("/")
        return "stored" if slash and first in {"chat", "responses"} else first

    def is_countable(self, operation: str) -> bool:
        """Chat, completions, responses and embeddings."""
        return operation in _COUNTABLE

    def can_include_usage(self, operation: str) -> bool:
        """Chat and completions, whose streams report usage only if asked to."""
        return operation in _CHAT

    def is_usage_only(self, payload: bytes) -> bool:
        """Whether a chunk has usage and no choices."""
        return is_usage_chunk(payload)

    def cap_fields(self, operation: str, host: str) -> CapFields | None:
        """`max_completion_tokens` or `max_tokens` of a chat, `max_tokens` of a completion, `max_output_tokens`."""
        if operation == "chat":
            return _NEW_CAP if host.partition(":")[0].endswith(_NEW_CAP_HOSTS) else _OLD_CAP
        return _CAPS.get(operation)

    def image_tokens(self, model: str) -> int:
        """Eight tiles of 5,667 and a base of 2,833 for gpt-4o-mini; others take a sixth of that at most."""
        return _DEAR_IMAGE if "4o-mini" in model else _IMAGE

    def length_ending(self, request_id: str, operation: str, reading: Reading, events: int) -> bytes:
        """A last chunk with the finish reason `length`; for responses, an incomplete one."""
        identity, model = reading.response_id or request_id, reading.model or ""
        if operation == "responses":
            response = {
                "id": identity,
                "object": "response",
                "status": "incomplete",
                "incomplete_details": {"reason": "max_output_tokens"},
                "model": model,
                "output": [],
            }
            body = {"type": "response.incomplete", "sequence_number": events, "response": response}
            return sse.event(msgspec.json.encode(body), "response.incomplete")
        if operation not in _CHAT:
            return b""
        content: dict[str, object] = {"delta": {}} if operation == "chat" else {"text": ""}
        chunk = {
            "id": identity,
            "object": "chat.completion.chunk" if operation == "chat" else "text_completion",
            "created": 0,
            "model": model,
            "choices": [{"index": 0, **content, "finish_reason": "length"}],
        }
        return sse.event(msgspec.json.encode(chunk)) + sse.event(b"[DONE]")

    def error_body(self, error: GatewayError, request_id: str) -> bytes:
        """`{"error":{"message","type","param","code"}}`; for a limit with the facts about it."""
        return msgspec.json.encode({"error": _error_object(error)})

    def stream_error(self, error: GatewayError, request_id: str, operation: str, events: int) -> bytes:
        """A chunk that is an error object; for typed events, an event `error`.

        The documented fields of that event are on its top level; the SDK raises on a nested `error` object, and hands
        out as an ordinary event what has none. So both are there.
        """
        body = _error_object(error)
        if operation not in _EVENTS:
            return sse.event(msgspec.json.encode({"error": body}))
        fields = {
            "type": "error",
            "sequence_number": events,
            "code": error.code,
            "message": error.message,
            "param": error.parameter,
            "error": body,
        }
        return sse.event(msgspec.json.encode(fields), "error")

    def read_answer(self, operation: str, body: bytes) -> Reading:
        """What a whole JSON answer says of itself."""
        if operation in _CHAT or operation == "embeddings":
            return read_chat(body)
        return read_response(body) if operation in _EVENTS else Reading()

    def stream_reader(self, operation: str) -> StreamReader:
        """A reader of chunks or of typed events."""
        if operation in _CHAT:
            return ChatReader()
        return EventReader() if operation in _EVENTS else SilentReader()

    def prompt_text(self, operation: str, body: bytes) -> list[str]:
        """One entry per message, item or input, then one per tool and for the shape the answer must have."""
        request = parse(body)
        if operation == "chat":
            texts = texts_of(field(request, "messages"))
        elif operation == "completions":
            texts = texts_of(field(request, "prompt"))
        elif operation in {"responses", "embeddings"}:
            texts = texts_of(field(request, "instructions")) + texts_of(field(request, "input"))
        else:
            return []
        texts += json_texts(field(request, "tools")) + json_texts(field(request, "functions"))
        schema = field(request, "response_format") or field(field(request, "text"), "format")
        return texts + json_texts([schema] if field(schema, "type") == "json_schema" else None)

    def answer_text(self, operation: str, body: bytes) -> str:
        """The text of all choices or output items."""
        answer = parse(body)
        if operation in _CHAT:
            return text_of(field(answer, "choices"))
        return text_of(field(answer, "output")) if operation == "responses" else ""


def _type(error: GatewayError) -> str:
    """OpenAI's word for a kind of error; of limits and failed providers, what clients of older gateways look for."""
    if isinstance(error, RateLimitedError):
        return error.code
    return "upstream_error" if error.status == 502 and error.source == "upstream" else _KINDS[error.kind]


def _error_object(error: GatewayError) -> dict[str, object]:
    return {
        "message": error.message,
        "type": _type(error),
        "param": error.parameter,
        "code": error.code,
        **limit_facts(error),
    }
