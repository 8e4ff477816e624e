"""Recorded exchanges, replayed through the gateway: bytes in are bytes out, and the event has the provider's figures.

The recordings are no part of the project: where they are absent, exchanges written after the providers' documentation
stand alone; they have every shape there is.
"""

import gzip
import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from sluicegate.dialects.table import DIALECTS
from tests.e2e.program import TOKEN, Gateway
from tests.e2e.scripted import ScriptedProvider, chunked, field, sized
from tests.gateway.node import Node, a_chunk, a_provider, a_request, a_snapshot, a_stream_head, parts
from tests.recordings.test_usage import FIGURES, RECORDINGS, RELATIVES, Figures

BASES = {
    "openai": "/v1",
    "anthropic": "",
    "gemini": "",
    "bedrock": "",
    "cohere": "",
    "groq": "/openai/v1",
    "mistral": "/v1",
    "deepseek": "",
    "openrouter": "/api/v1",
}
"""The path of each provider's base URL."""

MODELS = ("/chat/completions", "/responses", "/embeddings", "/messages", ":generateContent", ":streamGenerateContent")
"""How the paths end at which models work."""


class Recording(NamedTuple):
    """One exchange; `target` is the request target at the provider."""

    name: str
    provider: str
    method: str
    target: str
    request: bytes
    status: int
    kind: str
    answer: bytes

    @property
    def dialect(self) -> str:
        """The dialect its provider is configured with."""
        return RELATIVES.get(self.provider, "openai")

    @property
    def is_stream(self) -> bool:
        """Whether the answer is a stream of events."""
        return "event-stream" in self.kind

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def is_asked_for_usage(self) -> bool:
        """Whether usage is asked for on the client's behalf, and kept from it: chat streams that did not ask."""
        if self.dialect != "openai" or not self.path.endswith("/chat/completions"):
            return False
        asked = json.loads(self.request)
        return bool(asked.get("stream")) and not (asked.get("stream_options") or {}).get("include_usage")

    @property
    def sent_up(self) -> Any:
        """What the provider must get: these bytes, or the JSON that has one documented edit."""
        if not self.is_asked_for_usage:
            return self.request
        asked = json.loads(self.request)
        return asked | {"stream_options": (asked.get("stream_options") or {}) | {"include_usage": True}}

    @property
    def sent_down(self) -> bytes:
        """What the client must get: the answer's bytes, less usage it did not ask for."""
        if not (self.is_asked_for_usage and self.is_stream):
            return self.answer
        dialect = DIALECTS["openai"]
        events = self.answer.split(b"\n\n")
        return b"\n\n".join([event for event in events if not dialect.is_usage_only(event.removeprefix(b"data: "))])

    def figures(self) -> Figures | None:
        """The usage the answer's body reports, worked out from plain JSON; None where no model worked."""
        works = self.dialect == "generic" or (self.path.endswith(MODELS) and self.method == "POST")
        if self.status != 200 or not works:
            return None
        if not self.is_stream:
            return FIGURES[self.dialect]([json.loads(self.answer)])
        lines = [line.removeprefix(b"data:").strip() for line in self.answer.splitlines() if line.startswith(b"data:")]
        return FIGURES[self.dialect]([json.loads(line) for line in lines if line.startswith(b"{")])


def recorded(path: Path) -> Iterator[Recording]:
    """Every recorded exchange."""
    if not path.exists():
        return
    for index, one in enumerate(json.loads(gzip.decompress(path.read_bytes()))):
        url = urlsplit(one["uri"])
        request = b"" if one["req"] is None else json.dumps(one["req"]).encode()
        answer = (one["resp_raw"] if one["resp"] is None else json.dumps(one["resp"])).encode()
        target = f"{url.path}?{url.query}" if url.query else url.path
        name = f"{one['prov']}-{index}"
        yield Recording(name, one["prov"], one["method"], target, request, one["status"], one["ctype"], answer)


def _events(*payloads: object, names: bool = False) -> bytes:
    """A stream of these payloads, with lines that name the event's type where the API has them."""
    stream = b""
    for payload in payloads:
        name = f"event: {payload['type']}\n".encode() if names and isinstance(payload, dict) else b""
        data = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
        stream += name + f"data: {data}\n\n".encode()
    return stream


