"""Which path is answered how."""

import json

import pytest

from sluicegate.bench.mock.answers import Answer, Stream, Whole
from sluicegate.bench.mock.request import Request
from sluicegate.bench.mock.routes import credential_of, reply, route_of
from sluicegate.bench.mock.settings import Fault, MockSettings


def ask(url: str, method: str = "POST", body: bytes = b"{}", settings: MockSettings | None = None) -> Answer:
    """Ask for it."""
    return reply(Request(method, url.encode(), [], body, len(body)), settings or MockSettings())


def status(answer: Answer) -> int:
    """The status of an answer."""
    return int(answer.head[9:12])


@pytest.mark.parametrize("prefix", ["", "/v1", "/api/coding/paas/v4", "/v1/account/gateway/compat"])
def test_any_base_url_will_do(prefix: str) -> None:
    """Providers differ in what stands before the path, so only the end counts."""
    assert status(ask(f"{prefix}/chat/completions?beta=true")) == 200


def test_error_has_the_shape_of_its_api() -> None:
    """A wrong method, a broken body and a faulty status are told in the words of the API that was asked."""
    anthropic = ask("/v1/messages", "GET")
    assert isinstance(anthropic, Whole)
    assert (status(anthropic), json.loads(anthropic.body)["type"]) == (405, "error")
    gemini = ask("/v1beta/models/g:generateContent", body=b"[")
    assert status(gemini) == 400
    assert isinstance(gemini, Whole)
    assert json.loads(gemini.body)["error"]["status"] == "INVALID_ARGUMENT"
    openai = ask("/v1/embeddings", settings=MockSettings(fault=Fault("status", 503)))
    assert isinstance(openai, Whole)
    assert (status(openai), json.loads(openai.body)["error"]["type"]) == (503, "server_error")


def test_unknown_path_is_not_found() -> None:
    """What no API has is answered like OpenAI does."""
    assert status(ask("/v1/thoughts")) == 404
    assert status(ask("/v1/thoughts", "HEAD")) == 200
    assert route_of(b"/v1/models/gpt") is None


def test_models_are_listed_as_the_caller_knows_them() -> None:
    """`/v1/models` is a path of both APIs: Google's SDK is known by the header of its key."""
    openai, gemini = (
        ask("/v1/models", "GET"),
        reply(Request("GET", b"/v1/models", [(b"x-goog-api-key", b"key")], b"", 0), MockSettings()),
    )
    assert isinstance(openai, Whole)
    assert isinstance(gemini, Whole)
    assert json.loads(openai.body)["object"] == "list"
    assert json.loads(gemini.body)["models"]


def test_root_and_health_are_open() -> None:
    """Probes need no key and meet no fault."""
    settings = MockSettings(require_key="secret", fault=Fault("status", 500))
    assert status(ask("/", "HEAD", settings=settings)) == 200
    assert status(ask("/health", "GET", settings=settings)) == 200
    assert status(ask("/v1/models", "GET", settings=settings)) == 401


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("/echo", [(b"Authorization", b"Bearer my key")]),
        ("/echo", [(b"X-Api-Key", b"my key")]),
        ("/echo", [(b"x-goog-api-key", b"my key")]),
        ("/echo", [(b"api-key", b"my key")]),
        ("/echo?key=my%20key", []),
    ],
)
def test_key_is_found_where_each_api_puts_it(url: str, headers: list[tuple[bytes, bytes]]) -> None:
    """A key may stand in five places, and may contain a space."""
    request = Request("POST", url.encode(), headers)
    assert credential_of(request) == "my key"
    assert status(reply(request, MockSettings(require_key="my key"))) == 200
    assert status(reply(request, MockSettings(require_key="other"))) == 401
    assert credential_of(Request("POST", b"/echo", [])) is None


def test_echo_tells_what_arrived() -> None:
    """Method, path, headers in order and as often as they came, size and digest of the body."""
    headers = [(b"X-A", b"1"), (b"x-a", b"2")]
    answer = reply(Request("PUT", b"/v1/echo/x?q=1", headers, b"abc", 3), MockSettings())
    assert isinstance(answer, Whole)
    assert json.loads(answer.body) == {
        "method": "PUT",
        "path": "/v1/echo/x",
        "query": "q=1",
        "url": "/v1/echo/x?q=1",
        "headers": [["X-A", "1"], ["x-a", "2"]],
        "size": 3,
        "body_length": 3,
        "body": "abc",
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }


@pytest.mark.parametrize("size", [0, 1, 65_536, 200_000])
def test_big_answer_has_the_size_asked(size: int) -> None:
    """As many bytes as wanted, in chunks that share their memory."""
    answer = ask(f"/big?bytes={size}", "GET")
    assert isinstance(answer, Stream)
    wire = b"".join(answer.writes)
    assert wire.partition(b"\r\n\r\n")[2].count(b"x") == size
    assert wire.endswith(b"0\r\n\r\n")
    assert len({id(frame) for frame in answer.frames}) <= 2


@pytest.mark.parametrize("size", ["", "-1", "many", str(1 << 35)])
def test_big_answer_of_no_size_is_refused(size: str) -> None:
    """What is no number, or beyond all need, is a bad request."""
    assert status(ask(f"/big?bytes={size}", "GET")) == 400
