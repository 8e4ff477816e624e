"""The Anthropic API: messages (https://docs.claude.com/en/api/messages)."""

from typing import ClassVar, Final

import msgspec

from sluicegate.dialects.anthropic_messages import MessageReader, read_message
from sluicegate.dialects.base import Resets, StreamReader
from sluicegate.dialects.lenient import parse
from sluicegate.dialects.limits import anthropic_form, limit_facts
from sluicegate.dialects.silent import SilentReader
from sluicegate.dialects.texts import field, json_texts, text_of, texts_of
from sluicegate.dialects.usual import Usual
from sluicegate.domain.errors import GatewayError, Kind
from sluicegate.domain.snapshot import AllowRule
from sluicegate.domain.usage import Reading
from sluicegate.wire import sse
from sluicegate.wire.caps import CapFields

_LIST = ("GET", "POST")
_ITEM = ("GET", "POST", "DELETE")

ALLOW: Final = (
    AllowRule(("POST",), "messages"),
    AllowRule(("POST",), "messages/count_tokens"),
    AllowRule(_LIST, "messages/batches"),
    AllowRule(_ITEM, "messages/batches/**"),
    AllowRule(("POST",), "complete"),
    AllowRule(("GET",), "models/**"),
    AllowRule(_ITEM, "files/**"),
    AllowRule(_ITEM, "skills/**"),
)

_OPERATIONS: Final = {"messages/count_tokens": "count_tokens", "messages/batches": "batches"}

_KINDS: Final[dict[Kind, str]] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "too_large": "request_too_large",
    "rate_limit": "rate_limit_error",
    "quota": "billing_error",
    "server": "api_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
}

_OAUTH_PREFIX = "sk-ant-oat"
"""Tokens of subscriptions; the API takes them as a bearer only."""

_DEFAULT_VERSION = "2023-06-01"
"""For clients that send no version: the one every server of this API understands, relatives included. The SDKs always
send theirs, and it is passed on."""


_CAP: Final = CapFields(("max_tokens",))
_IMAGE: Final = 6_000
"""Tokens of the largest image that is not scaled down first, with room for models to come."""


class Anthropic(Usual):
    """The dialect `anthropic`."""

    name: ClassVar[str] = "anthropic"
    tells_service: ClassVar[bool] = True
    allow: ClassVar[tuple[AllowRule, ...]] = ALLOW

    def credential_headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """The key in `x-api-key`, an OAuth token as a bearer."""
        if api_key.startswith(_OAUTH_PREFIX):
            return (("authorization", f"Bearer {api_key}"),)
        return (("x-api-key", api_key),)

    def default_headers(self) -> tuple[tuple[str, str], ...]:
        """The API refuses requests without a version."""
        return (("anthropic-version", _DEFAULT_VERSION),)

    def version_path(self, base_path: str) -> str:
        """Base URLs of this API end before `/v1`; one that holds it is understood too."""
        return base_path if base_path.endswith("/v1") else f"{base_path}/v1"

    def rest_of(self, path: str) -> str:
        """`v1/messages` → `messages`."""
        return path.removeprefix("v1/")

    def operation(self, path: str) -> str:
        """Name what the path does."""
        known = _OPERATIONS.get(path)
        if known is not None:
            return known
        first, slash, _ = path.partition("/")
        return "stored" if slash and first == "messages" else first

    def is_countable(self, operation: str) -> bool:
        """Messages only."""
        return operation == "messages"

    def cap_fields(self, operation: str, host: str) -> CapFields | None:
        """`max_tokens`, which the API requires."""
        return _CAP if operation == "messages" else None

    def image_tokens(self, model: str) -> int:
        """The same for all models."""
        return _IMAGE

    def limit_form(self, metric: str, maximum: int, resets: Resets | None) -> bytes:
        """`anthropic-ratelimit-…`."""
        return anthropic_form(metric, maximum, resets)

    def length_ending(self, request_id: str, operation: str, reading: Reading, events: int) -> bytes:
        """`message_delta` with the stop reason `max_tokens`, and `message_stop`: SDKs need no end of the last block."""
        if operation != "messages":
            return b""
        delta = {"stop_reason": "max_tokens", "stop_sequence": None}
        body = {"type": "message_delta", "delta": delta, "usage": {"output_tokens": events}}
        end = sse.event(b'{"type":"message_stop"}', "message_stop")
        return sse.event(msgspec.json.encode(body), "message_delta") + end

    def error_body(self, error: GatewayError, request_id: str) -> bytes:
        """`{"type":"error","error":{"type","message"},"request_id"}`; for a limit with the facts about it."""
        detail = {"type": _KINDS[error.kind], "message": error.message, **limit_facts(error)}
        return msgspec.json.encode({"type": "error", "error": detail, "request_id": request_id})

    def stream_error(self, error: GatewayError, request_id: str, operation: str, events: int) -> bytes:
        """An event `error`; its data is an error body."""
        return sse.event(self.error_body(error, request_id), "error")

    def read_answer(self, operation: str, body: bytes) -> Reading:
        """What a whole JSON answer says of itself."""
        return read_message(body) if operation == "messages" else Reading()

    def stream_reader(self, operation: str) -> StreamReader:
        """A reader of messages' events."""
        return MessageReader() if operation == "messages" else SilentReader()

    def prompt_text(self, operation: str, body: bytes) -> list[str]:
        """The system prompt, then one entry per message and per tool."""
        if operation not in {"messages", "count_tokens"}:
            return []
        request = parse(body)
        system = text_of(field(request, "system"))
        messages = texts_of(field(request, "messages"))
        return ([system] if system else []) + messages + json_texts(field(request, "tools"))

    def answer_text(self, operation: str, body: bytes) -> str:
        """The text of all content blocks."""
        return text_of(field(parse(body), "content")) if operation == "messages" else ""