_CHAT = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m"}
_CHAT_USAGE = {"prompt_tokens": 19, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 16}}
CHAT_STREAM = _events(
    _CHAT | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "h\u00e9 \u6c34 \U0001f30a"}}]},
    _CHAT | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    _CHAT | {"choices": [], "usage": _CHAT_USAGE},
    "[DONE]",
)
_RESPONSE = {"id": "resp_1", "model": "m", "usage": {"input_tokens": 5, "output_tokens": 3}}
RESPONSES_STREAM = _events(
    {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "model": "m"}},
    {"type": "response.output_text.delta", "sequence_number": 1, "delta": "\u6c34"},
    {"type": "response.completed", "sequence_number": 2, "response": _RESPONSE | {"status": "completed"}},
    names=True,
)
_MESSAGE = {"id": "msg_1", "type": "message", "model": "c"}
MESSAGES_STREAM = _events(
    {"type": "message_start", "message": _MESSAGE | {"usage": {"input_tokens": 7, "cache_read_input_tokens": 4}}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "na\u00efve"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop"},
    names=True,
)
_GEMINI = {"promptTokenCount": 4, "candidatesTokenCount": 6, "totalTokenCount": 10}
GEMINI_STREAM = _events(
    {"candidates": [{"content": {"parts": [{"text": "\u00e9"}]}}], "usageMetadata": _GEMINI | {"totalTokenCount": 8}},
    {"candidates": [{"content": {"parts": []}, "finishReason": "STOP"}], "usageMetadata": _GEMINI},
).replace(b"\n", b"\r\n")
_STREAMED = "text/event-stream; charset=utf-8"


def _written(
    name: str, provider: str, path: str, body: Any, answer: Any, *, status: int = 200, method: str = "POST"
) -> Recording:
    request = b"" if body is None else json.dumps(body, indent=1, ensure_ascii=False).encode()
    kind = _STREAMED if isinstance(answer, bytes) else "application/json"
    sent = answer if isinstance(answer, bytes) else json.dumps(answer, indent=1, ensure_ascii=False).encode()
    return Recording(f"written/{name}", provider, method, path, request, status, kind, sent)


_ASK = {"model": "m", "messages": [{"role": "user", "content": '\u00fcber {"model": "x"}'}]}
_STREAM = _ASK | {"stream": True}
_WITH_USAGE = _STREAM | {"stream_options": {"include_usage": True}}
_GEMINI_PATH = "/v1beta/models/gemini-2.5-flash"
_FAULT = {"error": {"message": "no such model", "type": "invalid_request_error", "code": "model_not_found"}}
_ANTHROPIC_FAULT = {"type": "error", "error": {"type": "not_found_error", "message": "model: x"}, "request_id": "r"}
WRITTEN = (
    _written("chat", "openai", "/v1/chat/completions", _ASK, {"id": "c", "model": "m", "usage": _CHAT_USAGE}),
    _written("chat-stream", "openai", "/v1/chat/completions", _STREAM, CHAT_STREAM),
    _written("chat-stream-usage", "openai", "/v1/chat/completions", _WITH_USAGE, CHAT_STREAM),
    _written("chat-stream-groq", "groq", "/openai/v1/chat/completions", _WITH_USAGE, CHAT_STREAM),
    _written("chat-deepseek", "deepseek", "/chat/completions", _ASK, {"id": "c", "usage": _CHAT_USAGE}),
    _written("chat-mistral", "mistral", "/v1/chat/completions", _ASK, {"id": "c", "usage": _CHAT_USAGE}),
    _written("chat-openrouter", "openrouter", "/api/v1/chat/completions", _STREAM, CHAT_STREAM),
    _written(
        "responses", "openai", "/v1/responses", {"model": "m", "input": "hi"}, _RESPONSE | {"status": "completed"}
    ),
    _written("responses-stream", "openai", "/v1/responses", {"model": "m", "stream": True}, RESPONSES_STREAM),
    _written("embeddings", "openai", "/v1/embeddings", {"model": "e"}, {"data": [], "usage": {"prompt_tokens": 3}}),
    _written("delete", "openai", "/v1/conversations/c_1", None, {"deleted": True}, method="DELETE"),
    _written("read-back", "openai", "/v1/responses/resp_1?stream=false", None, _RESPONSE, method="GET"),
    _written("chat-404", "openai", "/v1/chat/completions", _ASK, _FAULT, status=404),
    _written("chat-stream-400", "openai", "/v1/chat/completions", _STREAM, _FAULT, status=400),
    _written(
        "messages",
        "anthropic",
        "/v1/messages?beta=true",
        _ASK,
        _MESSAGE | {"stop_reason": "end_turn", "usage": {"input_tokens": 7, "output_tokens": 9}},
    ),
    _written("messages-stream", "anthropic", "/v1/messages?beta=true", _STREAM, MESSAGES_STREAM),
    _written("messages-404", "anthropic", "/v1/messages", _ASK, _ANTHROPIC_FAULT, status=404),
    _written("count", "anthropic", "/v1/messages/count_tokens?beta=true", _ASK, {"input_tokens": 8}),
    _written("generate", "gemini", f"{_GEMINI_PATH}:generateContent", {"contents": []}, {"usageMetadata": _GEMINI}),
    _written("generate-sse", "gemini", f"{_GEMINI_PATH}:streamGenerateContent?alt=sse", {"x": []}, GEMINI_STREAM),
    _written("generate-429", "gemini", f"{_GEMINI_PATH}:generateContent", {"contents": []}, _FAULT, status=429),
    _written("delete-store", "gemini", "/v1beta/fileSearchStores/a-1?force=True", None, {}, method="DELETE"),
    _written(
        "converse",
        "bedrock",
        "/model/us.amazon.nova-v1%3A0/converse",
        {"messages": []},
        {"usage": {"inputTokens": 5, "outputTokens": 6, "totalTokens": 11}},
    ),
    _written("cohere", "cohere", "/v2/chat", _ASK, {"usage": {"tokens": {"input_tokens": 4, "output_tokens": 2}}}),
)
ALL = (*WRITTEN, *recorded(RECORDINGS))
STREAMS = tuple(recording for recording in ALL if recording.is_stream)
SAMPLE = tuple(stream for stream in STREAMS if len(stream.answer) < 3_000)[:14]
"""For the cuts that make many reads."""
BY_NAME = {recording.name: recording for recording in ALL}

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests"}


def own_path(recording: Recording) -> str:
    """The path behind the gateway's prefix for the provider."""
    return f"/{recording.provider}{recording.target.removeprefix(BASES[recording.provider])}"


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedProvider]:
    """A provider that answers as recorded: the field `x-recording` says which exchange it is."""

    def answer(connection: Any, request: bytes) -> None:
        recording = BY_NAME[field(request, b"x-recording").decode()]
        if recording.is_stream:
            connection.sendall(chunked(*recording.answer.splitlines(keepends=True), kind=recording.kind))
        else:
            status = f"{recording.status} {_REASONS[recording.status]}"
            connection.sendall(sized(recording.answer, status=status, kind=recording.kind))

    with ScriptedProvider(answer) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(provider: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The real program before it, with every provider that was recorded."""
    directory = tmp_path_factory.mktemp("replay")
    rows = [
        f"  {name}: {{dialect: {RELATIVES.get(name, 'openai')}, base_url: 'http://127.0.0.1:{provider.port}{base}',"
        " api_key: key, proxy: none, allow: all}\n"
        for name, base in BASES.items()
    ]
    (directory / "gateway.yaml").write_text(
        f"server: {{port: 0, drain_seconds: 1}}\ntokens: [{{name: test, token: {TOKEN}}}]\nproviders:\n{''.join(rows)}"
    )
    made = Gateway(directory, f"--config={directory / 'gateway.yaml'}", variables={}).until_ready()
    yield made
    made.end()


@pytest.fixture(scope="module")
def connection(gateway: Gateway) -> HTTPConnection:
    """One connection for all exchanges."""
    return gateway.connection()


@pytest.mark.parametrize("recording", ALL, ids=lambda recording: recording.name)
def test_exchange_passes_unchanged(
    recording: Recording, provider: ScriptedProvider, gateway: Gateway, connection: HTTPConnection
) -> None:
    """Through the real program: path and body go up, status and body come down, the event has the reported usage."""
    headers = {"Authorization": f"Bearer {TOKEN}", "x-recording": recording.name}
    if recording.request:
        headers["Content-Type"] = "application/json"
    connection.request(recording.method, own_path(recording), recording.request or None, headers)
    response = connection.getresponse()
    assert (response.status, response.read()) == (recording.status, recording.sent_down)
    head, _, body = provider.requests[-1].partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == f"{recording.method} {recording.target} HTTP/1.1".encode()
    assert (json.loads(body) if recording.is_asked_for_usage else body) == recording.sent_up
    event = gateway.event(response.headers["x-request-id"])
    assert (event["status_code"], event["provider"]) == (recording.status, recording.provider)
    figures = recording.figures()
    usage = event.get("usage") or {}
    if figures is not None:
        names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
        assert event["usage_source"] == "reported"
        assert tuple(usage.get(name, 0) for name in names) == figures
    elif recording.status != 200:
        assert (usage, event["error_source"]) == ({}, "upstream")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A worker's insides."""
    made = Node(tmp_path / "events")
    yield made
    made.close()


def replayed(node: Node, recording: Recording, reads: list[bytes]) -> tuple[int, bytes, tuple[Any, ...]]:
    """Status, body, and what the event says of an exchange whose answer comes in these reads."""
    before = len(node.events())
    api = a_provider(recording.provider, recording.dialect, base_path=BASES[recording.provider], allow=None)
    node.services.configure(a_snapshot(providers=(api,)))
    client = node.client().says(a_request(own_path(recording), recording.request))
    node.provider.hears()
    for read in reads:
        node.provider.says(read)
    status, fields, body = parts(client.hears())
    for counted in node.link.counted:
        counted(None)
    node.link.counted.clear()
    (event,) = node.events()[before:]
    client.leaves()
    said = (event.usage, event.usage_source, event.model, event.finish_reason, event.is_cut, event.response_bytes)
    return status, unchunked(body) if "transfer-encoding" in fields else body, said


def unchunked(body: bytes) -> bytes:
    """A chunked body's content; it must be whole."""
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        content += body[:length]
        assert body[length : length + 2] == b"\r\n"
        body = body[length + 2 :]
        if not length:
            assert body == b""
            return content
    raise AssertionError("the last chunk is missing")


def answer_of(recording: Recording) -> bytes:
    """The recorded stream in chunks, one for each line."""
    lines = recording.answer.splitlines(keepends=True)
    return a_stream_head() + b"".join(map(a_chunk, lines)) + b"0\r\n\r\n"


def in_reads(data: bytes, size: int) -> list[bytes]:
    """Cut into reads of this size."""
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("recording", STREAMS, ids=lambda recording: recording.name)
def test_stream_does_not_depend_on_reads(node: Node, recording: Recording) -> None:
    """However chunks and reads cut a stream, inside characters and line ends too, client and event get the same."""
    whole = replayed(node, recording, [answer_of(recording)])
    assert whole[:2] == (200, recording.sent_down)
    assert replayed(node, recording, in_reads(answer_of(recording), 997)) == whole
    # Chunks that begin with the end of the line before: a line end is never in one piece with its line.
    pieces = [b"\n" * bool(number) + line for number, line in enumerate(recording.answer.split(b"\n"))]
    body = [a_chunk(piece) for piece in pieces if piece]
    assert replayed(node, recording, [a_stream_head(), *body, b"0\r\n\r\n"]) == whole


@pytest.mark.parametrize("recording", SAMPLE, ids=lambda recording: recording.name)
def test_stream_in_tiny_pieces(node: Node, recording: Recording) -> None:
    """Reads of a few bytes, and chunks of a few bytes in one read each: still the same."""
    whole = replayed(node, recording, [answer_of(recording)])
    for size in (1, 2, 3, 7):
        assert replayed(node, recording, in_reads(answer_of(recording), size)) == whole
        chunks = [a_chunk(piece) for piece in in_reads(recording.answer, size)]
        assert replayed(node, recording, [a_stream_head(), *chunks, b"0\r\n\r\n"]) == whole
