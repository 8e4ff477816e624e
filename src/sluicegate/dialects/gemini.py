"""The Gemini API: generateContent (https://ai.google.dev/api)."""

import re
from http import HTTPStatus
from typing import ClassVar, Final
from urllib.parse import quote

import msgspec

from sluicegate.dialects.base import StreamReader
from sluicegate.dialects.gemini_answers import ContentReader, array_items, read_content
from sluicegate.dialects.gemini_models import with_model_repeated
from sluicegate.dialects.lenient import parse
from sluicegate.dialects.limits import limit_facts
from sluicegate.dialects.silent import SilentReader
from sluicegate.dialects.texts import field, json_texts, text_of, texts_of
from sluicegate.dialects.usual import Usual
from sluicegate.domain.errors import GatewayError
from sluicegate.domain.snapshot import AllowRule
from sluicegate.domain.usage import Reading
from sluicegate.wire import sse
from sluicegate.wire.caps import CapFields

_READ = ("GET",)
_POST = ("POST",)
_VERBS: Final = {
    "generateContent": "generate",
    "streamGenerateContent": "generate",
    "countTokens": "count_tokens",
    "embedContent": "embeddings",
    "batchEmbedContents": "embeddings",
    "batchGenerateContent": "batches",
    "asyncBatchEmbedContent": "batches",
    "predict": "predict",
    "predictLongRunning": "predict",
}
"""What is asked of a model, `models/<model>:<verb>`, and the operation that is."""

ALLOW: Final = (
    *(AllowRule(_POST, f"models/*:{verb}") for verb in _VERBS),
    AllowRule(_POST, "tunedModels/*:generateContent"),
    AllowRule(_POST, "tunedModels/*:streamGenerateContent"),
    AllowRule(_READ, "models"),
    AllowRule(_READ, "models/*"),
    AllowRule(_READ, "models/*/operations/*"),
    AllowRule(_READ, "tunedModels/**"),
    AllowRule(_READ, "files"),
    AllowRule(("GET", "DELETE"), "files/*"),
    AllowRule(_POST, "upload/*/files"),
    AllowRule(("PUT", "POST"), "upload/*/files/**"),
    AllowRule(_POST, "upload/*/fileSearchStores/*"),
    AllowRule(("GET", "POST"), "cachedContents"),
    AllowRule(("GET", "PATCH", "DELETE"), "cachedContents/*"),
    AllowRule(("GET", "POST", "DELETE"), "fileSearchStores/**"),
    AllowRule(("GET", "POST", "DELETE"), "batches/**"),
    AllowRule(("GET", "POST"), "operations/**"),
    AllowRule(_POST, "interactions"),
    AllowRule(("GET", "DELETE"), "interactions/*"),
    AllowRule(_POST, "interactions/*/cancel"),
)

_STATUS_NAMES: Final = {
    HTTPStatus.BAD_REQUEST: "INVALID_ARGUMENT",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.REQUEST_TIMEOUT: "DEADLINE_EXCEEDED",
    HTTPStatus.CONFLICT: "ABORTED",
    HTTPStatus.TOO_MANY_REQUESTS: "RESOURCE_EXHAUSTED",
    HTTPStatus.BAD_GATEWAY: "UNAVAILABLE",
    HTTPStatus.SERVICE_UNAVAILABLE: "UNAVAILABLE",
    HTTPStatus.GATEWAY_TIMEOUT: "DEADLINE_EXCEEDED",
}
"""`google.rpc.Code` by HTTP status; other 4xx are INVALID_ARGUMENT, other 5xx INTERNAL."""

_VERSION = re.compile(r"v1(?:(?:alpha|beta)\d*)?/")
_MODEL = re.compile(
    rf"(models/|(?=tunedModels/))((?:tunedModels/)?[^/:]+|.+(?=:(?:{'|'.join(_VERBS)})$))((?::[A-Za-z]+)?)"
)
"""Before a verb stands any name, also one of ours (`provider/model`)."""


_CAP: Final = CapFields(
    ("maxOutputTokens", "max_output_tokens"),
    ("generationConfig", "generation_config"),
    ("candidateCount", "candidate_count"),
)
"""Protocol buffers' JSON has both spellings."""
_IMAGE: Final = 8_000


