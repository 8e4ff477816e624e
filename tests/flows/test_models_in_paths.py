"""Models that a path names, as Gemini's paths do: they lead where those lead that a body names."""

from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest

from sluicegate.domain.limits import Limit, Rolling
from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import ModelAlias, Retries, Target
from sluicegate.domain.tokens import digest
from tests.flows.test_retrying import unchunked
from tests.gateway.node import TOKEN, Node, a_chunk, a_provider, a_request, a_snapshot, a_stream_head, an_answer, parts

BODY = b'{"contents":[{"role":"user","parts":[{"text":"smart"}]}]}'
ANSWER = b'{"candidates":[],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":20}}'
EVENT = b'data: {"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}\n\n'
FAILED_EVENT = b'data: {"error":{"code":503,"message":"no","status":"UNAVAILABLE"}}\n\n'
FAILURE = an_answer(b'{"error":{"code":503}}', status="503 X")


@pytest.fixture
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A worker with two providers of the API, and names of ours."""
    snapshot = a_snapshot(
        providers=(a_provider("first", "gemini"), a_provider("second", "gemini"), a_provider()),
        models=(
            ModelAlias("smart", (Target("first", "g-large"),), fallbacks=((Target("second", "g-small"),),)),
            ModelAlias("split", (Target("first", "a", 20), Target("second", "b", 80))),
            ModelAlias("my-*", (Target("second", "g-*"),)),
        ),
        retries=Retries(attempts=2),
    )
    made = Node(tmp_path_factory.mktemp("events"), snapshot)
    yield made
    made.close()


def known(node: Node, principal: Principal) -> None:
    """Whose token it is."""
    node.link.tokens[digest(TOKEN.encode())] = principal
    node.services.principals.forget(())


def path_of(model: str, verb: str = "generateContent") -> str:
    """A path of the API."""
    return f"/v1beta/models/{model}:{verb}"


def line_of(request: bytes) -> str:
    """The path of a request's first line."""
    return request.split(b" ", 2)[1].decode()


@pytest.mark.parametrize("verb", ["generateContent", "countTokens", "embedContent", "streamGenerateContent?alt=sse"])
@pytest.mark.parametrize(
    ("asked", "provider", "model", "alias"),
    [
        ("g-9", "first", "g-9", None),
        ("smart", "first", "g-large", "smart"),
        ("my-nano", "second", "g-nano", "my-*"),
        ("second/g-9", "second", "g-9", None),
        ("second%2Fg-9", "second", "g-9", None),
        ("tuned/g-9", "first", "tuned%2Fg-9", None),
    ],
)
def test_a_name_leads_where_it_would_from_a_body(
    node: Node, asked: str, provider: str, model: str, alias: str | None, verb: str
) -> None:
    """The path that is sent carries the target's model, the body stays, and the answer says what was chosen."""
    client = node.client().says(a_request(path_of(asked, verb), BODY))
    assert node.opener.reached == [provider]
    request = node.provider.hears()
    assert line_of(request) == path_of(model, verb)
    assert request.endswith(b"\r\n\r\n" + BODY)
    node.provider.says(an_answer(ANSWER))
    status, fields, _ = parts(client.hears())
    assert (status, fields["x-gateway-provider"], fields.get("x-gateway-alias")) == (200, provider, alias)
    assert fields["x-gateway-model"] == model.replace("%2F", "/")
    (event,) = node.events()
    assert event.requested_model == asked.replace("%2F", "/")
    assert event.endpoint == path_of(event.requested_model, verb.partition("?")[0])


def test_weights_split_the_requests(node: Node) -> None:
    """On one connection, whose head is always the same, each goes where its own lot falls, with that one's model."""
    client = node.client()
    counts: Counter[str] = Counter()
    for _ in range(300):
        client.says(a_request(path_of("split"), BODY))
        for name, peer in zip(node.opener.reached, node.opener.peers, strict=True):
            if request := peer.hears():
                counts[f"{name} {line_of(request)}"] += 1
                peer.says(an_answer(ANSWER))
        assert parts(client.hears())[0] == 200
    assert counts.keys() == {f"first {path_of('a')}", f"second {path_of('b')}"}
    # Binomial, 99.9 %: 3.29 standard deviations of 6.9.
    assert abs(counts[f"first {path_of('a')}"] - 60) <= 3.29 * 7


def test_a_fallback_gets_its_own_model(node: Node) -> None:
    """What failed goes again, to somebody else, whose path names another model; one answer is charged."""
    client = node.client().says(a_request(path_of("smart"), BODY))
    node.opener.peers[0].says(FAILURE)
    assert node.opener.reached == ["first", "second"]
    assert line_of(node.provider.hears()) == path_of("g-small")
    node.provider.says(an_answer(ANSWER))
    status, fields, body = parts(client.hears())
    assert (status, fields["x-gateway-model"], fields["x-gateway-attempts"], body) == (200, "g-small", "2", ANSWER)
    (event,) = node.events()
    assert [(one.deployment, one.model, one.status) for one in event.failed_attempts] == [("first", "g-large", 503)]
    assert event.metadata.total_tokens == 30


def test_a_stream_that_begins_with_an_error_goes_again(node: Node) -> None:
    """Nobody has seen a byte of it."""
    client = node.client().says(a_request(path_of("smart", "streamGenerateContent?alt=sse"), BODY))
    node.provider.says(a_stream_head() + a_chunk(FAILED_EVENT))
    assert line_of(node.provider.hears()) == path_of("g-small", "streamGenerateContent?alt=sse")
    node.provider.says(a_stream_head() + a_chunk(EVENT) + b"0\r\n\r\n")
    status, fields, body = parts(client.hears())
    assert (status, fields["x-gateway-provider"]) == (200, "second")
    assert unchunked(body).startswith(EVENT)


