"""Which path is answered how. Only the end of a path counts, so that any base URL will do."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from sluicegate.bench.mock import anthropic, gemini, openai
from sluicegate.bench.mock.answers import LAST_CHUNK, Answer, Stream, Whole, chunk, whole
from sluicegate.bench.mock.asked import Asked, decode, length_of
from sluicegate.bench.mock.request import Request
from sluicegate.bench.mock.settings import MockSettings

_PIECE = b"x" * 65536
_MOST_BYTES = 1 << 34

Handler = Callable[[Request, MockSettings], Answer]
ErrorOf = Callable[[int, str, int], Whole]


@dataclass(frozen=True, slots=True)
class Route:
    """How a path is answered: its methods, its handler, the shape of its errors, and whether the body is read."""

    methods: frozenset[str]
    handler: Handler
    error: ErrorOf = openai.error
    keeps_body: bool = False
    is_open: bool = False
    """Whether it asks for no key and knows no faults."""


def _json(build: Callable[[Asked, MockSettings], Answer], error: ErrorOf = openai.error) -> Route:
    def handler(request: Request, settings: MockSettings) -> Answer:
        return build(decode(request.body), settings)

    return Route(frozenset({"POST"}), handler, error, keeps_body=True)


def _get(handler: Handler, *, is_open: bool = False) -> Route:
    return Route(frozenset({"GET", "HEAD"}), handler, is_open=is_open)


def _models(request: Request, _settings: MockSettings) -> Answer:
    # Google's SDK asks for `/v1/models` too: there only the header with its key tells the APIs apart.
    is_gemini = "/v1beta/" in request.path or request.header(b"x-goog-api-key") is not None
    return gemini.models() if is_gemini else openai.models()


def _health(_request: Request, _settings: MockSettings) -> Answer:
    return whole({"status": "ok"})


def _upload(request: Request, _settings: MockSettings) -> Answer:
    body = {"id": "file-mock", "object": "file", "bytes": request.size, "created_at": openai.CREATED}
    return whole(body | {"filename": "upload", "purpose": "batch", "status": "processed"})


def _transcription(request: Request, _settings: MockSettings) -> Answer:
    return whole({"text": "river gate water stone", "bytes": request.size})


def _echo(request: Request, _settings: MockSettings) -> Answer:
    return whole(
        {
            "method": request.method,
            "path": request.path,
            "query": request.url.partition(b"?")[2].decode("latin-1"),
            "url": request.url.decode("latin-1"),
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers],
            "size": request.size,
            "body_length": request.size,
            "body": request.body.decode("utf-8", "replace"),
            "sha256": hashlib.sha256(request.body).hexdigest(),
        }
    )


def _big(request: Request, _settings: MockSettings) -> Answer:
    """`GET /big?bytes=N`: N bytes in chunks, no faster than the client takes them."""
    wanted = request.query.get("bytes", [""])[0]
    if not (wanted.isascii() and wanted.isdigit() and int(wanted) <= _MOST_BYTES):
        return openai.error(400, f"bytes={wanted!r}: a number up to {_MOST_BYTES} is needed", 0)
    pieces, rest = divmod(int(wanted), len(_PIECE))
    end = (chunk(_PIECE[:rest]) if rest else b"") + LAST_CHUNK
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    # One chunk many times over: the size of the answer costs no memory.
    frames = (*(chunk(_PIECE),) * pieces, end)
    writes = (head + frames[0], *frames[1:])
    return Stream(head, frames, tokens=0, lead=0, failure=LAST_CHUNK, writes=writes)


def _gemini(request: Request, settings: MockSettings) -> Answer:
    model, _, action = request.path.rpartition("/")[2].rpartition(":")
    is_sse = request.query.get("alt") == ["sse"]
    length = length_of(decode(request.body), settings)
    return gemini.answer(model, action, length, is_sse) or gemini.error(404, f"no action {action!r}")


_ENDINGS = (
    ("/chat/completions", _json(openai.chat)),
    ("/completions", _json(openai.completions)),
    ("/responses", _json(openai.responses)),
    ("/embeddings", _json(openai.embeddings)),
    ("/messages", _json(anthropic.messages, anthropic.error)),
    ("/messages/count_tokens", _json(anthropic.count_tokens, anthropic.error)),
    ("/models", _get(_models)),
    ("/files", Route(frozenset({"POST"}), _upload)),
    ("/audio/transcriptions", Route(frozenset({"POST"}), _transcription)),
    ("/health", _get(_health, is_open=True)),
    ("/big", _get(_big, is_open=True)),
)
_GEMINI = Route(frozenset({"POST"}), _gemini, gemini.error, keeps_body=True)
_ECHO = Route(frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}), _echo, keeps_body=True)
_ROOT = _get(_health, is_open=True)


@lru_cache(1024)
def route_of(url: bytes) -> Route | None:
    """Find the route of a request target."""
    path = url.partition(b"?")[0].decode("latin-1")
    if path in {"/", ""}:
        return _ROOT
    if "echo" in path.split("/"):
        return _ECHO
    for ending, route in _ENDINGS:
        if path.endswith(ending):
            return route
    last = path.rpartition("/")[2].replace("%3A", ":")
    return _GEMINI if "/models/" in path and ":" in last else None


def reply(request: Request, settings: MockSettings) -> Answer:
    """Answer a request that is whole: the right answer, or the error a provider would give."""
    route = route_of(request.url)
    if request.method == "HEAD" and (route is None or "HEAD" not in route.methods):
        return whole(b"")
    if route is None:
        return openai.error(404, f"no such path: {request.path}", 0)
    if request.method not in route.methods:
        return route.error(405, f"{request.method} is not allowed here", 0)
    if not route.is_open:
        if settings.require_key is not None and credential_of(request) != settings.require_key:
            return route.error(401, "wrong key", 0)
        if settings.fault is not None and settings.fault.kind == "status":
            return route.error(settings.fault.number, "the mock was told to fail", settings.retry_after)
    try:
        return route.handler(request, settings)
    except msgspec.DecodeError as error:
        return route.error(400, f"the body is not what was expected: {error}", 0)


def credential_of(request: Request) -> str | None:
    """Return the key wherever one of the APIs puts it."""
    authorization = request.header(b"authorization")
    if authorization is not None:
        return authorization.partition(b" ")[2].strip().decode("latin-1")
    for name in (b"x-api-key", b"x-goog-api-key", b"api-key"):
        value = request.header(name)
        if value is not None:
            return value.decode("latin-1")
    keys = request.query.get("key")
    return keys[0] if keys else None