class Gemini(Usual):
    """The dialect `gemini`."""

    name: ClassVar[str] = "gemini"
    allow: ClassVar[tuple[AllowRule, ...]] = ALLOW
    credential_parameters: ClassVar[frozenset[str]] = frozenset({"key"})

    def credential_headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """The key in `x-goog-api-key`."""
        return (("x-goog-api-key", api_key),)

    def version_path(self, base_path: str) -> str:
        """`/v1beta`, which has all features, where the base URL names no version."""
        return base_path if _VERSION.fullmatch(base_path.rpartition("/")[2] + "/") else f"{base_path}/v1beta"

    def rest_of(self, path: str) -> str:
        """`v1beta/models/x:generateContent` → `models/x:generateContent`."""
        version = _VERSION.match(path)
        return path[version.end() :] if version else path

    def operation(self, path: str) -> str:
        """Name what the path does."""
        first, slash, rest = path.partition("/")
        if first in {"models", "tunedModels"}:
            if "/operations/" in rest:
                return "operations"
            return _VERBS.get(rest.rpartition(":")[2] if ":" in rest else "", "models")
        return "stored" if slash and first == "interactions" else first

    def is_countable(self, operation: str) -> bool:
        """Generating and embedding."""
        return operation in {"generate", "embeddings"}

    def model_in_path(self, path: str) -> str | None:
        """`models/<model>:<verb>`; a tuned model's name includes `tunedModels/`."""
        found = _MODEL.fullmatch(path)
        return found[2] if found else None

    def with_model_in_path(self, path: str, model: str) -> str:
        """The same verb for another model; a path that names none stays as it is."""
        found = _MODEL.fullmatch(path)
        if found is None:
            return path
        tuned, name = ("tunedModels/", model[12:]) if model.startswith("tunedModels/") else ("models/", model)
        return f"{tuned}{quote(name.removeprefix('models/'), safe='@')}{found[3]}"

    def with_model_repeated(self, body: bytes, model: str) -> bytes:
        """As `dialects.gemini_models` has it."""
        return with_model_repeated(body, model)

    def is_stream_request(self, path: str, query: str) -> bool:
        """`…:streamGenerateContent`, whether as server-sent events (`alt=sse`) or as one growing JSON array."""
        return path.endswith(":streamGenerateContent")

    def cap_fields(self, operation: str, host: str) -> CapFields | None:
        """`generationConfig.maxOutputTokens`."""
        return _CAP if operation == "generate" else None

    def image_tokens(self, model: str) -> int:
        """258 for each tile of 768 pixels, at most 16 of them, with room for models to come."""
        return _IMAGE

    def length_ending(self, request_id: str, operation: str, reading: Reading, events: int) -> bytes:
        """A last partial answer with the finish reason `MAX_TOKENS`."""
        if operation != "generate":
            return b""
        candidate = {"content": {"parts": [], "role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}
        return sse.event(msgspec.json.encode({"candidates": [candidate]}))

    def error_body(self, error: GatewayError, request_id: str) -> bytes:
        """`{"error":{"code","message","status","details"}}`; our code is the reason of an ErrorInfo (google.rpc)."""
        metadata = {"request_id": request_id}
        if error.parameter is not None:
            metadata["parameter"] = error.parameter
        information = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": error.code.upper(),
            "domain": "sluicegate",
            "metadata": metadata,
        }
        return msgspec.json.encode(
            {
                "error": {
                    "code": error.status,
                    "message": error.message,
                    "status": _status_name(error.status),
                    "details": [information],
                    **limit_facts(error),
                }
            }
        )

    def stream_error(self, error: GatewayError, request_id: str, operation: str, events: int) -> bytes:
        """An event whose data is an error body. A JSON array cannot be ended so: there, a cut is the error."""
        return sse.event(self.error_body(error, request_id))

    def read_answer(self, operation: str, body: bytes) -> Reading:
        """What a whole JSON answer says of itself, or a stream in the form of a JSON array."""
        return read_content(body) if self._has_usage(operation) else Reading()

    def stream_reader(self, operation: str) -> StreamReader:
        """A reader of partial answers."""
        return ContentReader() if self._has_usage(operation) else SilentReader()

    def _has_usage(self, operation: str) -> bool:
        return operation in {"generate", "embeddings", "interactions"}

    def prompt_text(self, operation: str, body: bytes) -> list[str]:
        """The system instruction, then one entry per content and per tool."""
        request = parse(body)
        if operation == "embeddings":
            requests = field(request, "requests")
            return texts_of([field(one, "content") for one in requests] if isinstance(requests, list) else request)
        if operation not in {"generate", "count_tokens"}:
            return []
        request = field(request, "generateContentRequest") or request
        system = text_of(field(request, "systemInstruction") or field(request, "system_instruction"))
        contents = texts_of(field(request, "contents"))
        return ([system] if system else []) + contents + json_texts(field(request, "tools"))

    def answer_text(self, operation: str, body: bytes) -> str:
        """The text of all candidates; of a JSON array, of all its items."""
        if operation != "generate":
            return ""
        items = array_items(body)
        answers = [parse(body)] if items is None else items
        return text_of([field(answer, "candidates") for answer in answers])


def _status_name(status: int) -> str:
    server_error = 500
    return _STATUS_NAMES.get(HTTPStatus(status), "INVALID_ARGUMENT" if status < server_error else "INTERNAL")
