"""`/v1/messages/count_tokens` as a client uses it: before each of its requests, on one connection."""

import json

from sluicegate.domain.snapshot import ModelAlias, Target
from sluicegate.wire.link import Counted
from tests.gateway.node import Node, a_request, a_snapshot, an_answer, parts

BODY = b'{"model":"%b","messages":[{"role":"user","content":"Hello"}]}'


def test_counts_come_in_the_order_they_were_asked_for(node: Node) -> None:
    """One estimated here, then one that its provider counts, asked for without waiting."""
    node.services.configure(a_snapshot(models=(ModelAlias("mine", (Target("openai", "gpt-large"),)),)))
    client = node.client()
    client.says(
        b"".join(a_request("/v1/messages/count_tokens", BODY % model) for model in (b"mine", b"anthropic/claude-9"))
    )
    assert node.opener.peers == []
    node.link.counted.pop()(Counted(1, 9, 0, "counted"))
    node.settle()
    status, fields, body = parts(client.hears())
    assert (status, fields["x-gateway-estimated"], json.loads(body)) == (200, "true", {"input_tokens": 9})
    assert node.opener.reached == ["anthropic"]
    node.provider.says(an_answer(b'{"input_tokens":7}'))
    status, fields, body = parts(client.hears())
    assert (status, json.loads(body)) == (200, {"input_tokens": 7})
    assert "x-gateway-estimated" not in fields
    assert [(event.model, event.provider) for event in node.events()] == [("gpt-large", ""), ("claude-9", "anthropic")]
