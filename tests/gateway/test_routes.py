"""Where a request line leads."""

import pytest

from sluicegate.domain.errors import MethodForbiddenError, NoProviderError, PathUnknownError
from sluicegate.domain.snapshot import Snapshot
from sluicegate.wire.target import TargetError
from tests.gateway.node import Node, a_provider, a_request, a_snapshot


@pytest.mark.parametrize(
    ("method", "target", "kind", "provider", "operation"),
    [
        (b"GET", b"/healthz", "local", None, ""),
        (b"HEAD", b"/", "local", None, ""),
        (b"GET", b"/", "control", None, ""),
        (b"GET", b"/admin/config", "control", None, ""),
        (b"GET", b"/v1/key", "control", None, ""),
        (b"GET", b"/v1/key/usage?a=b", "control", None, ""),
        (b"GET", b"/v1/keys", "model", "openai", "keys"),
        (b"POST", b"/v1/chat/completions", "model", "openai", "chat"),
        (b"POST", b"/v1/embeddings?x=1", "model", "openai", "embeddings"),
        (b"POST", b"/v1/messages?beta=true", "model", "anthropic", "messages"),
        (b"POST", b"/v1/v1/messages", "model", "anthropic", "messages"),
        (b"POST", b"/openai/chat/completions", "provider", "openai", "chat"),
        (b"POST", b"/openai/v1/chat/completions", "provider", "openai", "chat"),
        (b"POST", b"/gemini/v1beta/models/g:generateContent", "provider", "gemini", "generate"),
        (b"POST", b"/v1beta/models/g:generateContent", "provider", "gemini", "generate"),
        (b"GET", b"/nowhere", "unknown", None, ""),
    ],
)
def test_a_request_line_leads_somewhere(
    node: Node, method: bytes, target: bytes, kind: str, provider: str | None, operation: str
) -> None:
    """Kind, provider and operation."""
    route = node.services.routes.find(method, target)
    name = route.provider.name if route.provider else None
    assert (route.kind, name, route.operation) == (kind, provider, operation)
    assert kind in repr(route)


@pytest.mark.parametrize(
    ("method", "target", "refusal"),
    [
        (b"GET", b"/nowhere", PathUnknownError),
        (b"GET", b"/v1", PathUnknownError),
        (b"GET", b"/openai/nothing/at/all", PathUnknownError),
        (b"PUT", b"/openai/chat/completions", MethodForbiddenError),
        (b"GET", b"/%6fpenai/models", PathUnknownError),
    ],
)
def test_what_is_refused_is_remembered_for_a_known_caller(
    node: Node, method: bytes, target: bytes, refusal: type[Exception]
) -> None:
    """The refusal waits until the caller is known."""
    assert isinstance(node.services.routes.find(method, target).refusal, refusal)


def test_an_encoded_slash_is_checked_as_a_slash(node: Node) -> None:
    """`%2f` never reaches another path than the one that was checked."""
    route = node.services.routes.find(b"POST", b"/openai/chat%2fcompletions")
    assert route.rest == "chat/completions"
    with pytest.raises(TargetError):
        node.services.routes.find(b"POST", b"/openai/chat%2f..%2fadmin")


def test_a_credential_in_the_query_stays_here(node: Node) -> None:
    """`?key=`, however it is spelled, is a Gemini client's credential; what else it asks keeps its bytes."""
    target = b"/gemini/v1beta/models/g:generateContent?alt=sse&key=sk-canary&%6bey=sk-canary&x=a%20b&keys=1"
    route = node.services.routes.find(b"POST", target)
    assert route.provider is not None
    line = route.line_for(route.provider)
    assert line == b"POST /v1beta/models/g:generateContent?alt=sse&x=a%20b&keys=1 HTTP/1.1\r\n"


def test_a_base_url_with_version_is_not_doubled(node: Node) -> None:
    """`/openai/v1/…` before a base that ends in /v1 is collapsed."""
    route = node.services.routes.find(b"POST", b"/openai/v1/chat/completions?a=b")
    assert route.provider is not None
    assert route.line_for(route.provider) == b"POST /v1/chat/completions?a=b HTTP/1.1\r\n"


def test_without_a_provider_the_refusal_says_what_to_do(node: Node) -> None:
    """An installation without providers names the variable to set."""
    node.services.configure(Snapshot(version=2))
    for target in (b"/v1/chat/completions", b"/v1beta/models/g:generateContent"):
        assert isinstance(node.services.routes.find(b"POST", target).refusal, NoProviderError)
    assert isinstance(node.services.routes.find(b"POST", b"/v1/what").refusal, PathUnknownError)


def test_an_allowlist_may_be_open(node: Node) -> None:
    """`allow: all` passes any path and method."""
    node.services.configure(a_snapshot(providers=(a_provider(allow=None),)))
    assert node.services.routes.find(b"PUT", b"/openai/anything").refusal is None


def test_what_is_remembered_is_bounded(node: Node) -> None:
    """Invented targets fill nothing; long ones are not remembered at all."""
    for number in range(5000):
        node.services.routes.find(b"GET", b"/v1/models/%d" % number)
    node.services.routes.find(b"GET", b"/v1/models/" + b"a" * 1000)
    remembered = int(repr(node.services.routes).rpartition("=")[2].rstrip(">"))
    assert 0 < remembered <= 4096


def test_a_path_of_two_apis_follows_the_fields(node: Node) -> None:
    """Anthropic's SDK keeps its files at Anthropic; what only OpenAI has stays there."""
    find = node.services.routes.find
    assert find(b"GET", b"/v1/files/f1").dialect.name == "openai"
    assert find(b"GET", b"/v1/files/f1", is_anthropic=True).dialect.name == "anthropic"
    assert find(b"POST", b"/v1/chat/completions", is_anthropic=True).dialect.name == "openai"
    sent = node.client().says(a_request("/v1/files", b"", method="GET", fields=("anthropic-version: 2023-06-01",)))
    assert node.opener.reached == ["anthropic"]
    assert sent.hears() == b""
