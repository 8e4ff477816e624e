"""Tokens of a request, estimated where no provider can count them."""

import json
from typing import Any

import pytest

from sluicegate.domain.limits import Limit, Rolling
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import ModelAlias, Snapshot, Target
from sluicegate.domain.tokens import digest
from sluicegate.wire.link import Count, Counted
from tests.gateway.node import TOKEN, Node, Peer, a_provider, a_request, a_snapshot, an_answer, parts

PATH = "/v1/messages/count_tokens"
BODY = b'{"model":"local-large","messages":[{"role":"user","content":"Hello"}]}'


def alias(*targets: Target, name: str = "local-large") -> ModelAlias:
    """A name of ours."""
    return ModelAlias(name, targets)


def asks(node: Node, body: bytes = BODY, **named: Any) -> Peer:
    """A client asks for a count."""
    return node.client().says(a_request(PATH, body, **named))


def count(node: Node, answer: Counted | None) -> Count:
    """Control answers the one question there is."""
    [question], [callback] = node.link.questions, node.link.counted
    node.link.questions.clear()
    node.link.counted.clear()
    callback(answer)
    node.settle()
    assert isinstance(question, Count)
    return question


def test_models_of_another_api_are_estimated(node: Node) -> None:
    """With the name that their provider knows them by, and by what its messages are counted with."""
    node.services.configure(a_snapshot(models=(alias(Target("openai", "gpt-large")),)))
    client = asks(node)
    assert client.hears() == b""
    question = count(node, Counted(1, 12, 0, "counted"))
    assert question == Count(0, "anthropic", "messages", "gpt-large", BODY, b"", is_text=True)
    status, fields, body = parts(client.hears())
    assert (status, json.loads(body)) == (200, {"input_tokens": 12})
    assert fields["x-gateway-estimated"] == "true"
    assert fields["content-type"] == "application/json"
    assert (fields["x-gateway-alias"], fields["x-gateway-model"]) == ("local-large", "gpt-large")
    assert node.opener.peers == []
    [event] = node.events()
    assert (event.status_code, event.operation, event.attempts, event.usage) == (200, "count_tokens", 0, None)
    assert (event.requested_model, event.model, event.provider) == ("local-large", "gpt-large", "")


def test_models_of_an_anthropic_provider_are_counted_there(node: Node) -> None:
    """By the default, by provider/model, and by a name of ours."""
    node.services.configure(a_snapshot(models=(alias(Target("anthropic", "claude-9")),)))
    for name, model in (("claude-8", "claude-8"), ("anthropic/claude-7", "claude-7"), ("local-large", "claude-9")):
        client = asks(node, BODY.replace(b"local-large", name.encode()))
        assert node.provider.hears().endswith(BODY.replace(b"local-large", model.encode()))
        node.provider.says(an_answer(b'{"input_tokens":3}'))
        status, fields, body = parts(client.hears())
        assert (status, body) == (200, b'{"input_tokens":3}')
        assert "x-gateway-estimated" not in fields
    assert node.link.questions == []


def test_provider_and_model_of_another_api_are_estimated(node: Node) -> None:
    """The provider's name is no part of the model's."""
    asks(node, BODY.replace(b"local-large", b"openai/gpt-4o"))
    assert count(node, None).model == "gpt-4o"


def test_without_any_provider_of_the_api_it_is_estimated(node: Node) -> None:
    """Whatever the model is called."""
    node.services.configure(Snapshot(version=2, providers=(a_provider(),), defaults={"openai": "openai"}))
    client = asks(node)
    assert count(node, Counted(1, 5, 0, "length")).model == "local-large"
    status, fields, body = parts(client.hears())
    assert (status, body, fields["x-gateway-estimated"]) == (200, b'{"input_tokens":5}', "true")
    assert fields["x-gateway-model"] == "local-large"


def test_other_apis_counts_are_not_estimated(node: Node) -> None:
    """Their paths and answers are others: who has no such path says so."""
    for path, code in (("/v1/responses/input_tokens", 404), ("/v1beta/models/anthropic/claude-9:countTokens", 405)):
        body = b'{"model":"anthropic/claude-9","input":"Hello"}'
        assert parts(node.client().says(a_request(path, body)).hears())[0] == code
    assert node.link.questions == []


