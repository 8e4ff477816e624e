"""Where a request line leads."""

import pytest

from sluicegate.domain.errors import MethodForbiddenError, NoProviderError, PathUnknownError
from sluicegate.domain.snapshot import AllowRule, Snapshot
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
        (b"POST", b"/v1beta/models/g:generateContent", "model", "gemini", "generate"),
        (b"POST", b"/v1beta/models/openai/g:countTokens", "model", "gemini", "count_tokens"),
        (b"GET", b"/v1beta/models/g", "control", None, ""),
        (b"HEAD", b"/v1beta/models", "control", None, ""),
        (b"GET", b"/v1beta/models/openai/g?a=b", "control", None, ""),
        (b"GET", b"/v1beta/models/g/operations/o", "provider", "gemini", "operations"),
        (b"GET", b"/gemini/v1beta/models", "provider", "gemini", "models"),
        (b"POST", b"/v1beta/models/g:askAnew", "provider", "gemini", "models"),
        (b"GET", b"/v1beta/files", "provider", "gemini", "files"),
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
    line = route.line_for(route.provider, "g")
    assert line == b"POST /v1beta/models/g:generateContent?alt=sse&x=a%20b&keys=1 HTTP/1.1\r\n"


def test_a_credential_in_the_query_reaches_no_provider_of_another_api(node: Node) -> None:
    """Whoever answers in the end: `?key=` is a credential on a path of Gemini's."""
    node.services.configure(a_snapshot(providers=(a_provider(allow=None), a_provider("gemini", "gemini"))))
    route = node.services.routes.find(b"POST", b"/v1beta/models/openai/g:generateContent?key=sk-canary&a=b")
    runtime = node.services.providers.by_name["openai"]
    assert route.line_for(runtime, "g") == b"POST /v1/models/g:generateContent?a=b HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("target", "model", "path"),
    [
        (b"/v1beta/models/smart:generateContent", "g-2", b"/v1beta/models/g-2:generateContent"),
        (b"/v1beta/models/gemini%2Fg:countTokens?a=b", "g", b"/v1beta/models/g:countTokens?a=b"),
        (b"/v1beta/models/smart:generateContent", "tunedModels/t", b"/v1beta/tunedModels/t:generateContent"),
        (b"/v1beta/models/smart:generateContent", "a/b?c", b"/v1beta/models/a%2Fb%3Fc:generateContent"),
        (b"/v1beta/models/a/b:generateContent", "a/b", b"/v1beta/models/a%2Fb:generateContent"),
        (b"/gemini/v1beta/models/g:generateContent", "g-2", b"/v1beta/models/g-2:generateContent"),
        (b"/gemini/v1/models/g:generateContent", "g-2", b"/v1/models/g-2:generateContent"),
        (b"/gemini/models/g:generateContent", "g-2", b"/models/g-2:generateContent"),
        (b"/gemini/v1beta/models/%67:generateContent", "g", b"/v1beta/models/%67:generateContent"),
    ],
)
def test_a_path_that_names_the_model_is_made_for_who_answers(
    node: Node, target: bytes, model: str, path: bytes
) -> None:
    """The version stays, the name can be no other path; where nothing changes, a provider's path is the client's."""
    route = node.services.routes.find(b"POST", target)
    assert route.provider is not None
    assert route.line_for(route.provider, model) == b"POST %b HTTP/1.1\r\n" % path
    assert route.line_for(route.provider, model) == b"POST %b HTTP/1.1\r\n" % path


def test_a_model_in_the_path_is_held_against_the_allowlist_of_who_answers(node: Node) -> None:
    """As the path that it would get."""
    only = AllowRule(("POST",), "models/g:generateContent")
    node.services.configure(a_snapshot(providers=(a_provider("gemini", "gemini", allow=(only,)),)))
    for target in (b"/v1beta/models/smart:generateContent", b"/gemini/v1beta/models/g:generateContent"):
        route = node.services.routes.find(b"POST", target)
        assert route.provider is not None
        assert b"/models/g:generateContent" in route.line_for(route.provider, "g")
        with pytest.raises(PathUnknownError):
            route.line_for(route.provider, "other")


def test_a_base_url_with_version_is_not_doubled(node: Node) -> None:
    """`/openai/v1/…` before a base that ends in /v1 is collapsed."""
    route = node.services.routes.find(b"POST", b"/openai/v1/chat/completions?a=b")
    assert route.provider is not None
    assert route.line_for(route.provider, "") == b"POST /v1/chat/completions?a=b HTTP/1.1\r\n"


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


def test_googles_sdk_may_ask_by_v1(node: Node) -> None:
    """Its version 3 asks `/v1/models/<model>:<verb>` of a model; lists, and names with colons, stay the gateway's."""
    find = node.services.routes.find
    route = find(b"POST", b"/v1/models/g:streamGenerateContent?alt=sse")
    assert route.provider is not None
    assert (route.dialect.name, route.provider.name, route.operation, route.streams) == (
        "gemini",
        "gemini",
        "generate",
        True,
    )
    assert find(b"GET", b"/v1/models/g:generateContent").kind == "control"
    assert find(b"POST", b"/v1/models/ft:gpt-4o:org::id").kind == "control"


@pytest.mark.parametrize(
    ("target", "is_anthropic", "dialect"),
    [
        (b"/v1/models", False, "openai"),
        (b"/v1/models/m", True, "anthropic"),
        (b"/v1beta/models", True, "gemini"),
        (b"/v1/key", True, "management"),
    ],
)
def test_who_lists_models_hears_of_errors_in_the_words_of_its_api(
    node: Node, target: bytes, is_anthropic: bool, dialect: str
) -> None:
    """Where control is away, the worker speaks for it."""
    assert node.services.routes.find(b"GET", target, is_anthropic=is_anthropic).dialect.name == dialect


def test_a_path_without_its_version_is_told_the_whole_one(node: Node) -> None:
    """A base URL without `/v1` is the commonest mistake of all."""
    refusal = node.services.routes.find(b"POST", b"/chat/completions").refusal
    assert refusal is not None
    assert refusal.message.endswith("; did you mean /v1/chat/completions?")
    refusal = node.services.routes.find(b"POST", b"/chat").refusal
    assert refusal is not None
    assert "did you mean" not in refusal.message