def test_a_provider_whose_own_path_it_is_stays_the_only_one(node: Node) -> None:
    """No name of ours is looked for there, and nothing goes again."""
    client = node.client().says(a_request("/first" + path_of("smart"), BODY))
    assert line_of(node.provider.hears()) == path_of("smart")
    node.provider.says(FAILURE)
    assert parts(client.hears())[0] == 503
    assert node.opener.reached == ["first"]


@pytest.mark.parametrize(
    ("model", "provider", "answers"),
    [("g-own", "first", "g-own"), ("smart", "first", "g-large"), ("second/g", "second", "g")],
)
def test_a_callers_own_model_takes_the_place_of_the_paths(node: Node, model: str, provider: str, answers: str) -> None:
    """Whatever was asked for; embeddings are made by another kind of model."""
    known(node, Principal("tok_1", model=model))
    node.client().says(a_request(path_of("second/dear"), BODY))
    assert node.opener.reached == [provider]
    assert line_of(node.provider.hears()) == path_of(answers)
    node.provider.says(an_answer(ANSWER))
    node.client().says(a_request(path_of("second/e-1", "embedContent"), BODY))
    assert line_of(node.opener.peers[node.opener.reached.index("second")].hears()) == path_of("e-1", "embedContent")


def test_a_list_of_models_holds_for_the_name_that_was_asked_for(node: Node) -> None:
    """Names of ours count as they are, and what they stand for is not open by itself; a body says nothing else."""
    known(node, Principal("tok_1", models=("smart", "second/g-9")))
    for name, status in (("smart", 200), ("second/g-9", 200), ("g-large", 403), ("g-9", 403), ("second/g-8", 403)):
        client = node.client().says(a_request(path_of(name), b'{"model":"smart","contents":[]}'))
        for peer in node.opener.peers:
            if peer.hears():
                peer.says(an_answer(ANSWER))
        assert (name, parts(client.hears())[0]) == (name, status)


def test_a_list_of_paths_takes_a_name_for_one_segment(node: Node) -> None:
    """However many slashes it has."""
    known(node, Principal("tok_1", paths=("models/*:generateContent",)))
    node.client().says(a_request(path_of("second/g-9"), BODY))
    assert line_of(node.provider.hears()) == path_of("g-9")
    client = node.client().says(a_request(path_of("second/g-9", "countTokens"), BODY))
    assert parts(client.hears())[0] == 403


def test_what_a_body_repeats_is_told_anew_to_each(node: Node) -> None:
    """The provider refuses items of another model than its path's; all other bytes stay."""
    body = b'{ "requests": [{"model":"models/smart","content":{"parts":[{"text":"smart"}]}}] }'
    node.client().says(a_request(path_of("smart", "batchEmbedContents"), body))
    first = node.provider.hears()
    assert first.endswith(b"\r\n\r\n" + body.replace(b"models/smart", b"models/g-large"))
    node.provider.says(FAILURE)
    second = node.provider.hears()
    assert line_of(second) == path_of("g-small", "batchEmbedContents")
    assert second.endswith(b"\r\n\r\n" + body.replace(b"models/smart", b"models/g-small"))


def test_limits_are_those_of_the_model_that_answers(node: Node) -> None:
    """Its price bounds the request, and its cap is written; the fallback's price is that of the fallback."""
    known(node, Principal("tok_1", limits=(Limit("token", "tok_1", "usd", Rolling(3600), 1_000_000_000),)))
    node.link.prices["g-large"] = Price("v1", Rates(input=1_000_000_000, output=2_000_000_000))
    node.link.prices["g-small"] = Price("v1", Rates(input=100_000_000, output=200_000_000))
    client = node.client().says(a_request(path_of("smart"), BODY))
    assert b'"maxOutputTokens":' in node.provider.hears()
    node.provider.says(FAILURE)
    assert b'"maxOutputTokens":' in node.provider.hears()
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[0] == 200
    (event,) = node.events()
    assert (event.cost, event.metadata.model) == (10 * 100 + 20 * 200, "g-small")


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("POST", path_of("openai/gpt-5"), 405, b"POST is not allowed"),
        ("PUT", path_of("smart"), 405, b"PUT is not allowed"),
        ("POST", "/v1beta/models/smart:unheardOf", 405, b"POST is not allowed"),
        ("POST", "/v1beta/models/second/smart", 404, b"serves no path"),
    ],
)
def test_what_nobody_serves_is_refused_in_the_apis_words(
    node: Node, method: str, path: str, status: int, words: bytes
) -> None:
    """A target of another API has no such path; nothing is sent."""
    client = node.client().says(a_request(path, BODY, method=method))
    got, _, body = parts(client.hears())
    assert (got, words in body, b'"status":"' in body) == (status, True, True)
    assert node.opener.peers == []


def test_a_name_without_a_default_provider_may_lead_somewhere_all_the_same(node: Node) -> None:
    """An alias is enough; where nothing leads anywhere, the model is not known."""
    node.services.configure(msgspec.structs.replace(node.services.snapshot, version=2, defaults={}))
    node.client().says(a_request(path_of("smart"), BODY))
    assert node.opener.reached == ["first"]
    client = node.client().says(a_request(path_of("g-9"), BODY))
    status, _, body = parts(client.hears())
    assert (status, b"no provider serves the model" in body) == (404, True)
    assert parts(node.client().says(a_request("/v1beta/files", b"", method="GET")).hears())[0] == 503