def test_without_a_count_the_length_decides(node: Node) -> None:
    """While the control process is away: four bytes for a token, rounded up."""
    node.services.configure(a_snapshot(models=(alias(Target("openai", "gpt-large")),)))
    client = asks(node)
    count(node, None)
    assert parts(client.hears())[2] == b'{"input_tokens":%d}' % -(-len(BODY) // 4)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"messages":[{"role":"user","content":"Hello"}]}', "model: "),
        (b'{"model":"local-large"}', "messages: "),
        (b'{"model":"local-large","messages":[]}', "messages: "),
        (b'{"model":"local-large","messages":"Hello"}', "messages: "),
        (b'{"model":"local-large"', "not a JSON object"),
    ],
)
def test_errors_are_those_of_the_api(node: Node, body: bytes, words: str) -> None:
    """A request that Anthropic would refuse is refused in its words."""
    node.services.configure(
        Snapshot(version=2, providers=(a_provider(),), models=(alias(Target("openai", "gpt-large")),))
    )
    status, _, answer = parts(asks(node, body).hears())
    error = json.loads(answer)
    assert (status, error["type"], error["error"]["type"]) == (400, "error", "invalid_request_error")
    assert words in error["error"]["message"]
    assert node.link.questions == []


def test_a_model_outside_the_tokens_list_is_forbidden(node: Node) -> None:
    """Nothing is counted for it."""
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", models=("other",))
    status, _, body = parts(asks(node).hears())
    assert (status, json.loads(body)["error"]["type"]) == (403, "permission_error")


def test_a_tokens_own_model_is_counted_for(node: Node) -> None:
    """As it is the one that will answer."""
    node.services.configure(a_snapshot(models=(alias(Target("openai", "gpt-large"), name="mine"),)))
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", model="mine")
    asks(node)
    assert count(node, None).model == "gpt-large"


def test_it_takes_a_request_of_limits_and_no_tokens(node: Node) -> None:
    """One of two requests; and none of the tokens, of which there are too few for any answer."""
    node.services.configure(a_snapshot(models=(alias(Target("openai", "gpt-large")),)))
    limits = (
        Limit("token", "tok_1", "requests", Rolling(3600), 2),
        Limit("token", "tok_1", "tokens", Rolling(3600), 1),
    )
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", limits=limits, organization_id="org_a")
    for left in ("1", "0"):
        client = asks(node)
        count(node, Counted(1, 5, 0, "counted"))
        status, fields, _ = parts(client.hears())
        assert (status, fields["anthropic-ratelimit-requests-remaining"]) == (200, left)
        node.ledger.settles(node.events()[-1].charges)
    assert [[charge.amount for charge in event.charges if charge.amount] for event in node.events()] == [[1], [1]]
    client = asks(node)
    node.passes(6.0)
    assert parts(client.hears())[0] == 429


def test_a_client_that_leaves_is_not_answered(node: Node) -> None:
    """The count comes to nobody."""
    node.services.configure(a_snapshot(models=(alias(Target("openai", "gpt-large")),)))
    client = asks(node)
    client.leaves()
    count(node, Counted(1, 5, 0, "counted"))
    assert client.hears() == b""
    assert [event.status_code for event in node.events()] == [499]


def test_while_draining_the_connection_is_not_kept(node: Node) -> None:
    """The answer says so."""
    node.services.configure(a_snapshot(models=(alias(Target("openai", "gpt-large")),)))
    client = asks(node)
    node.services.is_draining = True
    count(node, Counted(1, 5, 0, "counted"))
    status, fields, _ = parts(client.hears())
    assert (status, fields["connection"]) == (200, "close")
    assert not client.is_connected


def test_other_methods_are_not_estimated(node: Node) -> None:
    """The path has POST only."""
    node.services.configure(a_snapshot(models=(alias(Target("openai", "gpt-large")),)))
    status, _, _ = parts(asks(node, method="PUT").hears())
    assert status in {404, 405}
    assert node.link.questions == []
